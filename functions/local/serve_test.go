package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener for connections within the process. Unlike sockets, they work with the fake clock of synctest.
type pipes chan net.Conn

func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }
func (p pipes) Accept() (net.Conn, error) {
	if c := <-p; c != nil {
		return c, nil
	}
	return nil, net.ErrClosed
}

// The server closes a connection whose client stops: after 10 s within a header, after 40 s within a body, and after
// two minutes without a request. A request within the 90 s for which Go's clients keep a connection gets a response.
func TestIdleConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	const whole = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"
	for name, c := range map[string]struct {
		sent  []string // with 90 s before each but the first
		after time.Duration
	}{
		"within a header":  {[]string{whole[:10]}, 10 * time.Second},
		"within a body":    {[]string{whole[:len(whole)-1]}, 40 * time.Second},
		"between requests": {[]string{whole, whole, whole}, 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				listener, ended := make(pipes), make(chan error)
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					ended <- serve(ctx, listener, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.ReadAll(r.Body) }))
				}()
				client, server := net.Pipe()
				listener <- server
				responses := bufio.NewReader(client)
				for i, text := range c.sent {
					if i > 0 {
						if a, err := http.ReadResponse(responses, nil); err != nil || a.StatusCode != 200 {
							t.Fatalf("%v, %v", a, err)
						}
						time.Sleep(90 * time.Second)
					}
					io.WriteString(client, text)
				}
				start := time.Now()
				io.Copy(io.Discard, responses)
				if d := time.Since(start).Truncate(time.Second); d != c.after {
					t.Errorf("the connection was closed after %v, want %v", d, c.after)
				}
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// The server closes the connection of a client that does not read its response, and sends the whole response to a client
// that reads slowly.
func TestClientsThatDoNotReadAreDisconnected(t *testing.T) {
	t.Parallel()
	const size, readBytes = 6 << 20, 4 << 10
	for name, c := range map[string]struct {
		perChunk time.Duration // the time in which the client reads writeChunkBytes
		complete bool
	}{
		"slow": {writeTimeout - time.Second, true}, "too slow": {writeTimeout + time.Second, false}, "stopped": {time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				listener, ended, done := make(pipes), make(chan error), make(chan time.Time, 1)
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					ended <- serve(ctx, listener, withWriteTimeout(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						w.Write(make([]byte, size))
						done <- time.Now()
					})))
				}()
				client, server := net.Pipe()
				listener <- server
				begin := time.Now()
				io.WriteString(client, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
				read, err := 0, error(nil)
				for n := 0; err == nil; read += n {
					time.Sleep(c.perChunk / (writeChunkBytes / readBytes))
					n, err = io.ReadFull(client, make([]byte, readBytes))
				}
				if complete := read >= size; complete != c.complete {
					t.Errorf("read %d bytes, want all: %v", read, c.complete)
				}
				if took := (<-done).Sub(begin); !c.complete && took > 2*writeTimeout {
					t.Errorf("the response was kept for %v", took)
				}
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Package net/http passes OPTIONS * to the handler, and rejects only what is not valid HTTP.
func TestOnlyInvalidHTTPIsRejectedWithoutSCIM(t *testing.T) {
	t.Parallel()
	h, secret := newProvider(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- serve(ctx, listener, h) }()
	for request, want := range map[string]struct {
		status int
		scim   bool
	}{
		"OPTIONS * HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + secret + "\r\n\r\n": {404, true},
		"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n":                                         {401, true},
		"GET /Users/a%zz HTTP/1.1\r\nHost: h\r\n\r\n":                                   {400, false},
		"GET /Users HTTP/1.1\r\n\r\n":                                                   {400, false},
		"GET /Users HTTP/1.1\r\nHost: h\r\nExpect: more\r\n\r\n":                        {417, false},
		"GET /Users HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: x\r\n\r\n":                {501, false},
		"GET /Users HTTP/3.0\r\nHost: h\r\n\r\n":                                        {505, false},
		"GET /Users HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 2<<20):            {431, false},
	} {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		go io.WriteString(conn, request)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%.80q: %v", request, err)
		}
		isSCIM := response.Header.Get("Content-Type") == "application/scim+json"
		if conn.Close(); response.StatusCode != want.status || isSCIM != want.scim {
			t.Errorf("%.80q: %d, SCIM: %v; want %+v", request, response.StatusCode, isSCIM, want)
		}
	}
	if cancel(); <-ended != nil {
		t.Error("the server did not end")
	}
}

// After the signal to end, serve returns without an error within 30 s, after which supervisors kill: even if a request does
// not end before its context is canceled, or does not end at all, or if a client does not read its response.
func TestServeEndsInTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handle func(http.ResponseWriter, *http.Request)
		after  time.Duration
		status int // 0: no response
	}{
		"a request that ends at its timeout":   {func(http.ResponseWriter, *http.Request) { time.Sleep(25 * time.Second) }, 25 * time.Second, 200},
		"a request that ends with its context": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 26 * time.Second, 200},
		"a request that does not end":          {func(http.ResponseWriter, *http.Request) { time.Sleep(time.Minute) }, 28 * time.Second, 0},
		"a client that does not read":          {func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1<<20)) }, 28 * time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				listener, ended := make(pipes), make(chan error)
				ctx, cancel := context.WithCancel(t.Context())
				go func() { ended <- serve(ctx, listener, http.HandlerFunc(c.handle)) }()
				client, server := net.Pipe()
				defer client.Close()
				listener <- server
				io.WriteString(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
				status := make(chan int, 1)
				if name != "a client that does not read" {
					go func() {
						response, err := http.ReadResponse(bufio.NewReader(client), nil)
						if err != nil {
							response = &http.Response{}
						}
						status <- response.StatusCode
					}()
				} else {
					status <- 0
				}
				synctest.Wait()
				begin := time.Now()
				cancel()
				err := <-ended
				// Shutdown polls at intervals of at most half a second.
				if d := time.Since(begin); err != nil || d < c.after || d > c.after+time.Second {
					t.Errorf("serve returned %v after %v, want nil after %v", err, d, c.after)
				}
				if got := <-status; got != c.status {
					t.Errorf("the response is %d, want %d", got, c.status)
				}
				client.Close()
				time.Sleep(time.Minute) // the request that does not end
			})
		})
	}
}
