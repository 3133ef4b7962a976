package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"serverless-scim/internal/fsck"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/token"
)

// runFsck checks a table, prints a line for each finding and one for the result, and returns the exit status: 0 without
// findings, 1 with findings (also repaired ones), and 2 if the check failed. It does not create a table.
func runFsck(ctx context.Context, arguments []string, stdout, stderr io.Writer) int {
	o, check := options{}, fsck.Checker{Report: func(f fsck.Finding) { fmt.Fprintln(stdout, f) }}
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
		findings, err = o.runChecker(ctx, check, stdout)
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

// runChecker checks the file, if the table is one, and then its items. It prints the result. If damaged items of the
// file are not repaired, the other items cannot be read, so they are not checked.
func (o options) runChecker(ctx context.Context, check fsck.Checker, stdout io.Writer) (findings int, err error) {
	damaged, unrepaired, err := o.checkFile(check)
	if err != nil {
		return 0, err
	}
	if unrepaired > 0 {
		remedy := "restore the file from a backup"
		if !check.Repair {
			remedy = "use -repair"
		}
		fmt.Fprintf(stdout, "%d damaged items in %s; nothing else was checked: %s\n", unrepaired, o.db, remedy)
		return damaged, nil
	}
	summary, err := o.checkItems(ctx, check)
	findings = damaged + summary.Findings
	if err != nil {
		return findings, err
	}
	result := "clean"
	if findings > 0 {
		result = fmt.Sprintf("%d findings, %d repaired", findings, damaged+summary.Repaired)
	}
	fmt.Fprintf(stdout, "%d items of %d tenants: %s\n", summary.Items, summary.Tenants, result)
	return findings, nil
}

// checkFile checks the file of the table, and repairs it if check does. It returns the number of damaged items, and of
// those that are not repaired. It checks nothing if the table is at an endpoint.
func (o options) checkFile(check fsck.Checker) (damaged, unrepaired int, err error) {
	if o.endpoint != "" {
		return 0, 0, nil
	}
	err = bolt.Check(o.db, check.Repair, func(f bolt.Finding) {
		damaged++
		reason := ""
		if !f.Repaired {
			unrepaired++
		}
		if check.Repair && !f.Repaired {
			reason = "its content is unknown"
		}
		check.Report(fsck.Finding{Key: f.Key, Problem: f.Problem, Repaired: f.Repaired, Reason: reason})
	})
	return damaged, unrepaired, err
}

// checkItems checks the items of the table. If check names a tenant, the tenant must exist.
func (o options) checkItems(ctx context.Context, check fsck.Checker) (fsck.Summary, error) {
	c, err := o.directoryConfig()
	if err != nil {
		return fsck.Summary{}, err
	}
	t, closeTable, err := openExisting(ctx, o, check.Repair)
	if err != nil {
		return fsck.Summary{}, err
	}
	defer closeTable()
	c.Store.Table = t
	check.Config = c.Store
	if err := requireTenant(ctx, &token.Store{Table: t, Now: c.Store.Now}, check.Tenant); err != nil {
		return fsck.Summary{}, err
	}
	return check.RunExclusive(ctx)
}

// requireTenant returns an error if no tenant has the name. The name "" stands for all tenants.
func requireTenant(ctx context.Context, tenants *token.Store, name string) error {
	if name == "" {
		return nil
	}
	_, err := tenants.Tenant(ctx, name)
	if errors.Is(err, token.ErrNoTenant) {
		return fmt.Errorf(`the tenant %q does not exist; list the tenants with admin '{"command":"list-tenants"}'`, name)
	}
	return err
}
