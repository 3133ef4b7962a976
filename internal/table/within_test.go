package table_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
)

// What a call may reach is decided by each of its keys, before it is made; and the error does not tell whose they are.
func TestWithinNothingElseIsReached(t *testing.T) {
	t.Parallel()
	b, err := bolt.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	bound := table.Scoped{Table: table.Metered{Table: b}, Prefix: "t#", SharedPartition: "all"}
	noPrefix, noShared := bound, bound
	noPrefix.Prefix, noShared.SharedPartition = "", ""
	for _, c := range []struct {
		w        table.Scoped
		key      table.Key
		reaching bool
	}{
		{bound, table.Key{PK: "t#User", SK: "x"}, true},
		{bound, table.Key{PK: "t#", SK: "all"}, true},
		{bound, table.Key{PK: "all", SK: "t#User#1"}, true},
		{bound, table.Key{PK: "t", SK: "t#"}, false},
		{bound, table.Key{PK: "t2#User", SK: "t#"}, false},
		{bound, table.Key{PK: "T#User", SK: "t#"}, false},
		{bound, table.Key{PK: " t#User", SK: "t#"}, false},
		{bound, table.Key{PK: "", SK: "t#"}, false},
		{bound, table.Key{PK: "all", SK: "t"}, false},
		{bound, table.Key{PK: "all", SK: "t2#User#1"}, false},
		{bound, table.Key{PK: "all", SK: ""}, false},
		{bound, table.Key{PK: "all#t#", SK: "t#"}, false},
		{bound, table.Key{PK: "al", SK: "t#"}, false},
		{noPrefix, table.Key{PK: "t#User", SK: "x"}, false},
		{noPrefix, table.Key{PK: "all", SK: "t#User#1"}, false},
		{noShared, table.Key{PK: "t#User", SK: "x"}, true},
		{noShared, table.Key{PK: "all", SK: "t#User#1"}, false},
		{noShared, table.Key{PK: "", SK: "t#User#1"}, false},
		{table.Scoped{Table: bound.Table}, table.Key{}, false},
	} {
		allowed := table.Key{PK: "t#User", SK: "allowed"}
		reaches(t, c.reaching, c.key, func(ctx context.Context) error { _, err := c.w.Get(ctx, nil, allowed, c.key); return err })
		reaches(t, c.reaching, c.key, func(ctx context.Context) error { _, err := c.w.Snapshot(ctx, allowed, c.key); return err })
		for _, w := range []table.Write{
			table.Put{Item: table.Item{"PK": table.S(c.key.PK), "SK": table.S(c.key.SK)}},
			table.Update{Key: c.key, Set: table.Item{"a": table.S("b")}},
			table.Delete{Key: c.key},
			table.ConditionCheck{Key: c.key, If: []table.Condition{table.NotExists()}},
		} {
			reaches(t, c.reaching, w, func(ctx context.Context) error { return c.w.Write(ctx, table.Delete{Key: allowed}, w) })
		}
	}
}

func TestWithinThePartitionThatIsSharedRangesAreBounded(t *testing.T) {
	t.Parallel()
	b, err := bolt.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	w := table.Scoped{Table: table.Metered{Table: b}, Prefix: "t#", SharedPartition: "all"}
	for _, c := range []struct {
		r        table.Range
		reaching bool
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
		reaches(t, c.reaching, c.r, func(ctx context.Context) error { _, err := w.Query(ctx, c.r); return err })
	}
	reaches(t, false, "a scan", func(ctx context.Context) error { _, err := w.Scan(ctx, table.Key{}); return err })
}

// reaches fails the test unless the call is made, or refused before.
func reaches(t *testing.T, want bool, what any, call func(context.Context) error) {
	t.Helper()
	ctx, usage := table.WithUsage(t.Context())
	err, invalid := call(ctx), (*table.InvalidError)(nil)
	if made := usage().Calls == 1; made != want || want != (err == nil) {
		t.Errorf("%#v: reached %t, %v; want %t", what, made, err, want)
	}
	if !want && (!errors.As(err, &invalid) || strings.ContainsAny(err.Error(), "#\"")) {
		t.Errorf("%#v: %v, want an invalid call, and not a word of whose", what, err)
	}
}
