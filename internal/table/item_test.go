package table

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestEscapedKeyPartsAreDistinctAndContainNoNumberSign(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"": "", "a": "a", "%": "%25", "#": "%23", "%23": "%2523", "a#%b": "a%23%25b",
	} {
		if got := EscapeKeyPart(s); got != want {
			t.Errorf("%q is escaped as %q, want %q", s, got, want)
		}
	}
	part := rapid.StringOf(rapid.RuneFrom([]rune("#%235é")))
	rapid.Check(t, func(t *rapid.T) {
		a, b := part.Draw(t, "a"), part.Draw(t, "b")
		if (EscapeKeyPart(a) == EscapeKeyPart(b)) != (a == b) || strings.Contains(EscapeKeyPart(a), "#") {
			t.Fatalf("%q and %q are escaped as %q and %q", a, b, EscapeKeyPart(a), EscapeKeyPart(b))
		}
	})
}
