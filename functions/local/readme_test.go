package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
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

// The program in the README keeps a copy of the directory, also after it was killed.
func TestProgramOfREADME(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("install python3, which the program in README.md needs, and set PATH to it")
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(readme), "```python\n")
	code, _, ok := strings.Cut(code, "```\n")
	if !ok {
		t.Fatal("the README has no program")
	}
	p := startProgram(t, "-db", filepath.Join(t.TempDir(), "scim.db"))
	folder := t.TempDir()
	inFolder := func(code string) string {
		cmd := exec.CommandContext(t.Context(), python, "-c", `import sqlite3; db = sqlite3.connect("copy.db"); `+code)
		cmd.Dir = folder
		out, _ := cmd.CombinedOutput() // the tables may not exist yet
		return strings.TrimSpace(string(out))
	}
	copied := func() string {
		return inFolder(`print(*(r for (r,) in db.execute("SELECT json_extract(resource, '$.userName') FROM copy ORDER BY 1")))`)
	}
	var ada struct{ ID string }
	json.Unmarshal([]byte(p.send(t, "POST", "/Users", `{"userName":"ada"}`)), &ada)
	for _, step := range []struct{ method, path, body, want string }{
		{"GET", "/Users", "", "ada"}, {"POST", "/Users", `{"userName":"grace"}`, "ada grace"}, {"DELETE", "/Users/" + ada.ID, "", "grace"},
		{"POST", "/Users", `{"userName":"linus"}`, "grace linus"},
	} {
		p.send(t, step.method, step.path, step.body)
		if strings.Contains(step.body, "linus") { // a cursor that is no longer valid, and a resource that no longer exists
			inFolder(`db.executescript("UPDATE position SET cursor = 'x'; INSERT INTO copy VALUES ('1', '{}')")`)
		}
		program := exec.CommandContext(t.Context(), "bash", "--norc", "-c", p.variables+"; export BASE TOKEN; exec "+python+` -c "$0"`, code)
		program.Dir = folder
		if err := program.Start(); err != nil {
			t.Fatal(err)
		}
		for copied() != step.want && t.Context().Err() == nil {
			time.Sleep(50 * time.Millisecond)
		}
		program.Process.Kill()
		program.Wait()
	}
}
