package main

import (
	"strings"
	"testing"
)

// What is wrong at the start is told in one line that names it, before anything is sent.
func TestStartErrors(t *testing.T) {
	t.Parallel()
	const nowhere = "http://127.0.0.1:1"
	for want, given := range map[string][3]string{
		"-url":            {"", "T", "../../events"},
		"-token":          {nowhere, "", "../../events"},
		"no conversation": {nowhere, "T", t.TempDir()},
		"no such file":    {nowhere, "T", "missing"},
	} {
		_, err := run(given[0], given[1], given[2:])
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: got %v, want %q in one line", given, err, want)
		}
	}
}
