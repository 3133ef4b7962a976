package query_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/query"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// Near the deadline, a page by cursor ends early. A page by startIndex is rejected with an error that is not transient,
// so that the client does not repeat the request.
func TestQueriesStopBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	f.NewUsers(20)
	ctx, cancel := context.WithTimeout(f.Ctx, 2*time.Second)
	defer cancel()
	if !f.Store.DeadlineNear(ctx) {
		t.Fatal("the deadline is not near")
	}
	p := directory.ListParams{Types: directorytest.Only(f.User), Filter: directorytest.Parse(t, `userName ew "9"`),
		StartIndex: 1, Count: 10, Projection: selectAttributes(f, "userName")}
	_, err := f.List(ctx, p)
	if e, _ := errors.AsType[*scim.Error](err); e == nil || e.Type != scim.TooMany {
		t.Errorf("by index: %v, want tooMany", err)
	}
	jump := directory.ListParams{Types: directorytest.Only(f.User), StartIndex: 15, Count: 10}
	if _, err = f.List(ctx, jump); directorytest.Status(err) != 400 {
		t.Errorf("a jump: %v, want 400", err)
	}
	p.StartIndex = 0
	if l, err := f.List(ctx, p); err != nil || l.NextCursor == "" {
		t.Errorf("by cursor: %v, %v, want a page with a next cursor", l, err)
	}
}

// Skipping to a startIndex holds at most skipBatch candidates in memory.
func TestSkippingReadsInBatches(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	f.NewUsers(query.SkipBatch + 100)
	maxLimit := 0
	embedded := f.With(func(c *directory.Config) {
		c.Store.Table = limitRecorder{c.Store.Table, &maxLimit}
		c.Store.Embedded = true // the calls follow each other, so maxLimit needs no lock
	})
	p := directory.ListParams{Types: directorytest.Only(f.User), StartIndex: 1 << 30, Count: 10}
	if l := list(t, embedded, p); l.TotalResults != query.SkipBatch+100 || len(l.Resources) > 0 {
		t.Errorf("%d of %d users", len(l.Resources), l.TotalResults)
	}
	if maxLimit == 0 || maxLimit > query.SkipBatch {
		t.Errorf("a Query has the limit %d, want at most %d", maxLimit, query.SkipBatch)
	}
}

// A limitRecorder records the largest limit of a Query.
type limitRecorder struct {
	table.Table
	max *int
}

func (l limitRecorder) Query(ctx context.Context, r table.Range) (table.Page, error) {
	*l.max = max(*l.max, r.Limit)
	return l.Table.Query(ctx, r)
}
