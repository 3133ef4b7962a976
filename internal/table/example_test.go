package table_test

import (
	"context"
	"errors"
	"fmt"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
)

// A condition makes a write depend on the current item. If a condition fails, the transaction writes nothing, and the error
// has the current item.
func ExampleConditionError() {
	t, err := bolt.Open(":memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer t.Close()
	ctx := context.Background()
	put := func(id string) error {
		item := table.Item{"PK": table.S("names"), "SK": table.S("ada"), "id": table.S(id)}
		return t.Write(ctx, table.Put{Item: item, If: []table.Condition{table.NotExists()}})
	}
	fmt.Println(put("u1"))

	err = put("u2")
	var failed *table.ConditionError
	if errors.As(err, &failed) {
		fmt.Println("the name belongs to", table.StringValue(failed.Items[0]["id"]))
	}
	// Output:
	// <nil>
	// the name belongs to u1
}

// Write is one transaction, and Query reads a range of a partition page by page.
func ExampleTable() {
	t, err := bolt.Open(":memory:") // a table.Table; dynamo.New returns another
	if err != nil {
		fmt.Println(err)
		return
	}
	defer t.Close()
	ctx := context.Background()
	var writes []table.Write
	for _, name := range []string{"grace", "ada", "alan"} {
		writes = append(writes, table.Put{Item: table.Item{"PK": table.S("names"), "SK": table.S(name)}})
	}
	if err := t.Write(ctx, writes...); err != nil {
		fmt.Println(err)
		return
	}
	for r := (table.Range{PK: "names", Prefix: "a", Limit: 1}); ; {
		page, err := t.Query(ctx, r)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, item := range page.Items {
			fmt.Println(item.Key().SK)
		}
		if page.LastEvaluatedKey == (table.Key{}) {
			return
		}
		r.ExclusiveStart = page.LastEvaluatedKey.SK
	}
	// Output:
	// ada
	// alan
}

// An Update changes attributes without reading the item, as when several processes increment a counter.
func ExampleUpdate() {
	t, err := bolt.Open(":memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer t.Close()
	ctx, key := context.Background(), table.Key{PK: "counter", SK: "@"}
	for range 3 {
		if err := t.Write(ctx, table.Update{Key: key, Add: table.Item{"n": table.N(2)}}); err != nil {
			fmt.Println(err)
			return
		}
	}
	items, err := t.Get(ctx, nil, key)
	fmt.Println(table.IntValue(items[0]["n"]), err)
	// Output: 6 <nil>
}
