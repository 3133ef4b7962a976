package leniency

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Each rule has a short name in kebab case and a sentence, the names are sorted, and a Set has room for all.
func TestRulesHaveNamesAndSentences(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	var names []string
	for _, r := range All() {
		names = append(names, r.Name())
		if !name.MatchString(r.Name()) || len(r.Name()) > 30 {
			t.Errorf("the name %q is not short and in kebab case", r.Name())
		}
		if s := r.Sentence(); !strings.HasSuffix(s, ".") || len(strings.Fields(s)) > 25 {
			t.Errorf("%s: %q is not a short sentence", r.Name(), s)
		}
	}
	if unique := slices.Compact(slices.Sorted(slices.Values(names))); !slices.Equal(names, unique) || len(names) > 64 {
		t.Errorf("the names are not sorted and unique, or more than 64: %s", names)
	}
}

// A Set holds each rule once, sorted by name. A nil Set records nothing.
func TestSetsHoldRulesOnce(t *testing.T) {
	t.Parallel()
	var none *Set
	none.Add(OpCase)
	var s Set
	if s.Rules() != nil || s.String() != "" {
		t.Errorf("an empty set has the rules %s", &s)
	}
	for _, r := range []Rule{ValuePathCreates, OpCase, ValuePathCreates, BooleanAsString} {
		s.Add(r)
	}
	if s.String() != "boolean-as-string,op-case,value-path-creates" {
		t.Errorf("the set has the rules %s", &s)
	}
	for _, r := range All() {
		s.Add(r)
	}
	if !slices.Equal(s.Rules(), All()) {
		t.Errorf("the set has the rules %s, want all", &s)
	}
}

func TestRequestsWithoutARuleAllocateNothing(t *testing.T) { // not parallel, because AllocsPerRun requires that
	message := map[string]any{"Schemas": []any{"urn:X"}, "operations": nil}
	s := &Set{}
	if n := testing.AllocsPerRun(10, func() {
		RecordMessage(s, message, "urn:x", "schemas", "Operations")
		if s.String() != "" {
			t.Error(s)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
