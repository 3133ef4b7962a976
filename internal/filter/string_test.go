package filter

import (
	"encoding/json"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var (
	names = rapid.StringMatching(`\$?[A-Za-z][A-Za-z0-9_-]{0,8}`)
	urns  = rapid.StringMatching(`(?i:urn)(:[a-z0-9.+%-]{1,8}){1,3}`)
	attrs = rapid.Custom(func(t *rapid.T) Attr {
		a := Attr{Name: names.Draw(t, "name")}
		if rapid.Bool().Draw(t, "qualified") {
			a.URN = urns.Draw(t, "urn")
		}
		return a
	})
	ops    = rapid.SampledFrom([]Op{EQ, NE, CO, SW, EW, GT, GE, LT, LE})
	values = rapid.OneOf(
		rapid.Map(rapid.String(), func(s string) Value { return strings.ToValidUTF8(s, "") }),
		rapid.SampledFrom([]Value{nil, true, false, "true", "null", "1", "\u2028\u0000\x7f<>&'", "\"\\"}),
		rapid.Map(rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,9})?([eE][+-]?[0-9]{1,3})?`),
			func(s string) Value { return json.Number(s) }),
	)
)

// exprs returns a generator of filters with at most depth levels. In a value path, they contain no value paths.
func exprs(depth int, inValuePath bool) *rapid.Generator[Expr] {
	leaf := rapid.Custom(func(t *rapid.T) Expr {
		a := attrs.Draw(t, "attr")
		if rapid.Bool().Draw(t, "sub") {
			a.Sub = names.Draw(t, "sub")
		}
		if rapid.Bool().Draw(t, "pr") {
			return &Present{a}
		}
		return &Compare{a, ops.Draw(t, "op"), values.Draw(t, "value")}
	})
	if depth == 0 {
		return leaf
	}
	return rapid.Custom(func(t *rapid.T) Expr {
		next := func(s string) Expr { return exprs(depth-1, inValuePath).Draw(t, s) }
		switch kind := rapid.IntRange(0, 4).Draw(t, "kind"); {
		case kind == 0:
			return &And{next("x"), next("y")}
		case kind == 1:
			return &Or{next("x"), next("y")}
		case kind == 2:
			return &Not{next("x")}
		case kind == 3 && !inValuePath:
			return &ValuePath{attrs.Draw(t, "attr"), exprs(depth-1, true).Draw(t, "filter")}
		}
		return leaf.Draw(t, "leaf")
	})
}

func TestStringParsesToAnEqualTree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := exprs(4, false).Draw(t, "filter")
		if text := want.String(); len(text) <= maxTextBytes {
			if got, err := Parse(text, nil); err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%#v prints %q, which parses to %#v, %v", want, text, got, err)
			}
		}
		path := Path{Attr: attrs.Draw(t, "attr")}
		if rapid.Bool().Draw(t, "value path") {
			path.Filter = exprs(3, true).Draw(t, "path filter")
		}
		if rapid.Bool().Draw(t, "sub") {
			path.Attr.Sub = names.Draw(t, "sub")
		}
		if text := path.String(); len(text) <= maxTextBytes {
			if got, err := ParsePath(text, nil); err != nil || !reflect.DeepEqual(got, path) {
				t.Fatalf("%#v prints %q, which parses to %#v, %v", path, text, got, err)
			}
		}
	})
}

func TestStringHasNoNeedlessParentheses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`((a pr) and (b pr)) or ((c pr))`:        `a pr and b pr or c pr`,
		`a pr and (b pr or c pr)`:                `a pr and (b pr or c pr)`,
		`a pr or (b pr or c pr)`:                 `a pr or (b pr or c pr)`,
		`(a pr and b pr) and c pr`:               `a pr and b pr and c pr`,
		`e[a pr].b eq 1 or e[a pr or c pr].d pr`: `e[a pr and b eq 1] or e[(a pr or c pr) and d pr]`,
		`NOT((a pr)) AND e[(x eq bare)]`:         `not (a pr) and e[x eq "bare"]`,
	} {
		if x, err := Parse(text, nil); err != nil || x.String() != want {
			t.Errorf("Parse(%q) prints %v, %v, want %q", text, x, err, want)
		}
	}
}

// The test is not parallel because it measures the allocations of the whole process.
func TestParseAndStringAllocateLinearly(t *testing.T) {
	for name, text := range map[string]func(n int) string{
		"and":    func(n int) string { return "a pr" + strings.Repeat(" and a pr", n/9) },
		"or":     func(n int) string { return "a pr" + strings.Repeat(" or (a pr)", n/10) },
		"string": func(n int) string { return `a eq "` + strings.Repeat(`\"`, n/2) + `"` },
		"urn":    func(n int) string { return "urn:" + strings.Repeat("x:", n/2) + "a pr" },
		"error":  func(n int) string { return strings.Repeat("a pr and ", n/9) },
	} {
		cost := func(n int) uint64 {
			s := text(n)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range 20 {
				if x, err := Parse(s, nil); err == nil {
					_ = x.String()
				}
			}
			runtime.ReadMemStats(&after)
			return after.TotalAlloc - before.TotalAlloc
		}
		if small, large := cost(maxTextBytes/2-100), cost(maxTextBytes-200); large > 3*small {
			t.Errorf("%s: %d bytes allocated for a text twice as long as one with %d", name, large, small)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range filters {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		x, err := Parse(s, nil)
		if err != nil {
			return
		}
		if text := x.String(); len(text) <= maxTextBytes {
			if again, err := Parse(text, nil); err != nil || !reflect.DeepEqual(again, x) {
				t.Errorf("%q prints %q, which parses to %v, %v", s, text, again, err)
			}
		}
	})
}

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{`members`, `name.familyName`, `emails[type eq "work"].value`, `urn:x:2.0:User:a[b pr].$ref`,
		`urn:example:group:1.0`, `members[value eq "a" or not (value eq b)]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePath(s, nil)
		if err != nil {
			return
		}
		if text := p.String(); len(text) <= maxTextBytes {
			if again, err := ParsePath(text, nil); err != nil || !reflect.DeepEqual(again, p) {
				t.Errorf("%q prints %q, which parses to %v, %v", s, text, again, err)
			}
		}
	})
}
