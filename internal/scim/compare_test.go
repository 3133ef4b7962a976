package scim

import (
	"testing"
	"unicode"
)

func TestFoldDistinguishesNames(t *testing.T) {
	t.Parallel()
	for _, equal := range [][2]string{{"ADMIN", "admin"}, {"Straße", "STRASSE"}, {"é", "e\u0301"}, {"ﬁ", "fi"}, {"Ａ", "a"}, {"ΣΑΣ", "σας"}, {"Ꭰ", "ꭰ"}} {
		if Fold(equal[0]) != Fold(equal[1]) {
			t.Errorf("%q and %q must be the same name", equal[0], equal[1])
		}
	}
	for _, different := range [][2]string{{"admİn", "admin"}, {"a", "á"}, {"o", "0"}, {"a b", "ab"}} {
		if Fold(different[0]) == Fold(different[1]) {
			t.Errorf("%q and %q must be different names", different[0], different[1])
		}
	}
	for r := range rune(0x20000) {
		if !unicode.In(r, unicode.L, unicode.M) || unicode.In(r, unicode.Han, unicode.Hangul) {
			continue
		}
		for _, s := range []string{string(r), string(r) + "\u0323"} {
			if Fold(Fold(s)) != Fold(s) {
				t.Fatalf("folding %q twice changes it again", s)
			}
		}
	}
}
