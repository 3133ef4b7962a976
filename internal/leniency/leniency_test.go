package leniency

import (
	"errors"
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

// A rule is recorded, or refused if the profile interop refuses it. The error for the log does not have the client's text.
func TestProfileInteropRefusesSomeRules(t *testing.T) {
	t.Parallel()
	var lenient, interop Set
	interop.UseInterop()
	for _, r := range All() {
		if err := lenient.Apply(r, "x"); err != nil {
			t.Errorf("the profile lenient refuses %s: %v", r.Name(), err)
		}
		err := interop.Apply(r, "secret")
		var refused *RefusedError
		if errors.As(err, &refused) && (refused.Rule != r || !strings.Contains(refused.Detail, `"secret"`) ||
			!strings.HasSuffix(refused.Detail, InteropReason) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: %v: %s", r.Name(), err, refused.Detail)
		}
		if recorded := slices.Contains(interop.Rules(), r); recorded != (err == nil) {
			t.Errorf("%s is recorded: %v, and refused: %v", r.Name(), recorded, err)
		}
	}
	if !slices.Equal(lenient.Rules(), All()) || len(interop.Rules()) != len(All())-5 {
		t.Errorf("the rules are %s and %s", &lenient, &interop)
	}
	if err := (*Set)(nil).Apply(UnknownAttribute, "x"); err != nil {
		t.Errorf("a nil set refuses a rule: %v", err)
	}
}

func TestRequestsWithoutARuleAllocateNothing(t *testing.T) { // not parallel, because AllocsPerRun requires that
	message := map[string]any{"Schemas": []any{"urn:X"}, "operations": nil}
	s := &Set{}
	if n := testing.AllocsPerRun(10, func() {
		if err := RecordMessage(s, message, "urn:x", "schemas", "Operations"); err != nil || s.String() != "" {
			t.Error(s, err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
