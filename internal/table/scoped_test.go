package table_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
)

// Scoped checks every key of a call before it calls the table. Its errors do not contain keys.
func TestScopedRejectsKeysOutsideTheScope(t *testing.T) {
	t.Parallel()
	b, err := bolt.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	scoped := table.Scoped{Table: table.Metered{Table: b}, Prefix: "t#", SharedPartition: "all"}
	noPrefix, noShared := scoped, scoped
	noPrefix.Prefix, noShared.SharedPartition = "", ""
	for _, c := range []struct {
		table   table.Scoped
		key     table.Key
		allowed bool
	}{
		{scoped, table.Key{PK: "t#User", SK: "x"}, true},
		{scoped, table.Key{PK: "t#", SK: "all"}, true},
		{scoped, table.Key{PK: "all", SK: "t#User#1"}, true},
		{scoped, table.Key{PK: "t", SK: "t#"}, false},
		{scoped, table.Key{PK: "t2#User", SK: "t#"}, false},
		{scoped, table.Key{PK: "T#User", SK: "t#"}, false},
		{scoped, table.Key{PK: " t#User", SK: "t#"}, false},
		{scoped, table.Key{PK: "", SK: "t#"}, false},
		{scoped, table.Key{PK: "all", SK: "t"}, false},
		{scoped, table.Key{PK: "all", SK: "t2#User#1"}, false},
		{scoped, table.Key{PK: "all", SK: ""}, false},
		{scoped, table.Key{PK: "all#t#", SK: "t#"}, false},
		{scoped, table.Key{PK: "al", SK: "t#"}, false},
		{noPrefix, table.Key{PK: "t#User", SK: "x"}, false},
		{noPrefix, table.Key{PK: "all", SK: "t#User#1"}, false},
		{noShared, table.Key{PK: "t#User", SK: "x"}, true},
		{noShared, table.Key{PK: "all", SK: "t#User#1"}, false},
		{noShared, table.Key{PK: "", SK: "t#User#1"}, false},
		{table.Scoped{Table: scoped.Table}, table.Key{}, false},
	} {
		inScope := table.Key{PK: "t#User", SK: "allowed"}
		checkReaches(t, c.allowed, c.key, func(ctx context.Context) error {
			_, err := c.table.Get(ctx, nil, inScope, c.key)
			return err
		})
		checkReaches(t, c.allowed, c.key, func(ctx context.Context) error {
			_, err := c.table.Snapshot(ctx, inScope, c.key)
			return err
		})
		for _, w := range []table.Write{
			table.Put{Item: table.Item{"PK": table.S(c.key.PK), "SK": table.S(c.key.SK)}},
			table.Update{Key: c.key, Set: table.Item{"a": table.S("b")}},
			table.Delete{Key: c.key},
			table.ConditionCheck{Key: c.key, If: []table.Condition{table.NotExists()}},
		} {
			checkReaches(t, c.allowed, w, func(ctx context.Context) error {
				return c.table.Write(ctx, table.Delete{Key: inScope}, w)
			})
		}
	}
}

func TestScopedRejectsRangesThatLeaveTheScope(t *testing.T) {
	t.Parallel()
	b, err := bolt.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	w := table.Scoped{Table: table.Metered{Table: b}, Prefix: "t#", SharedPartition: "all"}
	for _, c := range []struct {
		r       table.Range
		allowed bool
	}{
		{table.Range{PK: "t#User"}, true},
		{table.Range{PK: "t#User", Prefix: "x", ExclusiveStart: "xy"}, true},
		{table.Range{PK: "t2#User", Prefix: "t#"}, false},
		{table.Range{PK: "all", Prefix: "t#"}, true},
		{table.Range{PK: "all", Prefix: "t#User", ExclusiveStart: "t#User#1", Backward: true}, true},
		{table.Range{PK: "all", From: "t#", To: "t#~"}, true},
		{table.Range{PK: "all", From: "t#", To: "t#~", ExclusiveStart: "t#x"}, true},
		{table.Range{PK: "all"}, false},
		{table.Range{PK: "all", ExclusiveStart: "t#x"}, false},
		{table.Range{PK: "all", Prefix: "t"}, false},
		{table.Range{PK: "all", Prefix: "t2#"}, false},
		{table.Range{PK: "all", Prefix: "t#", ExclusiveStart: "t2#x"}, false},
		{table.Range{PK: "all", From: "t#"}, false},
		{table.Range{PK: "all", To: "t#"}, false},
		{table.Range{PK: "all", From: "t", To: "t#"}, false},
		{table.Range{PK: "all", From: "t#", To: "t2#"}, false},
		{table.Range{PK: "all", Prefix: "t#", From: "s", To: "u"}, false},
	} {
		checkReaches(t, c.allowed, c.r, func(ctx context.Context) error { _, err := w.Query(ctx, c.r); return err })
	}
	checkReaches(t, false, "a scan", func(ctx context.Context) error { _, err := w.Scan(ctx, table.Key{}); return err })
}

// checkReaches fails the test unless call reaches the table, or, if want is false, is rejected before.
func checkReaches(t *testing.T, want bool, what any, call func(context.Context) error) {
	t.Helper()
	ctx, usage := table.WithUsage(t.Context())
	err, invalid := call(ctx), (*table.InvalidError)(nil)
	if made := usage().Calls == 1; made != want || want != (err == nil) {
		t.Errorf("%#v: reached the table: %t, %v; want %t", what, made, err, want)
	}
	if !want && (!errors.As(err, &invalid) || strings.ContainsAny(err.Error(), "#\"")) {
		t.Errorf("%#v: %v, want an InvalidError without a key", what, err)
	}
}
