package query

import (
	"strings"
	"testing"

	"serverless-scim/internal/scim"
)

// The subquery for each type has the plan of that part of the filter that applies to the type.
func TestPlansOfQueriesOfSeveralTypes(t *testing.T) {
	t.Parallel()
	e := newTestEngine()
	types := []*scim.ResourceType{e.store.Types.ByName("User"), e.store.Types.ByName("Group")}
	for text, want := range map[string]string{
		`userName eq "a"`: `userName "a"`,
		`userName eq "a" or members.value eq "` + aUser + `"`:         `userName "a"; groups of "` + aUser + `"`,
		`userName sw "a" or not (groups pr)`:                          `everyone, tested; everyone`,
		`userName sw "a" and meta.created pr`:                         `userName "a"…, tested`,
		`emails[value eq "a@x"] or members[value eq "` + aUser + `"]`: `emails "a@x", tested; groups of "` + aUser + `", tested`,
		`userName pr and members pr`:                                  `nothing`,
	} {
		subqueries, err := e.newSubqueries(Params{Types: types, Filter: parse(t, text)}, nil)
		var plans []string
		for _, s := range subqueries {
			plans = append(plans, s.plan.String())
		}
		if got := strings.Join(plans, "; "); err != nil || got != want {
			t.Errorf("%s: the plans are %s, want %s; %v", text, got, want, err)
		}
	}
}
