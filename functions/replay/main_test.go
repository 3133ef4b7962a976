package main

import (
	"strings"
	"testing"
)

// Each error before the first request is one line that names the problem.
func TestStartErrors(t *testing.T) {
	t.Parallel()
	const unreachable = "http://127.0.0.1:1"
	for want, arguments := range map[string][3]string{
		"-url":            {"", "T", "../../events"},
		"-token":          {unreachable, "", "../../events"},
		"no conversation": {unreachable, "T", t.TempDir()},
		"no such file":    {unreachable, "T", "missing"},
	} {
		_, err := run(arguments[0], arguments[1], arguments[2:])
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: got %v, want %q in one line", arguments, err, want)
		}
	}
}
