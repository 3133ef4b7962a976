package dynamo

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

var errNotActive = errors.New("dynamo: the table is not active yet")

// Create creates the table if it does not exist, and waits until it can be used. A new table has on-demand billing, the
// time-to-live attribute `expires`, and a stream if the options ask for it. Create does not change an existing table. A
// new table can take half a minute, so the deadline of the context should not be earlier.
func (t *Table) Create(ctx context.Context) error {
	_, err := t.describe(ctx)
	var missing *types.ResourceNotFoundException
	if !errors.As(err, &missing) {
		return t.waitUntilActive(ctx)
	}
	if err := t.create(ctx); err != nil {
		return err
	}
	if err := t.waitUntilActive(ctx); err != nil {
		return err
	}
	return t.enableTTL(ctx)
}

func (t *Table) describe(ctx context.Context) (types.TableStatus, error) {
	out, err := t.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &t.name}, t.withRetries)
	if err != nil {
		return "", t.translateError(err)
	}
	return out.Table.TableStatus, nil
}

func (t *Table) create(ctx context.Context) error {
	in := &dynamodb.CreateTableInput{
		TableName:   &t.name,
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("PK"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("SK"), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("PK"), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String("SK"), KeyType: types.KeyTypeRange},
		},
	}
	if t.Stream {
		in.StreamSpecification = &types.StreamSpecification{
			StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages}
	}
	_, err := t.client.CreateTable(ctx, in, t.withRetries)
	var exists *types.ResourceInUseException
	if err == nil || errors.As(err, &exists) { // by another process, or by an attempt whose response was lost
		return nil
	}
	return t.translateError(err)
}

// waitUntilActive waits until the table can be used. DynamoDB may not find a new table at first.
func (t *Table) waitUntilActive(ctx context.Context) error {
	for n := 0; ; n++ {
		status, err := t.describe(ctx)
		var missing *types.ResourceNotFoundException
		switch {
		case status == types.TableStatusActive, status == types.TableStatusUpdating: // it can be used in both
			return nil
		case err != nil && !errors.As(err, &missing):
			return err
		}
		if err := t.wait(ctx, n, errNotActive); err != nil {
			return err
		}
	}
}

// enableTTL enables time to live. It ignores UnknownOperationException: some emulators keep expired items, and every
// reader of `expires` checks for them. It ignores ValidationException: if two processes create the table at the same
// time, time to live may be enabled already.
func (t *Table) enableTTL(ctx context.Context) error {
	_, err := t.client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName: &t.name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{
			AttributeName: aws.String("expires"), Enabled: aws.Bool(true),
		},
	}, t.withRetries)
	var api smithy.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "UnknownOperationException", "ValidationException":
			return nil
		}
	}
	if err != nil {
		return t.translateError(err)
	}
	return nil
}
