package scim

import (
	"encoding/json"
	"math/big"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold returns the case-folded form of s. Two strings are equal without regard to case, and two names are duplicates,
// if their folded forms are equal. Fold applies NFKC, then full case folding, then NFKC again, because folding can undo
// NFKC. It is not lower-casing: İ and i stay different.
func Fold(s string) string {
	if isASCII(s) {
		return lowerASCII(s)
	}
	folded := cases.Fold().String(norm.NFKC.String(s))
	return norm.NFKC.String(strings.Map(foldCherokee, folded))
}

// foldCherokee corrects cases.Fold, which swaps the capital and the small letters of Cherokee. The folded form of a
// Cherokee letter is the capital.
func foldCherokee(r rune) rune {
	if unicode.Is(unicode.Cherokee, r) {
		return unicode.ToUpper(r)
	}
	return r
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// Compare orders two canonical values of the attribute: negative, zero or positive. It folds strings unless the attribute
// is caseExact. It compares dateTimes as points in time and numbers exactly. ok is false if the values cannot be compared.
func (a *Attribute) Compare(x, y any) (order int, ok bool) {
	switch x := x.(type) {
	case string:
		y, ok := y.(string)
		if !ok {
			return 0, false
		}
		if a.Type == "dateTime" {
			return compareDateTimes(x, y)
		}
		return strings.Compare(a.Fold(x), a.Fold(y)), true
	case bool:
		y, ok := y.(bool)
		switch {
		case x == y:
			return 0, ok
		case y:
			return -1, ok
		}
		return 1, ok
	case json.Number:
		y, ok := y.(json.Number)
		if !ok {
			return 0, false
		}
		m, ok1 := new(big.Rat).SetString(string(x))
		n, ok2 := new(big.Rat).SetString(string(y))
		if !ok1 || !ok2 {
			return 0, false
		}
		return m.Cmp(n), true
	}
	return 0, false
}

// Fold returns s in the form that strings of the attribute are compared in: unchanged if the attribute is caseExact,
// and folded otherwise.
func (a *Attribute) Fold(s string) string {
	if a.CaseExact {
		return s
	}
	return Fold(s)
}

func compareDateTimes(x, y string) (int, bool) {
	s, ok := parseDateTime(x)
	t, ok2 := parseDateTime(y)
	return s.Compare(t), ok && ok2
}

// parseDateTime parses an xsd:dateTime (RFC 7643 §2.3.5). A dateTime without a time zone is in UTC.
func parseDateTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
