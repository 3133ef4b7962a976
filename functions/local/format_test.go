package main

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/format"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
)

// newFile creates a file table with these items, and returns its path.
func newFile(t *testing.T, items ...table.Item) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "scim.db")
	tab, err := bolt.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Close()
	for _, it := range items {
		if err := tab.Write(t.Context(), table.Put{Item: it}); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

// Every command refuses a table of a later format, with the reason in one line, and writes nothing.
func TestCommandsRefuseALaterFormat(t *testing.T) {
	t.Parallel()
	file := newFile(t, table.Item{"PK": table.S("format"), "SK": table.S("@"), "version": table.N(format.Version + 1)})
	flags := []string{"-db", file}
	before := dumpRaw(t, file)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // ends a server that has started
	defer cancel()
	for name, c := range map[string]struct {
		status int
		run    func(stderr *bytes.Buffer) int
	}{
		"admin": {1, func(stderr *bytes.Buffer) int {
			return runAdmin(ctx, append(flags, `{"command":"create-tenant","tenant":"acme"}`), io.Discard, stderr)
		}},
		"fsck": {2, func(stderr *bytes.Buffer) int { return runFsck(ctx, flags, io.Discard, stderr) }},
		"fsck repair": {2, func(stderr *bytes.Buffer) int {
			return runFsck(ctx, append(flags, "-repair"), io.Discard, stderr)
		}},
		"console": {1, func(stderr *bytes.Buffer) int {
			return runConsole(ctx, append(flags, "-addr", "127.0.0.1:0"), io.Discard, stderr)
		}},
		"console write": {1, func(stderr *bytes.Buffer) int {
			return runConsole(ctx, append(flags, "-addr", "127.0.0.1:0", "-write"), io.Discard, stderr)
		}},
		"server": {0, func(stderr *bytes.Buffer) int {
			if err := run(ctx, options{addr: "127.0.0.1:0", db: file}); err != nil {
				stderr.WriteString(err.Error() + "\n")
			}
			return 0
		}},
	} {
		var stderr bytes.Buffer
		status := c.run(&stderr)
		if status != c.status || strings.Count(stderr.String(), "\n") != 1 || !strings.Contains(stderr.String(), "the table has the format 2, ") {
			t.Errorf("%s: status %d, %s", name, status, &stderr)
		}
		if after := dumpRaw(t, file); after != before {
			t.Errorf("%s wrote the table: %s", name, after)
		}
	}
}

// dumpRaw returns the items of a file, as text. It does not check the format.
func dumpRaw(t *testing.T, file string) string {
	t.Helper()
	tab, err := bolt.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Close()
	return tableJSON(t, tab)
}

// A command that can write marks the format of a table without the item. The console and fsck without repair write nothing.
func TestOnlyWritersMarkTheFormat(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		marks bool
		run   func(flags []string)
	}{
		"admin": {true, func(flags []string) {
			runAdmin(t.Context(), append(flags, `{"command":"list-tenants"}`), io.Discard, io.Discard)
		}},
		"fsck":          {false, func(flags []string) { runFsck(t.Context(), flags, io.Discard, io.Discard) }},
		"fsck repair":   {true, func(flags []string) { runFsck(t.Context(), append(flags, "-repair"), io.Discard, io.Discard) }},
		"console":       {false, func(flags []string) { startConsole(t, flags...).stop() }},
		"console write": {true, func(flags []string) { startConsole(t, append(flags, "-write")...).stop() }},
		"server":        {true, func(flags []string) { openAndClose(t, options{db: flags[1]}) }},
	} {
		file := newFile(t)
		c.run([]string{"-db", file})
		if items := dumpRaw(t, file); strings.Contains(items, `"format"`) != c.marks || !c.marks && items != "null" {
			t.Errorf("%s: the items are %s, want marked: %t", name, items, c.marks)
		}
	}
}

// openAndClose opens a table as a server does.
func openAndClose(t *testing.T, o options) {
	t.Helper()
	_, closeTable, err := openOrCreate(t.Context(), o)
	if err == nil {
		err = closeTable()
	}
	if err != nil {
		t.Error(err)
	}
}
