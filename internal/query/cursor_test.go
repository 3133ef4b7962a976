package query_test

import (
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/filter"
	"serverless-scim/internal/query"
	"serverless-scim/internal/scim"
)

// checkCursor fails the test unless a query accepts a cursor or, if scimType is not empty, rejects it with that error.
func checkCursor(f *directorytest.Fixture, name string, p directory.ListParams, cursor, scimType string) {
	f.Helper()
	p.Cursor = cursor
	_, err := f.List(f.Ctx, p)
	e, _ := err.(*scim.Error)
	if scimType == "" && err != nil || scimType != "" && (e == nil || e.Status != 400 || e.Type != scimType) {
		f.Errorf("%s, %q: %v, want %q", name, cursor, err, scimType)
	}
}

// unescaped holds the characters that need no escaping in a URL and occur in cursors.
const unescaped = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func TestCursorsAreBoundToQueryTenantAndTime(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	now, cache := time.Unix(1_800_000_000, 0), &query.Cache{}
	f.Configure(func(c *directory.Config) {
		c.Store.Now, c.Query.Cache = func() time.Time { return now }, cache
	})
	f.NewUsers(5)
	p := directory.ListParams{Types: directorytest.Only(f.User), Count: 2}
	cursor := list(t, f, p).NextCursor
	if cursor == "" || strings.Trim(cursor, unescaped) != "" {
		t.Fatalf("%q has characters that must be escaped in a URL", cursor)
	}
	checkCursor(f, "the same query", p, cursor, "")
	other := p
	other.Count = 5
	checkCursor(f, "another count", other, cursor, "")
	other.Client = "another token"
	checkCursor(f, "another token of the tenant", other, cursor, "")
	other.Filter, _ = filter.Parse(`userName sw "m"`, nil)
	checkCursor(f, "another filter", other, cursor, scim.InvalidCursor)
	other = p
	other.SortBy = filter.Attr{Name: "userName"}
	checkCursor(f, "another order", other, cursor, scim.InvalidCursor)
	other = p
	other.Types = directorytest.Only(f.Group)
	checkCursor(f, "another type", other, cursor, scim.InvalidCursor)
	checkCursor(f.ForTenant("other"), "another tenant", p, cursor, scim.InvalidCursor)
	cache.CopyCursorKey("test", "twin")
	checkCursor(f.ForTenant("twin"), "another tenant with the same key", p, cursor, scim.InvalidCursor)
	checkCursor(f, "not a cursor", p, "\x00ü%", scim.InvalidCursor)
	process := f.With(func(c *directory.Config) { c.Query.Cache = &query.Cache{} })
	checkCursor(process, "another process", p, cursor, "")
	now = now.Add(query.PageTimeout)
	checkCursor(f, "an expired cursor", p, cursor, scim.ExpiredCursor)
}

func TestModifiedCursorsAreInvalid(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	f.Configure(func(c *directory.Config) { c.Query.Cache = &query.Cache{} })
	p := directory.ListParams{Types: directorytest.Only(f.User), Count: 2}
	for n := range 3 { // the last character has zero, two, or four unused bits
		cursor, err := newEngine(f).SealCursor(f.Ctx, queryParams(p), strings.Repeat("u", 1+n))
		if err != nil {
			t.Fatal(err)
		}
		checkCursor(f, "unmodified", p, cursor, "")
		for i := range len(cursor) {
			begin, end := cursor[:i], cursor[i+1:]
			for _, c := range strings.Replace(unescaped, cursor[i:i+1], "", 1) {
				checkCursor(f, "one character replaced", p, begin+string(c)+end, scim.InvalidCursor)
			}
			if i > 0 {
				checkCursor(f, "truncated", p, begin, scim.InvalidCursor)
			}
		}
		for i := range len(cursor) + 1 {
			for _, inserted := range []string{"\n", "\r", "=", " "} {
				checkCursor(f, "one character inserted", p, cursor[:i]+inserted+cursor[i:], scim.InvalidCursor)
			}
		}
	}
}
