package main

import (
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
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
	addr, base, db, token, endpoint, table, types, events, record string
	budget, rate                                                  int
	console, write                                                bool
}

// parseServeOptions parses the arguments of a server.
func parseServeOptions(f *flag.FlagSet, arguments []string) (o options, err error) {
	f.Usage = func() { printUsage(f) }
	f.StringVar(&o.addr, "addr", "127.0.0.1:8080", "`address` to listen on")
	f.StringVar(&o.base, "base", "",
		"public `URL` of the server, such as the address of a tunnel (default: the address to listen on)")
	f.StringVar(&o.token, "token", "", "bearer token (default: a new one for each run)")
	f.BoolVar(&o.console, "console", true, "serve the console, which shows requests and data to a browser on this machine")
	f.StringVar(&o.record, "record", "", "new `folder` in which the requests of this run are saved, without personal data, for functions/replay")
	f.StringVar(&o.events, "events", "", "`file` to which each change is appended as a line of JSON; - for standard output")
	f.IntVar(&o.budget, "budget", query.DefaultScanBudget,
		"`candidates` that a request may test at most if no index selects the resources")
	f.IntVar(&o.rate, "rate", 0,
		"`requests` that a token may send per second unless its tenant has its own limit; 0 means no limit")
	o.addTableFlags(f)
	if err = f.Parse(arguments); err == nil {
		err = rejectArguments(f.Args())
	}
	switch {
	case err != nil:
	case o.budget < 1:
		err = fmt.Errorf("-budget is %d; use at least 1", o.budget)
	case o.rate < 0:
		err = fmt.Errorf("-rate is %d; use at least 1 request per second, or 0 for no limit", o.rate)
	case o.record != "":
		err = o.checkRecord()
	}
	if err == nil && o.base != "" {
		o.base, err = normalizeBase(o.base)
	}
	return o, err
}

// checkRecord returns an error if the requests cannot be recorded as -record says.
func (o options) checkRecord() error {
	if !o.console {
		return errors.New("-record needs the console; leave out -console=false")
	}
	if _, err := os.Lstat(o.record); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("-record %s exists already; name a new folder", o.record)
	}
	return nil
}

// basePath is the path of the base URL.
const basePath = "/scim/v2"

// normalizeBase returns a public URL without a trailing slash. A URL without a path gets basePath.
func normalizeBase(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("-base %q is not a base URL; use one such as https://example.ngrok.app%s", base, basePath)
	}
	if base = strings.TrimRight(base, "/"); strings.Trim(u.Path, "/") == "" {
		base += basePath
	}
	return base, nil
}

func printUsage(f *flag.FlagSet) {
	fmt.Fprint(f.Output(), `Serves the SCIM API on this machine, or works on its table:

  local [flags]                serves until Ctrl-C
  local admin [flags] COMMAND  manages tenants and tokens; see local admin -h
  local fsck [flags]           checks and repairs the table; see local fsck -h
  local console [flags]        serves the console of a table, also of one in AWS; see local console -h

Flags of a server:

`)
	f.PrintDefaults()
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
	types, err := o.openTypes()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	return directory.Config{
		Store: store.Config{Types: types, Now: time.Now, Random: rand.Reader, Log: log, Embedded: o.endpoint == ""},
		Query: query.Config{ScanBudget: o.budget, Cache: &query.Cache{}},
	}, err
}

// openTypes loads the standard resource types and those of -types.
func (o options) openTypes() (*scim.Types, error) {
	var missing error
	types, err := scim.Open(strings.FieldsFunc(o.types, func(r rune) bool { return r == ',' }), func(name string) fs.FS {
		folder := os.DirFS(name)
		if files, _ := fs.Glob(folder, "*.json"); len(files) == 0 && missing == nil {
			missing = fmt.Errorf("-types %s is neither okta nor a folder with schema files; name a folder that contains "+
				"resource_types.json", name)
		}
		return folder
	})
	if missing == nil && err != nil {
		missing = fmt.Errorf("-types %s: %w", o.types, err)
	}
	return types, missing
}

// rejectArguments returns an error if arguments follow the flags.
func rejectArguments(arguments []string) error {
	if len(arguments) > 0 {
		return fmt.Errorf("unexpected argument %q; see -h", arguments[0])
	}
	return nil
}
