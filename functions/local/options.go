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
	"serverless-scim/internal/scim"
)

type options struct {
	addr, db, token, endpoint, table, types string
	budget, rate                            int
}

// parseServeOptions reads the arguments of a server.
func parseServeOptions(f *flag.FlagSet, arguments []string) (o options, err error) {
	f.StringVar(&o.addr, "addr", "127.0.0.1:8080", "address to listen on")
	f.StringVar(&o.token, "token", "", "bearer token (default: a new one for each run)")
	f.IntVar(&o.budget, "budget", directory.DefaultScanBudget, "`resources` that a request tests at most where no key leads to what it asks for")
	f.IntVar(&o.rate, "rate", 0, "`requests` a second that a token may send unless its tenant says otherwise; 0: any number")
	o.addTableFlags(f)
	if err = f.Parse(arguments); err == nil {
		err = rejectArguments(f.Args())
	}
	if err == nil && o.budget < 1 {
		err = fmt.Errorf("-budget is %d, and so lets no request test anything", o.budget)
	}
	return o, err
}

// addTableFlags adds the flags that name a table and what is in it.
func (o *options) addTableFlags(f *flag.FlagSet) {
	f.StringVar(&o.db, "db", "scim.db", "`file` of the table; :memory: for one that vanishes")
	f.StringVar(&o.endpoint, "endpoint", "", "`URL` of a DynamoDB endpoint to use instead of the file")
	f.StringVar(&o.table, "table", "scim", "`name` of the table at the endpoint; a server makes it if it is missing")
	f.StringVar(&o.types, "types", "", "further resource types: okta (Roles and Entitlements), or folders, with commas")
}

// directoryConfig is what the options say of directories, but for the table.
func (o options) directoryConfig() (directory.Config, error) {
	types, err := scim.Open(strings.FieldsFunc(o.types, func(r rune) bool { return r == ',' }), os.DirFS)
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	c := directory.Config{Types: types, Now: time.Now, Random: rand.Reader, Log: log, Budget: o.budget, Cursors: &directory.CursorKeyCache{}}
	if o.endpoint == "" {
		c.InProcess, c.Bookmarks = true, &directory.BookmarkCache{} // nobody else uses the file
		c.ApplyConcurrency = 16                                     // it takes them with one fsync
	}
	return c, err
}

// rejectArguments refuses what follows the flags.
func rejectArguments(arguments []string) error {
	if len(arguments) > 0 {
		return fmt.Errorf("unexpected argument %q; see -h", arguments[0])
	}
	return nil
}
