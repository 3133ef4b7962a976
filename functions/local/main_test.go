package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
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
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	encrypted := httptest.NewUnstartedServer(http.NotFoundHandler())
	encrypted.Config.ErrorLog = log.New(io.Discard, "", 0)
	encrypted.StartTLS()
	defer encrypted.Close()
	for want, o := range map[string]options{
		"address already in use": {addr: busy.Addr().String(), db: ":memory:"},
		"in use by another":      {addr: "127.0.0.1:0", db: file},
		"no such file":           {addr: "127.0.0.1:0", db: filepath.Join(t.TempDir(), "no", "such", "folder")},
		"cannot reach":           {addr: "127.0.0.1:0", endpoint: "http://127.0.0.1:1", table: "scim"},
		"is not a URL":           {addr: "127.0.0.1:0", endpoint: "somewhere", table: "scim"},
		"does not speak TLS":     {addr: "127.0.0.1:0", endpoint: strings.Replace(plain.URL, "http:", "https:", 1), table: "scim"},
		"x509":                   {addr: "127.0.0.1:0", endpoint: encrypted.URL, table: "scim"},
		"-types nope is neither": {addr: "127.0.0.1:0", db: ":memory:", types: "okta,nope"},
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
		"-rate -5": "-rate is -5", "-base example.com": `-base "example.com" is not a base URL`, "-base https://": "not a base URL",
		"-base https://a.example/x?y": "not a base URL", "-h": "help requested", "-budget 1": "", "": "", "-rate 0": "",
		"-record .": "exists already", "-record new -console=false": "needs the console", "-record new": "",
	} {
		f := flag.NewFlagSet("local", flag.ContinueOnError)
		f.SetOutput(io.Discard)
		o, err := parseServeOptions(f, strings.Fields(arguments))
		if want == "" && (err != nil || o.budget < 1) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %+v %v, want %q", arguments, o, err, want)
		}
	}
}

func TestUsageListsSubcommandsAndCommands(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	f := flag.NewFlagSet("local", flag.ContinueOnError)
	f.SetOutput(&out)
	parseServeOptions(f, []string{"-h"})
	for _, want := range []string{"local admin [flags] COMMAND", "local fsck [flags]", "local console [flags]", "-base URL", "-addr address"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	out.Reset()
	if status := runAdmin(t.Context(), []string{"-h"}, io.Discard, &out); status != 0 || !strings.Contains(out.String(), "rotate-token") {
		t.Errorf("admin -h: status %d\n%s", status, &out)
	}
}

// A public URL has one form, and the path of the service unless it has another.
func TestBaseIsNormalized(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"https://a.example": "https://a.example/scim/v2", "https://a.example/": "https://a.example/scim/v2",
		"https://a.example/scim/v2/": "https://a.example/scim/v2", "http://a.example:81/x": "http://a.example:81/x",
	} {
		o, err := parseServeOptions(flag.NewFlagSet("local", flag.ContinueOnError), []string{"-base", base})
		if err != nil || o.base != want {
			t.Errorf("%s: %s, %v, want %s", base, o.base, err, want)
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
