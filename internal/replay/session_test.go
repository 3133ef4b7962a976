package replay

import "testing"

// An ID is replaced only if it is a whole word.
func TestReplaceIDs(t *testing.T) {
	t.Parallel()
	ids := map[string]string{"1": "12", "12": "a-b"}
	for text, want := range map[string]string{
		"1": "12", "12": "a-b", "/Users/1": "/Users/12", "/1/12/1": "/12/a-b/12", "/Users/1?a=1&b=12#1": "/Users/12?a=12&b=a-b#12",
		`members[value eq "1" or value eq "12"]`: `members[value eq "12" or value eq "a-b"]`,
		"112":                                    "112", "1.12": "1.12", "1 12": "1 12", "x-1": "x-1", "h:1/x": "h:1/x", "1é": "1é", "": "",
	} {
		if got := replaceIDs(text, ids); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
