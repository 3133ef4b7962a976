package main

import (
	"context"
	"flag"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/table/bolt"
)

// Each error at the start is one line that names the problem.
func TestStartErrors(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	file := filepath.Join(t.TempDir(), "locked.db")
	locked, err := bolt.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer locked.Close()
	for want, o := range map[string]options{
		"address already in use": {addr: busy.Addr().String(), db: ":memory:"},
		"in use by another":      {addr: "127.0.0.1:0", db: file},
		"no such file":           {addr: "127.0.0.1:0", db: filepath.Join(t.TempDir(), "no", "such", "folder")},
		"cannot reach":           {addr: "127.0.0.1:0", endpoint: "http://127.0.0.1:1", table: "scim"},
		"is not a URL":           {addr: "127.0.0.1:0", endpoint: "somewhere", table: "scim"},
	} {
		err := run(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: got %v, want %q in one line", o, err, want)
		}
	}
}

// Invalid arguments are rejected before a table is opened. With a budget of 0, pages by cursor would always be empty.
func TestInvalidArgumentsAreRejected(t *testing.T) {
	t.Parallel()
	for arguments, want := range map[string]string{
		"-budget 0": "-budget is 0", "-budget -5": "-budget is -5", "-budget x": "invalid value", "fsk": "unexpected argument",
		"-budget 1": "", "": "",
	} {
		f := flag.NewFlagSet("local", flag.ContinueOnError)
		f.SetOutput(io.Discard)
		o, err := parseServeOptions(f, strings.Fields(arguments))
		if want == "" && (err != nil || o.budget < 1) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %+v %v, want %q", arguments, o, err, want)
		}
	}
}

func TestServerEndsWithItsContext(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "scim.db")
	for range 2 { // the second run opens the file of the first
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := run(ctx, options{addr: "127.0.0.1:0", db: file}); err != nil {
			t.Error(err)
		}
	}
}

func TestBaseURLIsReachable(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080/scim/v2", "0.0.0.0:80": "http://localhost:80/scim/v2",
		"[::]:8080": "http://localhost:8080/scim/v2", "[::1]:8080": "http://[::1]:8080/scim/v2",
	} {
		a, err := net.ResolveTCPAddr("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if got := baseURL(a); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}
