package dynamo

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/table"
)

// Write is TransactWriteItems, also for a single write: so one token makes its retries harmless.
func (t *Table) Write(ctx context.Context, writes ...table.Write) error {
	if err := table.ValidateWrites(writes); err != nil {
		return err
	}
	in := &dynamodb.TransactWriteItemsInput{
		ClientRequestToken: aws.String(rand.Text()), ReturnConsumedCapacity: returnTotal,
	}
	for _, w := range writes {
		action, err := t.transactItem(w)
		if err != nil {
			return t.translateError(err)
		}
		in.TransactItems = append(in.TransactItems, action)
	}
	out, err := t.client.TransactWriteItems(ctx, in, t.withRetries)
	if err != nil {
		return t.translateCancellation(err)
	}
	charge(ctx, 0, 1, out.ConsumedCapacity...)
	return nil
}

func (t *Table) transactItem(w table.Write) (a types.TransactWriteItem, err error) {
	e, err := writeExpression(w)
	const old = types.ReturnValuesOnConditionCheckFailureAllOld
	switch w := w.(type) {
	case table.Put:
		a.Put = &types.Put{
			TableName: &t.name, Item: w.Item, ReturnValuesOnConditionCheckFailure: old,
			ConditionExpression: e.Condition(), ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(),
		}
	case table.Update:
		a.Update = &types.Update{
			TableName: &t.name, Key: keyItem(w.Key), ReturnValuesOnConditionCheckFailure: old, UpdateExpression: e.Update(),
			ConditionExpression: e.Condition(), ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(),
		}
	case table.Delete:
		a.Delete = &types.Delete{
			TableName: &t.name, Key: keyItem(w.Key), ReturnValuesOnConditionCheckFailure: old,
			ConditionExpression: e.Condition(), ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(),
		}
	case table.ConditionCheck:
		a.ConditionCheck = &types.ConditionCheck{
			TableName: &t.name, Key: keyItem(w.Key), ReturnValuesOnConditionCheckFailure: old,
			ConditionExpression: e.Condition(), ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(),
		}
	}
	return a, err
}

// translateCancellation is what a failed transaction means. A condition that failed is told before an item that cannot be, because
// the caller has to look again in any case.
func (t *Table) translateCancellation(err error) error {
	var c *types.TransactionCanceledException
	if !errors.As(err, &c) {
		return t.translateError(err)
	}
	failed := map[int]table.Item{}
	var wrong error
	for i, r := range c.CancellationReasons {
		switch reasonCode(r) {
		case "None":
		case "ConditionalCheckFailed":
			failed[i] = sortedItem(r.Item)
		case "ValidationError":
			wrong = validationError(aws.ToString(r.Message))
		default:
			return t.translateError(err)
		}
	}
	switch {
	case len(failed) > 0:
		return &table.ConditionError{Items: failed}
	case wrong != nil:
		return wrong
	}
	return t.translateError(err)
}
