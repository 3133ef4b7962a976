package main

import (
	"bufio"
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// program is a running server process.
type program struct {
	cmd       *exec.Cmd
	announced []string     // the lines before variables
	variables string       // the line that sets BASE and TOKEN
	stderr    bytes.Buffer // read it only after the process has ended
}

// startProgram builds the program, starts it on a free port, and waits until it has printed how to connect.
func startProgram(t *testing.T, arguments ...string) *program {
	t.Helper()
	p := &program{cmd: exec.Command(build(t), append([]string{"-addr", "127.0.0.1:0"}, arguments...)...)}
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill(); p.cmd.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "BASE=") {
			p.variables = lines.Text()
			return p
		}
		p.announced = append(p.announced, lines.Text())
	}
	p.cmd.Wait()
	t.Fatalf("the server does not start: %s", &p.stderr)
	return nil
}

// With -base, responses and the printed base URL contain the public address. Ctrl-C is answered with a line, and the
// process ends with status 0.
func TestPublicBaseURLAndInterrupt(t *testing.T) {
	t.Parallel()
	p := startProgram(t, "-db", ":memory:", "-base", "https://name.example/", "-token", "it's mine")
	if want := `BASE='https://name.example/scim/v2' TOKEN='it'\''s mine'`; p.variables != want {
		t.Errorf("printed %s, want %s", p.variables, want)
	}
	if want := "SCIM base URL: https://name.example/scim/v2"; p.announced[0] != want {
		t.Errorf("printed %q, want %s", p.announced, want)
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil || !strings.Contains(p.stderr.String(), "local: shutting down") {
		t.Errorf("after Ctrl-C: %v\n%s", err, &p.stderr)
	}
}

// A port in use is reported before a file is created.
func TestBusyPortCreatesNoFile(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	file := filepath.Join(t.TempDir(), "scim.db")
	err = run(t.Context(), options{addr: busy.Addr().String(), db: file})
	if err == nil || !strings.Contains(err.Error(), "address already in use; choose another address with -addr") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the file was created")
	}
}
