package main

import (
	"context"
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
		if got := address(a); got != want {
			t.Errorf("%s: %s, want %s", listening, got, want)
		}
	}
}
