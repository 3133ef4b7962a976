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

// Create creates the table if it is missing, paid by request and with `expires` as its time to live, and waits until
// it can be used. A table that is there stays as it is. The context should leave a new one half a minute.
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
	_, err := t.client.CreateTable(ctx, &dynamodb.CreateTableInput{
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
	}, t.withRetries)
	var there *types.ResourceInUseException
	if err == nil || errors.As(err, &there) { // somebody else, or an attempt of ours whose answer got lost
		return nil
	}
	return t.translateError(err)
}

// waitUntilActive waits until the table is active; a new one may not even be found at first.
func (t *Table) waitUntilActive(ctx context.Context) error {
	for n := 0; ; n++ {
		status, err := t.describe(ctx)
		var missing *types.ResourceNotFoundException
		switch {
		case status == types.TableStatusActive, status == types.TableStatusUpdating: // both can be used
			return nil
		case err != nil && !errors.As(err, &missing):
			return err
		}
		if err := t.wait(ctx, n, errNotActive); err != nil {
			return err
		}
	}
}

// enableTTL turns the time to live on. An emulator without one keeps what has expired, which every reader of `expires`
// checks for anyway; a table that was created twice at a time has it on already.
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
