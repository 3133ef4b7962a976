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
	if err := table.CheckWrites(writes); err != nil {
		return err
	}
	in := &dynamodb.TransactWriteItemsInput{
		ClientRequestToken: aws.String(rand.Text()), ReturnConsumedCapacity: total,
	}
	for _, w := range writes {
		action, err := t.action(w)
		if err != nil {
			return t.failure(err)
		}
		in.TransactItems = append(in.TransactItems, action)
	}
	out, err := t.client.TransactWriteItems(ctx, in, t.retried)
	if err != nil {
		return t.canceled(err)
	}
	charge(ctx, 0, 1, out.ConsumedCapacity...)
	return nil
}

func (t *Table) action(w table.Write) (a types.TransactWriteItem, err error) {
	e, err := build(w)
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
	case table.Check:
		a.ConditionCheck = &types.ConditionCheck{
			TableName: &t.name, Key: keyItem(w.Key), ReturnValuesOnConditionCheckFailure: old,
			ConditionExpression: e.Condition(), ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(),
		}
	}
	return a, err
}

// canceled is what a failed transaction means. A condition that failed is told before an item that cannot be, because
// the caller has to look again in any case.
func (t *Table) canceled(err error) error {
	var c *types.TransactionCanceledException
	if !errors.As(err, &c) {
		return t.failure(err)
	}
	failed := map[int]table.Item{}
	var wrong error
	for i, r := range c.CancellationReasons {
		switch code(r) {
		case "None":
		case "ConditionalCheckFailed":
			failed[i] = item(r.Item)
		case "ValidationError":
			wrong = invalid(aws.ToString(r.Message))
		default:
			return t.failure(err)
		}
	}
	switch {
	case len(failed) > 0:
		return &table.Refused{Failed: failed}
	case wrong != nil:
		return wrong
	}
	return t.failure(err)
}
