package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/server"
	"serverless-scim/internal/token"
)

// tenant is the one that this program serves.
const tenant = "default"

// run serves until the context ends, or the file of the table turns out to be damaged.
func run(ctx context.Context, o options) error {
	c, err := o.directoryConfig()
	if err != nil {
		return err
	}
	t, closeTable, err := openOrCreate(ctx, o)
	if err != nil {
		return err
	}
	defer closeTable()
	c.Table = t
	return runUntilCorrupt(ctx, t, func(ctx context.Context) error { return o.serveAndSweep(ctx, c) })
}

// serveAndSweep serves until the context ends, and sweeps meanwhile.
func (o options) serveAndSweep(ctx context.Context, c directory.Config) error {
	listener, err := net.Listen("tcp", o.addr)
	if err != nil {
		return err
	}
	tokens := &token.Store{Table: c.Table, Now: c.Now}
	secret, err := issueToken(ctx, tokens, o.token)
	if err != nil {
		return err
	}
	base := baseURL(listener.Addr())
	h, err := withCompression(newHandler(c, tokens, base, o.rate))
	if err != nil {
		return err
	}
	printConnection(base, secret)
	var sweeping sync.WaitGroup
	defer sweeping.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sweeping.Go(func() { sweepLoop(ctx, c) })
	return serve(ctx, listener, h)
}

func newHandler(c directory.Config, tokens *token.Store, base string, rate int) http.Handler {
	return server.New(server.Config{
		Directory: c,
		Tokens:    tokens,
		Limiter:   &token.Limiter{Table: c.Table, Now: c.Now, Log: c.Log},
		RateLimit: rate,
		RequestID: func(*http.Request) string { return rand.Text() },
		BaseURL:   base,
		Timeout:   25 * time.Second,
		Log:       c.Log,
	})
}

func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	s.ReadTimeout = 40 * time.Second // with header and body; a request's context ends by then, too, so its own 25 s come first
	s.IdleTimeout = 2 * time.Minute  // Go's clients keep a connection for 90 s: were it closed by then, requests would be lost
	closed := make(chan error, 1)
	go func() {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		closed <- s.Shutdown(end)
	}()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-closed
}

// baseURL is what clients use; who listens on every interface is reached as localhost, too.
func baseURL(a net.Addr) string {
	host, port, _ := net.SplitHostPort(a.String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port) + "/scim/v2"
}

// issueToken makes a token valid: the one that is given, or a new one in place of the last that was made here.
func issueToken(ctx context.Context, tokens *token.Store, given string) (string, error) {
	if given != "" {
		return given, tokens.ReplaceToken(ctx, tenant, "given", given)
	}
	secret := token.New(tenant)
	return secret, tokens.ReplaceToken(ctx, tenant, "automatic", secret)
}

func printConnection(base, secret string) {
	fmt.Printf("SCIM base URL: %s\nBearer token:  %s\n\ncurl -H 'Authorization: Bearer %s' '%s/Users?count=2'\n\n",
		base, secret, secret, base)
}
