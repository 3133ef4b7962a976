package query_test

import (
	"slices"
	"testing"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/filter"
	"serverless-scim/internal/table"
)

// Pages by index need no bookmark, so a read-only table has the same pages.
func TestPagesOfAReadOnlyTable(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	users := f.NewUsers(25)
	before := len(f.Dump())
	readOnly := f.Over(table.ReadOnly{Table: f.Config.Store.Table})
	for _, sortBy := range []string{"", "userName", "meta.lastModified"} {
		for _, text := range []string{"", `userName pr`, `not (userName eq "x")`} {
			p := directory.ListParams{Types: directorytest.Only(f.User), StartIndex: 1, Count: 10}
			if text != "" {
				p.Filter = directorytest.Parse(t, text)
			}
			p.SortBy, _ = filter.ParseAttr(sortBy, nil) // the zero Attr for ""
			var found []string
			for p.StartIndex = 1; p.StartIndex < 26; p.StartIndex += 10 {
				l, err := readOnly.List(t.Context(), p)
				if err != nil {
					t.Fatal(sortBy, text, err)
				}
				found = append(found, directorytest.IDs(l)...)
			}
			if slices.Sort(found); !slices.Equal(found, users) {
				t.Errorf("sorted by %q, filter %q: %d users", sortBy, text, len(found))
			}
		}
	}
	if after := len(f.Dump()); after != before {
		t.Errorf("%d items were written", after-before)
	}
}
