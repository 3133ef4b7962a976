package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Parts of a response that differ in each run.
var (
	ids   = regexp.MustCompile(`\b[ug][0-9a-v]{26}\b`)
	times = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`)
)

// The commands in the README can be pasted into a shell, together with the line that the server prints, any number of
// times. They print the lines in the README. With -update the test writes these lines.
func TestREADME(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"bash", "curl", "sed"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("install %s, which the commands in README.md use", program)
		}
	}
	const file = "../../README.md"
	readme, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(string(readme), "```sh\n")
	script, after, _ := strings.Cut(script, "```\n")
	_, rest, _ := strings.Cut(after, "```console\n")
	want, _, ok := strings.Cut(rest, "```\n")
	if !ok {
		t.Fatal("the README has no commands, or not their output")
	}
	p := startProgram(t, "-db", filepath.Join(t.TempDir(), "scim.db"))
	base, _, _ := strings.Cut(strings.TrimPrefix(p.variables, "BASE='"), "'")
	for range 2 {
		shell := exec.CommandContext(t.Context(), "bash", "--norc")
		shell.Stdin = strings.NewReader(p.variables + "\n" + script) // as typed, so that no command may read its input
		out, err := shell.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		got := strings.ReplaceAll(string(out), base, "http://127.0.0.1:8080/scim/v2")
		if *update {
			text := strings.Replace(string(readme), "```console\n"+want+"```\n", "```console\n"+got+"```\n", 1)
			os.WriteFile(file, []byte(text), 0o644)
			return
		}
		if stable(got) != stable(want) {
			t.Errorf("the commands print\n%s\nthe README shows\n%s", got, want)
		}
	}
}

// stable replaces the IDs and times of responses. IDs get the number of their first occurrence.
func stable(responses string) string {
	numbers := map[string]string{}
	responses = ids.ReplaceAllStringFunc(responses, func(id string) string {
		if numbers[id] == "" {
			numbers[id] = id[:1] + "-" + string(rune('0'+len(numbers)))
		}
		return numbers[id]
	})
	return times.ReplaceAllString(responses, "TIME")
}
