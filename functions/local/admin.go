package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"

	"serverless-scim/internal/admin"
)

// runAdmin executes one command of package admin on a table, prints the result, and returns the exit status. It creates
// the table if it does not exist.
func runAdmin(ctx context.Context, arguments []string, stdout, stderr io.Writer) int {
	o := options{}
	f := flag.NewFlagSet("local admin", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprint(stderr, `Usage: local admin [flags] '{"command":"create-token","tenant":"acme","label":"okta"}'`,
			"\n\nCommands and their fields, the optional ones in brackets:\n\n", admin.Usage(), "\nFlags:\n\n")
		f.PrintDefaults()
	}
	o.addTableFlags(f)
	switch err := f.Parse(arguments); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	out, err := o.executeAdmin(ctx, f.Args())
	if err != nil {
		fmt.Fprintln(stderr, "local: admin:", err)
		return 1
	}
	e := json.NewEncoder(stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if e.Encode(out) != nil {
		return 1
	}
	return 0
}

func (o options) executeAdmin(ctx context.Context, arguments []string) (any, error) {
	if len(arguments) != 1 {
		return nil, errors.New(`expected one command after the flags, such as '{"command":"list-tenants"}'; see -h`)
	}
	c, err := o.directoryConfig()
	if err != nil {
		return nil, err
	}
	t, closeTable, err := openOrCreate(ctx, o)
	if err != nil {
		return nil, err
	}
	defer closeTable()
	c.Store.Table = t
	return admin.New(c).Execute(ctx, json.RawMessage(arguments[0]))
}
