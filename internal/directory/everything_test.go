package directory

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
)

// everything is the ids of what a query means, found by reading all resources; an error if it makes no sense.
func (f *fixture) everything(q Params) (ids []string, err error) {
	sorts := func(rt *scim.ResourceType) bool { _, err := rt.Sorter(q.SortBy, false); return err == nil }
	if q.SortBy.Name != "" && !slices.ContainsFunc(q.Types, sorts) {
		return nil, errors.New("nothing has what it is to be sorted by")
	}
	for _, rt := range q.Types {
		for _, r := range f.query(f.T, Params{Types: only(rt), StartIndex: 1, Count: 1000}).Resources {
			ok, err := means(q, q.Filter, rt, r.Object())
			if err != nil {
				return nil, err
			}
			if ok {
				ids = append(ids, r.ID())
			}
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// means tells whether a part of a query's filter is true of a resource, one comparison after the other. RFC 7644
// §3.4.2.1: what only other types of the query have is an attribute without a value.
func means(q Params, e filter.Expr, rt *scim.ResourceType, o scim.Object) (bool, error) {
	switch e := e.(type) {
	case nil:
		return true, nil
	case *filter.And:
		x, err := means(q, e.X, rt, o)
		y, wrong := means(q, e.Y, rt, o)
		return x && y, errors.Join(err, wrong)
	case *filter.Or:
		x, err := means(q, e.X, rt, o)
		y, wrong := means(q, e.Y, rt, o)
		return x || y, errors.Join(err, wrong)
	case *filter.Not:
		x, err := means(q, e.X, rt, o)
		return !x, err
	}
	matches, err := rt.Matcher(e)
	if err == nil {
		return matches(o), nil
	}
	if slices.ContainsFunc(q.Types, func(rt *scim.ResourceType) bool { _, err := rt.Matcher(e); return err == nil }) {
		c, _ := e.(*filter.Compare)
		return c != nil && (c.Op == filter.NE) != (c.Value == nil), nil
	}
	return false, err
}

// What a query of several types asks of each of them is answered by keys, as it would be at their endpoints.
func TestKeysLeadWhereSeveralTypesAreAsked(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	for text, want := range map[string]string{
		`userName eq "a"`: `userName "a"`,
		`userName eq "a" or members.value eq "` + aUser + `"`:         `userName "a"; groups of "` + aUser + `"`,
		`userName sw "a" or not (groups pr)`:                          `everyone, tested; everyone`,
		`userName sw "a" and meta.created pr`:                         `userName "a"…, tested`,
		`emails[value eq "a@x"] or members[value eq "` + aUser + `"]`: `emails "a@x", tested; groups of "` + aUser + `", tested`,
		`userName pr and members pr`:                                  `nothing`,
	} {
		all, err := f.newSubqueries(Params{Types: []*scim.ResourceType{f.user, f.group}, Filter: parsed(t, text)})
		var ways []string
		for _, s := range all {
			ways = append(ways, s.plan.String())
		}
		if got := strings.Join(ways, "; "); err != nil || got != want {
			t.Errorf("%s reads %s, want %s; %v", text, got, want, err)
		}
	}
}
