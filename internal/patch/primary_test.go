package patch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/scim"
)

// RFC 7644 §3.5.2.3: an operation with a filter changes only the values that match. In particular, it does not take
// primary from another value. RFC 7643 §2.4: a primary that is absent is assumed to be false.
func TestFiltersOnPrimaryChangeOnlyMatchingValues(t *testing.T) {
	t.Parallel()
	states := []any{true, false, nil} // of primary; nil is absent
	for comparison, matches := range map[string][]any{
		`eq true`: {true}, `eq "True"`: {true}, `ne false`: {true}, `ne "false"`: {true},
		`eq false`: {false, nil}, `eq "False"`: {false, nil}, `ne true`: {false, nil}, `ne "TRUE"`: {false, nil},
		`pr`: {true, false}, `ne null`: {true, false}, `eq null`: {nil},
	} {
		for _, first := range states {
			for _, second := range states {
				if first == true && second == true {
					continue // not a valid user
				}
				for op, value := range map[string]string{
					"replace": `{"value": "new@x", "type": "home"}`, "add": `{"display": "D"}`,
					"replace display": `"D"`, "remove": "null", "remove display": "null",
				} {
					checkPrimaryFilter(t, comparison, matches, op, value, []any{first, second})
				}
			}
		}
	}
}

// checkPrimaryFilter applies an operation to two values with these primaries. The filter matches values whose primary is
// in matches.
func checkPrimaryFilter(t *testing.T, comparison string, matches []any, operation, value string, primaries []any) {
	t.Helper()
	before := scim.Object{"userName": "u", "emails": []any{}}
	var want []any
	anyMatches := false
	for i, primary := range primaries {
		e := scim.Object{"value": fmt.Sprint(i, "@x"), "display": "old"}
		if primary != nil {
			e["primary"] = primary
		}
		before["emails"] = append(before["emails"].([]any), e)
		if slices.Contains(matches, primary) {
			anyMatches = true
			e = changedEmail(operation, e.Clone(), slices.Equal(matches, []any{true}))
		}
		if e != nil && !slices.ContainsFunc(want, func(v any) bool { return scim.Equal(v, e) }) { // equal values are merged
			want = append(want, e)
		}
	}
	op, sub, hasSub := strings.Cut(operation, " ")
	path := "emails[primary " + comparison + "]"
	if hasSub {
		path += "." + sub
	}
	mustFail := false
	if !anyMatches && op != "remove" { // Entra ID expects that eq true creates a value
		mustFail = comparison != `eq true` && comparison != `eq "True"`
		want = append(want, changedEmail(operation, scim.Object{"primary": true}, true))
	}
	ops := decodeOperations(t, fmt.Sprintf(`[{"op": %q, "path": %q, "value": %s}]`, op, path, value))
	got, err := Apply(context.Background(), types.ByName("User"), before, ops)
	if e := (*scim.Error)(nil); mustFail {
		if !errors.As(err, &e) || e.Type != scim.NoTarget {
			t.Errorf("%s of %s with primaries %v: %s, %v; want noTarget", op, path, primaries, text(got), err)
		}
		return
	}
	if list, _ := got["emails"].([]any); err != nil || !scim.Equal(list, want) {
		t.Errorf("%s of %s with primaries %v: %s, %v\nwant %s", op, path, primaries, text(list), err, text(want))
	}
}

// changedEmail returns the result of an operation on a matching value, or nil if the operation removes it. needsPrimary is
// true if only primary values match.
func changedEmail(operation string, e scim.Object, needsPrimary bool) scim.Object {
	switch operation {
	case "replace":
		if e = (scim.Object{"value": "new@x", "type": "home"}); needsPrimary {
			e["primary"] = true
		}
	case "add", "replace display":
		e["display"] = "D"
	case "remove display":
		delete(e, "display")
	case "remove":
		return nil
	}
	return e
}
