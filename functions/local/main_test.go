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

// What is wrong at the start is told in one line that names it.
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
		"is no address":          {addr: "127.0.0.1:0", endpoint: "somewhere", table: "scim"},
	} {
		err := run(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: got %v, want %q in one line", o, err, want)
		}
	}
}

// What makes no sense is refused before anything is opened: without a budget, pages by cursor would be empty for ever.
func TestArgumentsThatAreRefused(t *testing.T) {
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

func TestItEndsWithItsContext(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "scim.db")
	for range 2 { // the second finds the file as the first left it
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := run(ctx, options{addr: "127.0.0.1:0", db: file}); err != nil {
			t.Error(err)
		}
	}
}

func TestAddressIsOneThatClientsReach(t *testing.T) {
	t.Parallel()
	for listening, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080/scim/v2", "0.0.0.0:80": "http://localhost:80/scim/v2",
		"[::]:8080": "http://localhost:8080/scim/v2", "[::1]:8080": "http://[::1]:8080/scim/v2",
	} {
		a, err := net.ResolveTCPAddr("tcp", listening)
		if err != nil {
			t.Fatal(err)
		}
		if got := baseURL(a); got != want {
			t.Errorf("%s: %s, want %s", listening, got, want)
		}
	}
}
