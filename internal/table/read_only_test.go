package table_test

import (
	"errors"
	"fmt"
	"testing"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
)

// A ReadOnly table reads as the table does, and rejects writes with an error of its own.
func TestReadOnlyRejectsWrites(t *testing.T) {
	t.Parallel()
	b, err := bolt.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	k, other := table.Key{PK: "p", SK: "s"}, table.Key{PK: "p", SK: "t"}
	if err := b.Write(t.Context(), table.Put{Item: table.Item{"PK": table.S(k.PK), "SK": table.S(k.SK)}}); err != nil {
		t.Fatal(err)
	}
	readOnly := table.ReadOnly{Table: b}
	for _, w := range []table.Write{table.Delete{Key: k}, table.Update{Key: other, Add: table.Item{"n": table.N(1)}},
		table.ConditionCheck{Key: k, If: []table.Condition{table.Exists()}}} {
		if err := readOnly.Write(t.Context(), w); !errors.Is(err, table.ErrReadOnly) {
			t.Errorf("%+v: %v", w, err)
		}
	}
	if items, err := readOnly.Get(t.Context(), nil, k, other); err != nil || len(items) != 1 {
		t.Errorf("got %v, %v", items, err)
	}
}

// Only the error of a ReadOnly table is ignored.
func TestIgnoreReadOnly(t *testing.T) {
	t.Parallel()
	other := errors.New("other")
	for err, want := range map[error]error{nil: nil, other: other, fmt.Errorf("wrapped: %w", table.ErrReadOnly): nil} {
		if got := table.IgnoreReadOnly(err); got != want {
			t.Errorf("%v: got %v, want %v", err, got, want)
		}
	}
}
