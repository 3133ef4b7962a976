package record

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A part of a text is replaced by a part of its replacement, at the same end. Equal texts have equal replacements, and
// different texts different ones, without regard to case.
func TestPartsAndEquality(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[A-Za-z0-9é]{1,9}[ .@-]?([A-Za-z]{1,9}(\.test)?)?`)
		one, two := text.Draw(t, "one"), text.Draw(t, "two")
		p := newPseudonyms(nil)
		p.learn(one)
		p.learn(two)
		a, b := p.replace(one, everything), p.replace(two, everything)
		if strings.EqualFold(one, two) != strings.EqualFold(a, b) {
			t.Fatalf("%q became %q, and %q became %q", one, a, two, b)
		}
		if again := p.replace(strings.ToUpper(one), everything); !strings.EqualFold(a, again) {
			t.Fatalf("%q became %q, and in upper case %q", one, a, again)
		}
		for begin := range one {
			for end := range one + " " {
				if end <= begin {
					continue
				}
				part := p.replacePart(one, begin, end)
				if part == "" || !strings.Contains(a, part) || begin == 0 && !strings.HasPrefix(a, part) ||
					end == len(one) && !strings.HasSuffix(a, part) {
					t.Fatalf("%q of %q became %q of %q", one[begin:end], one, part, a)
				}
			}
		}
	})
}

// A subdomain remains one, also if it is found first.
func TestSubdomains(t *testing.T) {
	t.Parallel()
	p := newPseudonyms(nil)
	p.learn("ann@eu.corp.test")
	p.learn("ben@corp.test")
	sub, domain := p.replace("ann@eu.corp.test", everything), p.replace("https://corp.test/x", suspicious)
	if domain != "https://example.com/x" || !strings.HasSuffix(sub, ".example.com") {
		t.Errorf("%s and %s", sub, domain)
	}
}
