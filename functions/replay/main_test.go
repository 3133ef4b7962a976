package main

import (
	"os"
	"path/filepath"
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

// The progress is not drawn into a file or a pipe.
func TestIsTerminalRejectsFilesAndPipes(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	defer in.Close()
	if isTerminal(file) || isTerminal(in) {
		t.Error("a file or a pipe is taken for a terminal")
	}
}
