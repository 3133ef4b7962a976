package dynamo

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"serverless-scim/internal/table"
)

const (
	batchGetKeys         = 100 // DynamoDB's limit on the keys of a BatchGetItem
	maxConcurrentBatches = 8   // concurrent BatchGetItem calls of one Get
)

var errUnprocessed = errors.New("dynamo: unprocessed keys")

// Get calls GetItem for one key, and BatchGetItem for more: one call per 100 keys, at most 8 at the same time.
func (t *Table) Get(ctx context.Context, attributes []string, keys ...table.Key) ([]table.Item, error) {
	if err := table.ValidateGet(attributes, keys); err != nil {
		return nil, err
	}
	e, err := projectionExpression(attributes)
	if err != nil {
		return nil, t.translateError(err)
	}
	if len(keys) == 1 {
		return t.get(ctx, keys[0], e)
	}
	results := make([][]table.Item, (len(keys)+batchGetKeys-1)/batchGetKeys)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxConcurrentBatches)
	i := 0
	for batch := range slices.Chunk(keys, batchGetKeys) {
		result := &results[i]
		i++
		g.Go(func() (err error) {
			*result, err = t.batchGet(ctx, batch, e)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(results...), nil
}

func (t *Table) get(ctx context.Context, k table.Key, e expression.Expression) ([]table.Item, error) {
	out, err := t.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &t.name, Key: keyItem(k), ConsistentRead: aws.Bool(true), ReturnConsumedCapacity: returnTotal,
		ProjectionExpression: e.Projection(), ExpressionAttributeNames: e.Names(),
	}, t.withRetries)
	if err != nil {
		return nil, t.translateError(err)
	}
	chargeRead(ctx, out.ConsumedCapacity)
	if out.Item == nil {
		return nil, nil
	}
	return []table.Item{sortSets(out.Item)}, nil
}

// batchGet repeats BatchGetItem until no key is unprocessed. A response with items resets the backoff.
func (t *Table) batchGet(ctx context.Context, keys []table.Key, e expression.Expression) ([]table.Item, error) {
	var found []table.Item
	unprocessed := make([]map[string]types.AttributeValue, len(keys))
	for i, k := range keys {
		unprocessed[i] = keyItem(k)
	}
	for n := 0; ; n++ {
		out, err := t.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{t.name: {
				Keys: unprocessed, ConsistentRead: aws.Bool(true),
				ProjectionExpression: e.Projection(), ExpressionAttributeNames: e.Names(),
			}},
			ReturnConsumedCapacity: returnTotal,
		}, t.withRetries)
		if err != nil {
			return nil, t.translateError(err)
		}
		charge(ctx, 1, 0, out.ConsumedCapacity...)
		for _, it := range out.Responses[t.name] {
			found = append(found, sortSets(it))
			n = 0
		}
		if unprocessed = out.UnprocessedKeys[t.name].Keys; len(unprocessed) == 0 {
			return found, nil
		}
		if err := t.wait(ctx, n, errUnprocessed); err != nil {
			return nil, err
		}
	}
}

// Snapshot calls TransactGetItems.
func (t *Table) Snapshot(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	if err := table.ValidateKeys(keys, table.MaxTransactionActions); err != nil {
		return nil, err
	}
	in := &dynamodb.TransactGetItemsInput{ReturnConsumedCapacity: returnTotal}
	for _, k := range keys {
		get := types.TransactGetItem{Get: &types.Get{TableName: &t.name, Key: keyItem(k)}}
		in.TransactItems = append(in.TransactItems, get)
	}
	out, err := t.client.TransactGetItems(ctx, in, t.withRetries)
	if err != nil {
		return nil, t.translateCancellation(err)
	}
	charge(ctx, 1, 0, out.ConsumedCapacity...)
	var found []table.Item
	for _, r := range out.Responses {
		if it := sortedItem(r.Item); it != nil {
			found = append(found, it)
		}
	}
	return found, nil
}

// Query calls DynamoDB's Query once.
func (t *Table) Query(ctx context.Context, r table.Range) (table.Page, error) {
	if err := table.ValidateRange(r); err != nil {
		return table.Page{}, err
	}
	if r.ExclusiveStart != "" && (r.ExclusiveStart == r.To && !r.Backward || r.ExclusiveStart == r.From && r.Backward) {
		return table.Page{}, nil // no item can follow, and DynamoDB Local rejects such a start
	}
	e, err := rangeExpression(r)
	if err != nil {
		return table.Page{}, t.translateError(err)
	}
	in := &dynamodb.QueryInput{
		TableName: &t.name, ConsistentRead: aws.Bool(true), ReturnConsumedCapacity: returnTotal,
		KeyConditionExpression: e.KeyCondition(), ProjectionExpression: e.Projection(),
		ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(),
		ScanIndexForward: aws.Bool(!r.Backward),
	}
	if r.Limit > 0 {
		in.Limit = aws.Int32(int32(min(r.Limit, 1<<20))) // a page of 1 MB cannot hold more items
	}
	if r.ExclusiveStart != "" {
		in.ExclusiveStartKey = keyItem(table.Key{PK: r.PK, SK: r.ExclusiveStart})
	}
	out, err := t.client.Query(ctx, in, t.withRetries)
	if err != nil {
		return table.Page{}, t.translateError(err)
	}
	chargeRead(ctx, out.ConsumedCapacity)
	return page(out.Items, out.LastEvaluatedKey), nil
}

// Scan calls DynamoDB's Scan once.
func (t *Table) Scan(ctx context.Context, from table.Key) (table.Page, error) {
	if err := table.ValidateScan(from); err != nil {
		return table.Page{}, err
	}
	in := &dynamodb.ScanInput{
		TableName: &t.name, ConsistentRead: aws.Bool(true), ReturnConsumedCapacity: returnTotal,
	}
	if from != (table.Key{}) {
		in.ExclusiveStartKey = keyItem(from)
	}
	out, err := t.client.Scan(ctx, in, t.withRetries)
	if err != nil {
		return table.Page{}, t.translateError(err)
	}
	chargeRead(ctx, out.ConsumedCapacity)
	return page(out.Items, out.LastEvaluatedKey), nil
}

func page(items []map[string]types.AttributeValue, last table.Item) table.Page {
	p := table.Page{LastEvaluatedKey: last.Key()}
	for _, it := range items {
		p.Items = append(p.Items, sortSets(it))
	}
	return p
}
