package dynamo

import (
	"slices"
	"testing"
)

func TestCreateWaitsUntilTheTableCanBeUsed(t *testing.T) {
	t.Parallel()
	refusal := func(code string) answer { return fail(400, code, "") }
	missing, denied := refusal("ResourceNotFoundException"), refusal("AccessDeniedException")
	status := func(s string) answer { return ok(`{"Table":{"TableStatus":"` + s + `"}}`) }
	for name, c := range map[string]struct {
		script []answer
		ok     bool
	}{
		"a new one": {[]answer{missing, ok(`{}`), missing, status("CREATING"), status("ACTIVE"), ok(`{}`)}, true},
		"somebody else's": {
			[]answer{missing, refusal("ResourceInUseException"), status("CREATING"), status("UPDATING"), ok(`{}`)}, true,
		},
		"one that is there":        {[]answer{status("UPDATING"), status("UPDATING")}, true},
		"one that is being made":   {[]answer{status("CREATING"), status("ACTIVE")}, true},
		"no time to live":          {[]answer{missing, ok(`{}`), status("ACTIVE"), refusal("UnknownOperationException")}, true},
		"time to live is on":       {[]answer{missing, ok(`{}`), status("ACTIVE"), refusal("ValidationException")}, true},
		"denied":                   {[]answer{denied, denied}, false},
		"denied to create":         {[]answer{missing, denied}, false},
		"denied to look":           {[]answer{missing, ok(`{}`), denied}, false},
		"denied to set its expiry": {[]answer{missing, ok(`{}`), status("ACTIVE"), denied}, false},
		"never active":             {slices.Repeat([]answer{status("CREATING")}, 5), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, e := scripted(t, c.script...)
			if err := b.Create(t.Context()); (err == nil) != c.ok || len(e.sent()) != len(c.script) {
				t.Errorf("%v after %d calls of %d", err, len(e.sent()), len(c.script))
			}
		})
	}
}
