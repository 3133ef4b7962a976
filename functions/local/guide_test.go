package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"serverless-scim/functions/internal/functiontest"
)

// adminOutput has the members of results that later commands need.
type adminOutput struct {
	ID     string // of a token
	Client string `json:"client_id"`
}

// adminResult runs a command of operators on a file, as the guide says, and returns the result.
func adminResult(t *testing.T, file, command string) (result adminOutput) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := runAdmin(t.Context(), []string{"-db", file, command}, &stdout, &stderr); status != 0 {
		t.Errorf("%s: %s", command, &stderr)
	}
	json.Unmarshal(stdout.Bytes(), &result)
	return result
}

// Each command in functions/README.md succeeds in a tenant with a token and a client. Those of Sweep are tested there.
func TestCommandsOfGuide(t *testing.T) {
	t.Parallel()
	var names []string
	for _, command := range functiontest.OpenGuide(t).Events(t) {
		if strings.Contains(command, `"sweep"`) || strings.Contains(command, `"fsck"`) {
			continue
		}
		file := filepath.Join(t.TempDir(), "scim.db")
		if !strings.Contains(command, "create-tenant") {
			adminResult(t, file, `{"command":"create-tenant","tenant":"acme"}`)
		}
		if strings.Contains(command, `"ID"`) {
			token := adminResult(t, file, `{"command":"create-token","tenant":"acme","label":"okta"}`)
			client := adminResult(t, file, `{"command":"create-client","tenant":"acme","label":"entra"}`)
			command = strings.ReplaceAll(command, `"token":"ID"`, `"token":"`+token.ID+`"`)
			command = strings.ReplaceAll(command, `"client":"ID"`, `"client":"`+client.Client+`"`)
		}
		adminResult(t, file, command)
		names = append(names, regexp.MustCompile(`"command":"([a-z-]+)"`).FindStringSubmatch(command)[1])
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) < 8 {
		t.Errorf("the guide has only the commands %q", names)
	}
}

// usages returns what the programs print with -h: "" is the server, and replay the other program.
func usages(t *testing.T) map[string]string {
	var server, admin, fsck, console bytes.Buffer
	f := flag.NewFlagSet("local", flag.ContinueOnError)
	f.SetOutput(&server)
	parseServeOptions(f, []string{"-h"})
	runAdmin(t.Context(), []string{"-h"}, io.Discard, &admin)
	runFsck(t.Context(), []string{"-h"}, io.Discard, &fsck)
	runConsole(t.Context(), []string{"-h"}, io.Discard, &console)
	replay, _ := exec.Command("go", "run", "../replay", "-h").CombinedOutput()
	return map[string]string{"": server.String(), "admin": admin.String(), "fsck": fsck.String(), "console": console.String(),
		"replay": string(replay)}
}

var (
	goRun  = regexp.MustCompile(`go run \./functions/(local|replay)((?: [^` + "`" + `#&;\n]*)?)`)
	option = regexp.MustCompile(` \[?-([a-z]+)`)
)

// The programs have the options that all guides use.
func TestOptionsInGuidesExist(t *testing.T) {
	t.Parallel()
	known, commands := usages(t), 0
	for _, file := range []string{"README.md", "functions/README.md", "events/README.md", "internal/feed/consumer/README.md"} {
		text, err := os.ReadFile(filepath.Join("../..", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range goRun.FindAllStringSubmatch(string(text), -1) {
			name, arguments := "", m[2]
			commands++
			if words := strings.Fields(arguments); m[1] == "replay" {
				name = "replay"
			} else if len(words) > 0 && known[words[0]] != "" {
				name = words[0]
			}
			for _, o := range option.FindAllStringSubmatch(arguments, -1) {
				if !regexp.MustCompile(`(?m)^ +-`+o[1]+`\b`).MatchString(known[name]) && o[1] != "h" {
					t.Errorf("%s: %s %s has no option -%s", file, m[1], name, o[1])
				}
			}
		}
	}
	if commands < 15 {
		t.Errorf("the guides have only %d commands", commands)
	}
}

// The commands of functions/README.md that work on a file run, with and without the options in brackets. The console
// runs until it is stopped.
func TestFileCommandsOfGuide(t *testing.T) {
	t.Parallel()
	binary, ran := build(t), 0
	for _, command := range functiontest.OpenGuide(t).Commands() {
		arguments, ok := strings.CutPrefix(command, "go run ./functions/local ")
		if !ok || !strings.Contains(arguments, "-db") {
			continue
		}
		ran++
		folder := t.TempDir()
		adminResult(t, filepath.Join(folder, "scim.db"), `{"command":"create-tenant","tenant":"acme"}`)
		for _, arguments := range []string{regexp.MustCompile(`\[[^]]*\]`).ReplaceAllString(arguments, ""),
			strings.NewReplacer("[", "", "]", "", "FILE", "scim.db").Replace(arguments)} {
			shell := exec.Command("bash", "-c", "exec timeout -s INT 1 "+binary+" "+arguments)
			shell.Dir = folder
			out, err := shell.CombinedOutput()
			if status := shell.ProcessState.ExitCode(); status != 0 && !(strings.HasPrefix(arguments, "console") && status == 124) {
				t.Errorf("%s: %v\n%s", arguments, err, out)
			}
		}
	}
	if ran != 3 {
		t.Errorf("%d commands have a file, want 3", ran)
	}
}

// The first request of the guide, to which Okta's is equal, gets what the guide says.
func TestFirstRequestOfGuide(t *testing.T) {
	t.Parallel()
	guide := functiontest.OpenGuide(t)
	commands := slices.DeleteFunc(guide.Commands(), func(c string) bool { return !strings.HasPrefix(c, "curl ") })
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("install curl, which the first request of the guide uses, and set PATH to it")
	}
	p := startProgram(t, "-db", ":memory:", "-console=false")
	for _, command := range commands {
		shell := exec.Command("bash", "--norc")
		shell.Stdin = strings.NewReader(p.variables + "\noutput() { echo $BASE; }\n" +
			strings.Replace(strings.ReplaceAll(command, "'", `"`), "TOKEN", "$TOKEN", 1))
		out, err := shell.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte(" 200 ")) || !bytes.Contains(out, []byte(`"totalResults":0`)) {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
	}
	if len(commands) != 1 {
		t.Errorf("the guide has the requests %q", commands)
	}
}
