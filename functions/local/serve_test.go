package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
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
