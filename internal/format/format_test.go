package format

import (
	"errors"
	"strings"
	"testing"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/table/tabletest"
)

func newTable(t *testing.T) table.Table {
	t.Helper()
	tab, err := bolt.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tab.Close() })
	return tab
}

// A program accepts a table without the item, and each format up to its own. It refuses later formats and corrupt items.
func TestCheckRefusesLaterFormatsAndCorruptItems(t *testing.T) {
	t.Parallel()
	const corrupt = `the item "format" "@" of the table is corrupt`
	for _, c := range []struct {
		item table.Item // without the key
		want string     // "": accepted
	}{
		{nil, ""}, {table.Item{"version": table.N(1)}, ""},
		{table.Item{"version": table.N(2)}, "the table has the format 2, and this version of the program knows formats up to 1; use the version that wrote it, or a later one"},
		{table.Item{"version": table.N(1 << 40), "other": table.S("x")}, "the format 1099511627776"},
		{table.Item{}, corrupt}, {table.Item{"version": table.N(0)}, corrupt}, {table.Item{"version": table.N(-1)}, corrupt},
		{table.Item{"version": table.S("1")}, corrupt},
	} {
		tab := newTable(t)
		if c.item != nil {
			c.item["PK"], c.item["SK"] = table.S("format"), table.S("@")
			if err := tab.Write(t.Context(), table.Put{Item: c.item}); err != nil {
				t.Fatal(err)
			}
		}
		err := Check(t.Context(), tab)
		if refused := (*Error)(nil); c.want == "" && err != nil || c.want != "" && (!errors.As(err, &refused) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v: %v, want %q", c.item, err, c.want)
		}
	}
}

// Mark writes the item of a table that has none, and never replaces one.
func TestMarkWritesOnlyAMissingItem(t *testing.T) {
	t.Parallel()
	for version, marked := range map[int64]int64{0: 1, 1: 1, 2: 2} {
		tab := newTable(t)
		if version > 0 {
			it := table.Item{"PK": table.S("format"), "SK": table.S("@"), "version": table.N(version)}
			if err := tab.Write(t.Context(), table.Put{Item: it}); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := Mark(t.Context(), tab); err != nil {
				t.Error(err)
			}
		}
		items, err := tab.Get(t.Context(), nil, key)
		if err != nil || len(items) != 1 || table.IntValue(items[0]["version"]) != marked {
			t.Errorf("a table of format %d: %v, %v, want %d", version, items, err, marked)
		}
	}
}

// An error of the table is not a statement about its format, so that a caller can tell both apart.
func TestErrorsOfTheTableAreReturned(t *testing.T) {
	t.Parallel()
	denied := errors.New("access denied")
	tab := tabletest.Faults{Table: newTable(t), Before: func(tabletest.Call) error { return denied }}
	if err := Check(t.Context(), tab); err != denied {
		t.Errorf("Check: %v", err)
	}
	if err := Mark(t.Context(), tab); err != denied {
		t.Errorf("Mark: %v", err)
	}
}

// Check makes one call, which every role permits.
func TestCheckIsOneGet(t *testing.T) {
	t.Parallel()
	var calls []string
	tab := tabletest.Faults{Table: newTable(t), Before: func(c tabletest.Call) error {
		calls = append(calls, c.Actions...)
		return nil
	}}
	if err := Check(t.Context(), tab); err != nil || len(calls) != 1 || calls[0] != "GetItem" {
		t.Errorf("%v, %v", calls, err)
	}
}
