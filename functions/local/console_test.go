package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"serverless-scim/internal/console"
	"serverless-scim/internal/console/capture"
)

// An open page that listens for new requests does not delay the end of the server.
func TestLivePageEndsWithServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		pages := withPages(ctx, console.New(console.Config{Now: time.Now, Key: "key", Hosts: []string{"localhost"}, Traffic: capture.New(time.Now, basePath)}), nil)
		r := httptest.NewRequest(http.MethodGet, console.Root+"traffic/live", nil)
		r.Host = "localhost"
		r.AddCookie(&http.Cookie{Name: "console", Value: "key"})
		ended := false
		request, abort := context.WithCancel(r.Context())
		defer abort()
		go func() { pages.ServeHTTP(httptest.NewRecorder(), r.WithContext(request)); ended = true }()
		synctest.Wait()
		if ended {
			t.Error("the page does not listen")
		}
		cancel()
		synctest.Wait()
		if !ended {
			t.Error("the page delays the end of the server")
		}
	})
}

// The console accepts only the addresses of this machine, so that a page of another site cannot reach it.
func TestConsoleHosts(t *testing.T) {
	t.Parallel()
	con := newConsole(newConfig(t, nil, io.Discard), &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080})
	for host, want := range map[string]int{"127.0.0.1:8080": 200, "localhost:8080": 200, "[::1]:8080": 200,
		"127.0.0.1:8081": 403, "name.ngrok-free.app": 403, "localhost": 403} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, console.Root+"?key="+con.Key, nil)
		r.Host = host
		if con.Pages().ServeHTTP(w, r); w.Code != want {
			t.Errorf("%s: %d, want %d", host, w.Code, want)
		}
	}
}

// With -record, the requests of a run are saved when it ends, and play on another server without a difference.
func TestRecordSavesAtTheEnd(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "recording")
	p := startProgram(t, "-db", ":memory:", "-record", folder)
	p.send(t, "POST", "/Users", `{"userName":"leia@alderaan.example.org"}`)
	p.send(t, "GET", "/Users?filter=userName+eq+%22leia@alderaan.example.org%22", "")
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil || !strings.Contains(p.stderr.String(), "saved 2 requests") {
		t.Errorf("after Ctrl-C: %v\n%s", err, &p.stderr)
	}
	other := startProgram(t, "-db", ":memory:", "-token", "browser")
	if differing := other.play(t, folder); differing != 0 {
		t.Errorf("%d responses differ", differing)
	}
}
