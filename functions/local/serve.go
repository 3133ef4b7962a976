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

// tenant is the tenant of the token that this program issues.
const tenant = "default"

// run serves until ctx ends or the database file turns out to be corrupt.
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
	c.Store.Table = t
	return runUntilCorrupt(ctx, t, func(ctx context.Context) error { return o.serveAndSweep(ctx, c) })
}

// serveAndSweep serves requests and sweeps the table until ctx ends.
func (o options) serveAndSweep(ctx context.Context, c directory.Config) error {
	listener, err := net.Listen("tcp", o.addr)
	if err != nil {
		return err
	}
	tokens := &token.Store{Table: c.Store.Table, Now: c.Store.Now}
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
		Limiter:   &token.Limiter{Table: c.Store.Table, Now: c.Store.Now, Log: c.Store.Log},
		RateLimit: rate,
		RequestID: func(*http.Request) string { return rand.Text() },
		BaseURL:   base,
		Timeout:   25 * time.Second,
		Log:       c.Store.Log,
	})
}

func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	// ReadTimeout covers header and body. It also ends the request's context, so it must exceed the 25 s of a request.
	s.ReadTimeout = 40 * time.Second
	// Go's clients reuse a connection for 90 s. A server that closed it earlier could lose a request.
	s.IdleTimeout = 2 * time.Minute
	shutdown := make(chan error, 1)
	go func() {
		<-ctx.Done()
		shutdownCtx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		shutdown <- s.Shutdown(shutdownCtx)
	}()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-shutdown
}

// baseURL returns the URL that clients use. If the server listens on all interfaces, the host is localhost.
func baseURL(a net.Addr) string {
	host, port, _ := net.SplitHostPort(a.String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port) + "/scim/v2"
}

// issueToken makes the token flagToken valid and returns it. If flagToken is "", it returns a new token, which replaces
// the one of the previous run.
func issueToken(ctx context.Context, tokens *token.Store, flagToken string) (string, error) {
	if flagToken != "" {
		return flagToken, tokens.ReplaceToken(ctx, tenant, "given", flagToken)
	}
	secret := token.New(tenant)
	return secret, tokens.ReplaceToken(ctx, tenant, "automatic", secret)
}

func printConnection(base, secret string) {
	fmt.Printf("SCIM base URL: %s\nBearer token:  %s\n\ncurl -H 'Authorization: Bearer %s' '%s/Users?count=2'\n\n",
		base, secret, secret, base)
}
