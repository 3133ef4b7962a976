package main

import (
	"crypto/rand"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/query"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
)

// options are the command-line flags.
type options struct {
	addr, db, token, endpoint, table, types string
	budget, rate                            int
}

// parseServeOptions parses the arguments of a server.
func parseServeOptions(f *flag.FlagSet, arguments []string) (o options, err error) {
	f.StringVar(&o.addr, "addr", "127.0.0.1:8080", "address to listen on")
	f.StringVar(&o.token, "token", "", "bearer token (default: a new one for each run)")
	f.IntVar(&o.budget, "budget", query.DefaultScanBudget,
		"`candidates` that a request may test at most if no index selects the resources")
	f.IntVar(&o.rate, "rate", 0,
		"`requests` that a token may send per second unless its tenant has its own limit; 0 means no limit")
	o.addTableFlags(f)
	if err = f.Parse(arguments); err == nil {
		err = rejectArguments(f.Args())
	}
	if err == nil && o.budget < 1 {
		err = fmt.Errorf("-budget is %d; use at least 1", o.budget)
	}
	return o, err
}

// addTableFlags adds the flags that select a table and its resource types.
func (o *options) addTableFlags(f *flag.FlagSet) {
	f.StringVar(&o.db, "db", "scim.db", "`file` of the table; :memory: for a temporary table")
	f.StringVar(&o.endpoint, "endpoint", "", "`URL` of a DynamoDB endpoint to use instead of the file")
	f.StringVar(&o.table, "table", "scim", "`name` of the table at the endpoint; a server creates it if it does not exist")
	f.StringVar(&o.types, "types", "",
		"additional resource types: okta (Roles and Entitlements) or folders, separated by commas")
}

// directoryConfig returns the configuration of directories without the table, which the caller sets.
func (o options) directoryConfig() (directory.Config, error) {
	types, err := scim.Open(strings.FieldsFunc(o.types, func(r rune) bool { return r == ',' }), os.DirFS)
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	return directory.Config{
		Store: store.Config{Types: types, Now: time.Now, Random: rand.Reader, Log: log, Embedded: o.endpoint == ""},
		Query: query.Config{ScanBudget: o.budget, Cache: &query.Cache{}},
	}, err
}

// rejectArguments returns an error if arguments follow the flags.
func rejectArguments(arguments []string) error {
	if len(arguments) > 0 {
		return fmt.Errorf("unexpected argument %q; see -h", arguments[0])
	}
	return nil
}
