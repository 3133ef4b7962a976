// Command local serves SCIM on this machine, on a table in a file or on any DynamoDB endpoint. It has one tenant, and
// makes a new token for each run unless it is given one. It listens without TLS, and is not meant for a network.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/server"
	"serverless-scim/internal/table"
	"serverless-scim/internal/token"
)

func main() {
	var o options
	flag.StringVar(&o.addr, "addr", "127.0.0.1:8080", "address to listen on")
	flag.StringVar(&o.db, "db", "scim.db", "file of the table; :memory: for one that vanishes")
	flag.StringVar(&o.token, "token", "", "bearer token (default: a new one for each run)")
	flag.StringVar(&o.endpoint, "endpoint", "", "DynamoDB endpoint to use instead of the file")
	flag.StringVar(&o.table, "table", "scim", "table at the endpoint; made if it is missing")
	flag.StringVar(&o.types, "types", "", "further resource types: okta (Roles and Entitlements), or folders, with commas")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(1)
	}
}

type options struct{ addr, db, token, endpoint, table, types string }

// run serves until the context ends.
func run(ctx context.Context, o options) error {
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; see -h", flag.Arg(0))
	}
	types, err := scim.Open(strings.FieldsFunc(o.types, func(r rune) bool { return r == ',' }), os.DirFS)
	if err != nil {
		return err
	}
	t, closeTable, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer closeTable()
	listener, err := net.Listen("tcp", o.addr)
	if err != nil {
		return err
	}
	tokens := &token.Store{Table: t, Now: time.Now}
	secret, err := issue(ctx, tokens, o.token)
	if err != nil {
		return err
	}
	base := address(listener.Addr())
	announce(base, secret)
	return serve(ctx, listener, handler(t, tokens, types, base, slog.New(slog.NewTextHandler(os.Stderr, nil))))
}

func handler(t table.Table, tokens *token.Store, types *scim.Types, base string, log *slog.Logger) http.Handler {
	return server.New(server.Config{
		Directory: directory.Config{Table: t, Types: types, Now: time.Now, Random: rand.Reader, Log: log},
		Tokens:    tokens, Base: base, Timeout: 25 * time.Second, Log: log,
	})
}

func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
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
