package query_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// newTitledUsers creates n users with titles of 1,000 characters that are not ASCII. It returns all IDs and those whose title
// contains "7z", which is every tenth.
func newTitledUsers(f *directorytest.Fixture, n int) (all, sevens []string) {
	f.Helper()
	for i := range n {
		title := strings.Repeat("ä", 1000) + fmt.Sprint(i%10) + "z"
		r := f.Must(f.Create(f.Ctx, f.User, scim.Object{"userName": fmt.Sprint("u", i), "title": title}, scim.Projection{}))
		all = append(all, r.ID())
		if i%10 == 7 {
			sevens = append(sevens, r.ID())
		}
	}
	slices.Sort(all)
	slices.Sort(sevens)
	return all, sevens
}

func setEvaluationBudget(f *directorytest.Fixture, bytes int) {
	f.Configure(func(c *directory.Config) { c.Query.EvaluationBudget = bytes })
}

func isTooMany(err error) bool {
	e, _ := errors.AsType[*scim.Error](err)
	return e != nil && e.Status == 400 && e.Type == scim.TooMany && strings.Contains(e.Detail, "fewer comparisons")
}

var manyTerms = strings.Repeat(`title co "üx" or `, 100) + `title co "7z"`

// A query whose filter would compare more than the budget is rejected. By cursor, it is answered in parts, in both
// directions, and with a filter whose plan is exact, too.
func TestEvaluationBudget(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	all, sevens := newTitledUsers(f, 150)
	p := directory.ListParams{Types: directorytest.Only(f.User), Filter: directorytest.Parse(t, manyTerms), StartIndex: 1, Count: 10}
	sorted := p
	sorted.SortBy = filter.Attr{Name: "title"}

	if ids := directorytest.IDs(list(t, f, p)); len(ids) != 10 {
		t.Errorf("with the default budget: %d users", len(ids))
	}
	const userBytes = 64_000 + 101*(2_300+64) // folding and comparing the title of one user
	setEvaluationBudget(f, 30*userBytes)
	for _, p := range []directory.ListParams{p, sorted} {
		if _, err := f.List(f.Ctx, p); !isTooMany(err) {
			t.Errorf("by index: %v, want tooMany", err)
		}
	}
	p.StartIndex, p.Count = 0, 100
	within, _ := slices.BinarySearch(sevens, all[30]) // matches among the 30 users that the budget pays for
	first, err := f.List(f.Ctx, p)
	if err != nil || first.NextCursor == "" || len(first.Resources) > within {
		t.Fatalf("the first page: %+v, %v; want at most %d users and a cursor", first, err, within)
	}
	forward, backward := listByCursor(t, f, p)
	if !slices.Equal(forward, sevens) || !slices.Equal(backward, sevens) {
		t.Errorf("by cursor %d and backward %d, want %d", len(forward), len(backward), len(sevens))
	}

	setEvaluationBudget(f, userBytes/2)
	if _, err := f.List(f.Ctx, p); !isTooMany(err) {
		t.Errorf("with a budget too small for one user: %v, want tooMany instead of an endless walk", err)
	}
}

func TestEvaluationBudgetOfAnExactPlan(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	for i := range 60 {
		emails := make([]any, 20)
		for n := range emails {
			emails[n] = scim.Object{"value": fmt.Sprintf("%d-%d@x", i, n)}
		}
		emails[19] = scim.Object{"value": "all@x"}
		f.Must(f.Create(f.Ctx, f.User, scim.Object{"userName": fmt.Sprint("u", i), "emails": emails}, scim.Projection{}))
	}
	p := directory.ListParams{Types: directorytest.Only(f.User), Count: 50, StartIndex: 1,
		Filter: directorytest.Parse(t, strings.Repeat(`emails eq "none@x" or `, 50)+`emails eq "all@x"`)}
	setEvaluationBudget(f, 10*51*20*50)
	if _, err := f.List(f.Ctx, p); !isTooMany(err) {
		t.Errorf("by index: %v, want tooMany", err)
	}
	forward, backward := listByCursor(t, f, p)
	if len(forward) != 60 || !slices.Equal(forward, backward) {
		t.Errorf("by cursor %d and backward %d, want 60", len(forward), len(backward))
	}
}

// endingTable ends a context after a read of heads.
type endingTable struct {
	table.Table
	end context.CancelFunc
}

func (e endingTable) Get(ctx context.Context, attributes []string, keys ...table.Key) ([]table.Item, error) {
	items, err := e.Table.Get(ctx, attributes, keys...)
	if len(keys) > 1 {
		e.end()
	}
	return items, err
}

// After the client has left, the candidates that were read are not tested any more.
func TestEvaluationEndsWithTheContext(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	newTitledUsers(f, 20)
	for text, startIndex := range map[string]int{manyTerms: 1, `userName sw "u"`: 1, manyTerms + " ": 0} {
		ctx, cancel := context.WithCancel(f.Ctx)
		over := f.Over(endingTable{f.Config.Store.Table, cancel})
		p := directory.ListParams{Types: directorytest.Only(f.User), Filter: directorytest.Parse(t, text), StartIndex: startIndex, Count: 10}
		if l, err := over.List(ctx, p); !errors.Is(err, context.Canceled) {
			t.Errorf("%.20s: %v, %v; want that the context has ended", text, l, err)
		}
		cancel()
	}
}
