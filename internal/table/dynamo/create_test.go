package dynamo

import (
	"slices"
	"testing"
)

func TestCreateWaitsUntilTableCanBeUsed(t *testing.T) {
	t.Parallel()
	failure := func(code string) response { return fail(400, code, "") }
	missing, denied := failure("ResourceNotFoundException"), failure("AccessDeniedException")
	status := func(s string) response { return ok(`{"Table":{"TableStatus":"` + s + `"}}`) }
	for name, c := range map[string]struct {
		script []response
		ok     bool
	}{
		"new table": {[]response{missing, ok(`{}`), missing, status("CREATING"), status("ACTIVE"), ok(`{}`)}, true},
		"created by another process": {
			[]response{missing, failure("ResourceInUseException"), status("CREATING"), status("UPDATING"), ok(`{}`)}, true,
		},
		"existing table":              {[]response{status("UPDATING"), status("UPDATING")}, true},
		"table that is being created": {[]response{status("CREATING"), status("ACTIVE")}, true},
		"time to live not supported": {
			[]response{missing, ok(`{}`), status("ACTIVE"), failure("UnknownOperationException")}, true,
		},
		"time to live enabled already": {
			[]response{missing, ok(`{}`), status("ACTIVE"), failure("ValidationException")}, true,
		},
		"denied to describe":         {[]response{denied, denied}, false},
		"denied to create":           {[]response{missing, denied}, false},
		"denied to describe again":   {[]response{missing, ok(`{}`), denied}, false},
		"denied to set time to live": {[]response{missing, ok(`{}`), status("ACTIVE"), denied}, false},
		"never active":               {slices.Repeat([]response{status("CREATING")}, 5), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, e := scripted(t, c.script...)
			if err := b.Create(t.Context()); (err == nil) != c.ok || len(e.sent()) != len(c.script) {
				t.Errorf("%v after %d calls, want %d", err, len(e.sent()), len(c.script))
			}
		})
	}
}
