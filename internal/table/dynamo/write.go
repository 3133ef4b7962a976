package dynamo

import (
	"context"
	"crypto/rand"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/table"
)

// Write calls TransactWriteItems, even for a single write. Its token lets DynamoDB recognize a repeated attempt.
func (t *Table) Write(ctx context.Context, writes ...table.Write) error {
	if err := table.ValidateWrites(writes); err != nil {
		return err
	}
	in := &dynamodb.TransactWriteItemsInput{
		ClientRequestToken: aws.String(rand.Text()), ReturnConsumedCapacity: returnTotal,
	}
	for _, w := range writes {
		item, err := t.transactItem(w)
		if err != nil {
			return t.translateError(err)
		}
		in.TransactItems = append(in.TransactItems, item)
	}
	out, err := t.client.TransactWriteItems(ctx, in, t.withRetries)
	if err != nil {
		return t.translateCancellation(err)
	}
	charge(ctx, 0, 1, out.ConsumedCapacity...)
	return nil
}

func (t *Table) transactItem(w table.Write) (item types.TransactWriteItem, err error) {
	e, err := writeExpression(w)
	condition, names, values := e.Condition(), e.Names(), e.Values()
	const allOld = types.ReturnValuesOnConditionCheckFailureAllOld
	switch w := w.(type) {
	case table.Put:
		item.Put = &types.Put{
			TableName: &t.name, Item: w.Item, ReturnValuesOnConditionCheckFailure: allOld,
			ConditionExpression: condition, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		}
	case table.Update:
		item.Update = &types.Update{
			TableName: &t.name, Key: keyItem(w.Key), ReturnValuesOnConditionCheckFailure: allOld,
			UpdateExpression:    e.Update(),
			ConditionExpression: condition, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		}
	case table.Delete:
		item.Delete = &types.Delete{
			TableName: &t.name, Key: keyItem(w.Key), ReturnValuesOnConditionCheckFailure: allOld,
			ConditionExpression: condition, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		}
	case table.ConditionCheck:
		item.ConditionCheck = &types.ConditionCheck{
			TableName: &t.name, Key: keyItem(w.Key), ReturnValuesOnConditionCheckFailure: allOld,
			ConditionExpression: condition, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		}
	}
	return item, err
}
