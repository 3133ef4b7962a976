package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"serverless-scim/internal/console"
	"serverless-scim/internal/console/capture"
	"serverless-scim/internal/directory"
	"serverless-scim/internal/oauth"
	"serverless-scim/internal/server"
	"serverless-scim/internal/table"
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
	listener, err := listen(o.addr) // first, because the next step may create a file
	if err != nil {
		return err
	}
	defer listener.Close()
	t, closeTable, err := openOrCreate(ctx, o)
	if err != nil {
		return err
	}
	defer closeTable()
	c.Store.Table = t
	return runUntilCorrupt(ctx, t, func(ctx context.Context) error { return o.serveAndWork(ctx, c, o.stream(t), listener) })
}

func listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w; choose another address with -addr, such as -addr 127.0.0.1:8081", err)
	}
	return listener, nil
}

// serveAndWork serves requests, sweeps the table, and publishes the changes of the stream until ctx ends.
func (o options) serveAndWork(ctx context.Context, c directory.Config, stream table.Stream, listener net.Listener) error {
	tokens := &token.Store{Table: c.Store.Table, Now: c.Store.Now}
	secret, err := issueToken(ctx, tokens, o.token)
	if err != nil {
		return err
	}
	base := cmp.Or(o.base, baseURL(listener.Addr()))
	h, con, err := o.newServer(ctx, c, tokens, base, listener.Addr())
	if err != nil {
		return err
	}
	publisher, closeEvents, err := o.newPublisher(c, tokens, base)
	if err != nil {
		return err
	}
	defer closeEvents()
	printConnection(base, secret, consoleURL(con, listener.Addr()))
	if o.base != "" {
		fmt.Printf("Listening at %s\n\n", baseURL(listener.Addr()))
	}
	var working sync.WaitGroup
	defer working.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	working.Go(func() { sweepLoop(ctx, c) })
	working.Go(func() { feedLoop(ctx, stream, publisher) })
	return errors.Join(serve(ctx, listener, withWriteTimeout(h)), o.saveRecording(con))
}

// newServer returns the handler of the SCIM API and of the console. The console ends with ctx. It is nil if it is off.
func (o options) newServer(ctx context.Context, c directory.Config, tokens *token.Store, base string, a net.Addr) (h http.Handler, con *console.Console, err error) {
	if !o.console {
		h, err = withCompression(newHandler(c, tokens, base, o.rate))
		return h, nil, err
	}
	con = newConsole(c, a)
	con.Traffic = capture.New(c.Store.Now, basePath)
	con.SCIM, con.Tenants, con.Token = newHandler(observed(c), tokens, base, o.rate), tenantNames(tokens), consoleToken(tokens, token.ScopeAll)
	if o.record != "" {
		con.Record()
	}
	if h, err = withCompression(con.Traffic.Handler(con.SCIM)); err != nil {
		return nil, nil, err
	}
	return withPages(ctx, con, h), con, nil
}

func newHandler(c directory.Config, tokens *token.Store, base string, rate int) http.Handler {
	limiter := &token.Limiter{Table: c.Store.Table, Now: c.Store.Now, Log: c.Store.Log}
	return server.New(server.Config{
		Directory: c,
		Tokens:    tokens,
		Limiter:   limiter,
		OAuth:     oauth.New(tokens, limiter, oauth.NewClient(oauth.ClientOptions{})),
		RateLimit: rate,
		RequestID: func(*http.Request) string { return rand.Text() },
		BaseURL:   base,
		Timeout:   25 * time.Second,
		Log:       c.Store.Log,
	})
}

// When the program must end, a request has gracePeriod to finish, which is longer than the Timeout of the server. Its
// context is then canceled. After shutdownTimeout, the remaining connections are closed: supervisors kill after 30 s.
const (
	gracePeriod     = 26 * time.Second
	shutdownTimeout = 28 * time.Second
)

// serve serves HTTP until ctx ends. It then returns within shutdownTimeout, whatever requests and clients do. The handler
// gets every request that package net/http can parse, also OPTIONS *. Package net/http itself rejects the others, without a
// SCIM body: 400 for a malformed request line, path, or header, or a wrong Host header, 417 for an unknown Expect header,
// 431 for a header above 1 MB, 501 for an unknown Transfer-Encoding, and 505 for a version other than HTTP/1.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	requests, cancelRequests := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelRequests()
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, DisableGeneralOptionsHandler: true}
	s.BaseContext = func(net.Listener) context.Context { return requests }
	// ReadTimeout covers header and body. It also ends the request's context, so it must exceed the 25 s of a request.
	s.ReadTimeout = 40 * time.Second
	// Go's clients reuse a connection for 90 s. A server that closed it earlier could lose a request.
	s.IdleTimeout = 2 * time.Minute
	// WriteTimeout begins with the request, so it must exceed ReadTimeout, the 25 s of a request, and writeTimeout together.
	// withWriteTimeout replaces it for a large response.
	s.WriteTimeout = 80 * time.Second
	shutdown := make(chan error, 1)
	go func() {
		<-ctx.Done()
		fmt.Fprintln(os.Stderr, "local: shutting down, after the requests in progress; press Ctrl-C again to stop at once")
		shutdownCtx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		defer time.AfterFunc(gracePeriod, cancelRequests).Stop()
		err := s.Shutdown(shutdownCtx)
		if errors.Is(err, context.DeadlineExceeded) { // a client does not read its response, or a request does not end
			err = s.Close()
		}
		shutdown <- err
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
	return "http://" + net.JoinHostPort(host, port) + basePath
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

// printConnection prints how clients connect. consoleURL is empty if the console is off.
func printConnection(base, secret, consoleURL string) {
	quoted := strings.ReplaceAll(secret, "'", `'\''`)
	if consoleURL != "" {
		consoleURL = "Console:       " + consoleURL + "\n"
	}
	fmt.Printf("SCIM base URL: %s\nBearer token:  %s\n"+consoleURL+"\n"+
		"For the commands in README.md, paste this line into another shell:\n\nBASE='%s' TOKEN='%s'\n\n",
		base, secret, base, quoted)
}
