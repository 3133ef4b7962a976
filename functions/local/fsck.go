package main

import (
	"context"
	"flag"
	"fmt"
	"io"

	"serverless-scim/internal/fsck"
)

// runFsck checks a table, prints a line for each finding, and returns the exit status: 0 without findings, 1 with
// findings (also repaired ones), and 2 if the check failed. It does not create a table.
func runFsck(ctx context.Context, arguments []string, stdout, stderr io.Writer) int {
	o, check := options{}, fsck.Checker{Report: func(line string) { fmt.Fprintln(stdout, line) }}
	f := flag.NewFlagSet("local fsck", flag.ContinueOnError)
	f.SetOutput(stderr)
	o.addTableFlags(f)
	f.StringVar(&check.Tenant, "tenant", "", "`name` of the tenant to check (default: the whole table)")
	f.BoolVar(&check.Repair, "repair", false, "repair the findings")
	if f.Parse(arguments) != nil {
		return 2
	}
	findings, err := 0, rejectArguments(f.Args())
	if err == nil {
		findings, err = o.runChecker(ctx, check)
	}
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "local: fsck:", err)
		return 2
	case findings > 0:
		return 1
	}
	return 0
}

func (o options) runChecker(ctx context.Context, check fsck.Checker) (findings int, err error) {
	c, err := o.directoryConfig()
	if err != nil {
		return 0, err
	}
	t, closeTable, err := openExisting(o)
	if err != nil {
		return 0, err
	}
	defer closeTable()
	c.Store.Table = t
	check.Config = c.Store
	return check.Run(ctx)
}
