package filter

import (
	"slices"
	"testing"
)

func TestAttrsNamesAttributesFromLeftToRight(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`a eq 1`: {"a"},
		`a.b pr`: {"a.b"},
		`not (a pr) and (b[c eq 1 or d pr] or urn:x:y:e ne "f")`: {"a", "b", "urn:x:y:e"},
	} {
		e, err := Parse(text, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for a := range Attrs(e) {
			got = append(got, a.String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s names %q, want %q", text, got, want)
		}
		for range Attrs(e) {
			break // the iterator must stop
		}
	}
	for a := range Attrs(nil) {
		t.Errorf("a nil filter names %s", a)
	}
}

func TestVisitPanicsForNil(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("Visit(nil) returned")
		}
	}()
	Visit(nil, printer{})
}
