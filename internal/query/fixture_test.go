package query_test

import (
	"pgregory.net/rapid"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/query"
	"serverless-scim/internal/scim"
)

// newEngine returns another engine for the tenant of the fixture. Both use the same cache if the fixture has one.
func newEngine(f *directorytest.Fixture) *query.Engine {
	return query.New(f.Config.Query, f.Store, directorytest.BaseURL)
}

// setScanBudget changes the scan budget of the fixture.
func setScanBudget(f *directorytest.Fixture, n int) {
	f.Configure(func(c *directory.Config) { c.Query.ScanBudget = n })
}

// queryParams returns the parameters that identify a query.
func queryParams(p directory.ListParams) query.Params {
	return query.Params{Types: p.Types, Filter: p.Filter, SortBy: p.SortBy, Descending: p.Descending, StartIndex: p.StartIndex, Client: p.Client}
}

// list returns one page.
func list(t rapid.TB, f *directorytest.Fixture, p directory.ListParams) *directory.ListResult {
	t.Helper()
	l, err := f.List(f.Ctx, p)
	if err != nil {
		t.Fatalf("%+v: %v", p, err)
	}
	return l
}

// listByIndex reads all pages as Okta does: until it has as many resources as TotalResults says.
func listByIndex(t rapid.TB, f *directorytest.Fixture, p directory.ListParams) (ids []string) {
	t.Helper()
	for p.StartIndex = 1; ; p.StartIndex = len(ids) + 1 {
		l := list(t, f, p)
		if ids = append(ids, directorytest.IDs(l)...); len(ids) >= l.TotalResults || len(l.Resources) == 0 {
			return ids
		}
	}
}

// listByCursor reads all pages to the last one, and from there back to the first one. It returns both results in the
// order of the query.
func listByCursor(t rapid.TB, f *directorytest.Fixture, p directory.ListParams) (forward, backward []string) {
	t.Helper()
	p.StartIndex, p.Cursor = 0, ""
	l := list(t, f, p)
	for forward = directorytest.IDs(l); l.NextCursor != ""; forward = append(forward, directorytest.IDs(l)...) {
		p.Cursor = l.NextCursor
		l = list(t, f, p)
	}
	for backward = directorytest.IDs(l); l.PreviousCursor != ""; backward = append(directorytest.IDs(l), backward...) {
		p.Cursor = l.PreviousCursor
		l = list(t, f, p)
	}
	return forward, backward
}

// selectAttributes returns the projection of users for the parameter "attributes".
func selectAttributes(f *directorytest.Fixture, attributes string) scim.Projection {
	f.Helper()
	p, err := scim.NewProjection(directorytest.Only(f.User), attributes, "", nil)
	if err != nil {
		f.Fatal(err)
	}
	return p
}
