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

// pipes is a listener for connections within the process, where the clock is ours.
type pipes chan net.Conn

func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }
func (p pipes) Accept() (net.Conn, error) {
	if c := <-p; c != nil {
		return c, nil
	}
	return nil, net.ErrClosed
}

// A client that stops in the midst of a request is left after half a minute, one that has no more after two minutes;
// but what comes within the 90 s for which clients of Go's keep a connection is answered.
func TestClientsThatStopAreLeft(t *testing.T) {
	t.Parallel()
	const whole = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"
	for name, c := range map[string]struct {
		sent  []string // with 90 s before each but the first
		after time.Duration
	}{
		"in the midst of a header": {[]string{whole[:10]}, 10 * time.Second},
		"in the midst of a body":   {[]string{whole[:len(whole)-1]}, 40 * time.Second},
		"between requests":         {[]string{whole, whole, whole}, 2 * time.Minute},
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
				answers := bufio.NewReader(client)
				for i, text := range c.sent {
					if i > 0 {
						if a, err := http.ReadResponse(answers, nil); err != nil || a.StatusCode != 200 {
							t.Fatalf("%v, %v", a, err)
						}
						time.Sleep(90 * time.Second)
					}
					io.WriteString(client, text)
				}
				began := time.Now()
				io.Copy(io.Discard, answers)
				if d := time.Since(began).Truncate(time.Second); d != c.after {
					t.Errorf("it is left after %v, want %v", d, c.after)
				}
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}
