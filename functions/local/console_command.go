package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"

	"serverless-scim/internal/console"
	"serverless-scim/internal/directory"
	"serverless-scim/internal/query"
	"serverless-scim/internal/table"
	"serverless-scim/internal/token"
)

// runConsole serves the console of a table until ctx ends, and returns the exit status. It serves no SCIM API, and does not
// create a table.
func runConsole(ctx context.Context, arguments []string, stdout, stderr io.Writer) int {
	o := options{budget: query.DefaultScanBudget}
	f := flag.NewFlagSet("local console", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.addr, "addr", "127.0.0.1:8090", "`address` to listen on")
	f.BoolVar(&o.write, "write", false, "permit commands that change tenants, tokens, and damaged items")
	o.addTableFlags(f)
	switch err := f.Parse(arguments); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	err := rejectArguments(f.Args())
	if err == nil {
		err = o.serveConsole(ctx, stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "local: console:", err)
		return 1
	}
	return 0
}

// serveConsole serves the console of an existing table until ctx ends or the database file turns out to be corrupt.
func (o options) serveConsole(ctx context.Context, stdout io.Writer) error {
	c, err := o.directoryConfig()
	if err != nil {
		return err
	}
	listener, err := listen(o.addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	t, closeTable, err := openExisting(ctx, o, o.write)
	if err != nil {
		return err
	}
	defer closeTable()
	if c.Store.Table = t; !o.write {
		c.Store.Table = table.ReadOnly{Table: t}
	}
	tokens := &token.Store{Table: c.Store.Table, Now: c.Store.Now}
	if err := checkReadable(ctx, tokens); err != nil {
		return err
	}
	return runUntilCorrupt(ctx, t, func(ctx context.Context) error {
		con := o.newTableConsole(c, tokens, listener.Addr())
		fmt.Fprintf(stdout, "Console: %s\n", consoleURL(con, listener.Addr()))
		return serve(ctx, listener, withWriteTimeout(withPages(ctx, con, http.NotFoundHandler())))
	})
}

// newTableConsole returns a console that shows a table, but no traffic. The SCIM API that it asks is not served.
func (o options) newTableConsole(c directory.Config, tokens *token.Store, a net.Addr) *console.Console {
	con := newConsole(c, a)
	con.ReadOnly, con.Tenants, con.Token = !o.write, tenantNames(tokens), consoleToken(tokens, token.ScopeRead)
	con.SCIM = newHandler(c, tokens, basePath, 0)
	return con
}

// checkReadable returns an error if the table does not exist, or if the credentials do not permit reading it.
func checkReadable(ctx context.Context, tokens *token.Store) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if _, err := tokens.Tenants(ctx); err != nil {
		return fmt.Errorf("cannot read the table: %w", err)
	}
	return nil
}
