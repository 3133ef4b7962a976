package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"serverless-scim/functions/internal/functiontest"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
)

// checkFsck runs fsck. The test fails unless fsck returns the status, prints the number of lines, and prints text in a
// line or in the error. Status 2 requires an error of one line.
func checkFsck(t *testing.T, status, lines int, text string, arguments ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	got := runFsck(t.Context(), arguments, &stdout, &stderr)
	out := stdout.String()
	if got != status || strings.Count(out, "\n") != lines || !strings.Contains(out+stderr.String(), text) {
		t.Errorf("fsck %q: want status %d and %d lines with %q, got %d:\n%s%s",
			arguments, status, lines, text, got, out, &stderr)
	}
	if (strings.Count(stderr.String(), "\n") == 1) != (status == 2) {
		t.Errorf("fsck %q: want one line for an error, and otherwise none; got %q", arguments, &stderr)
	}
}

// addStrayName writes a name item without a resource.
func addStrayName(t *testing.T, tab table.Table) {
	t.Helper()
	name := table.Item{"PK": table.S("default#User"), "SK": table.S("userName#stray"),
		"id": table.S("u" + strings.Repeat("0", 26))}
	if err := tab.Write(t.Context(), table.Put{Item: name}); err != nil {
		t.Fatal(err)
	}
}

func TestFsckFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "scim.db")
	tab, err := bolt.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	checkFsck(t, 2, 0, file+" is in use by another process", "-db", file)
	tab.Close()
	checkFsck(t, 0, 1, "0 items of 0 tenants: clean\n", "-db", file)
	if tab, err = bolt.Open(file); err != nil {
		t.Fatal(err)
	}
	functiontest.CreateTenants(t, tab, "default", "other")
	addStrayName(t, tab)
	tab.Close()
	checkFsck(t, 0, 1, "0 items of 1 tenants: clean\n", "-db", file, "-tenant", "other")
	checkFsck(t, 2, 0, `the tenant "missing" does not exist`, "-db", file, "-tenant", "missing")
	checkFsck(t, 1, 2, "stray", "-db", file, "-tenant", "default")
	checkFsck(t, 1, 2, "1 items of 1 tenants: 1 findings, 0 repaired\n", "-db", file)
	checkFsck(t, 1, 2, "stray", "-db", file, "-repair")
	checkFsck(t, 0, 1, "0 items of 0 tenants: clean\n", "-db", file)
}

// fsck finds an item that a flipped bit in a key of the file hides, and the repair restores it.
func TestFsckDamagedKeyOfFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "scim.db")
	tab, err := bolt.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	functiontest.CreateTenants(t, tab, "acme", "default")
	tab.Close()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	key := []byte("tenant\x00\x01default")
	content = bytes.ReplaceAll(content, key, []byte("tenant\x00\x01defaulu"))
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	checkFsck(t, 1, 2, `"tenant" "default": item with the wrong key`, "-db", file)
	checkFsck(t, 1, 2, "1 damaged items in "+file+"; nothing else was checked: use -repair\n", "-db", file)
	checkFsck(t, 1, 2, `"tenant" "default": item with the wrong key "tenant\x00\x01defaulu" in the file: repaired`,
		"-db", file, "-tenant", "default", "-repair")
	checkFsck(t, 0, 1, "0 items of 1 tenants: clean\n", "-db", file, "-tenant", "default")
}

func TestFsckDynamoDBTable(t *testing.T) {
	t.Parallel()
	tab, endpoint, name := functiontest.NewDynamoTable(t)
	checkFsck(t, 2, 0, "there is no table", "-endpoint", endpoint, "-table", name+"x")
	checkFsck(t, 2, 0, "there is no table", "-endpoint", endpoint, "-table", name+"x") // the first run has not created it
	checkFsck(t, 0, 1, "clean", "-endpoint", endpoint, "-table", name)
	checkFsck(t, 2, 0, `the tenant "missing" does not exist`, "-endpoint", endpoint, "-table", name, "-tenant", "missing")
	addStrayName(t, tab)
	checkFsck(t, 1, 2, "stray", "-endpoint", endpoint, "-table", name, "-repair")
	checkFsck(t, 0, 1, "clean", "-endpoint", endpoint, "-table", name)
}

func TestFsckCreatesNoFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "missing.db")
	for range 2 {
		checkFsck(t, 2, 0, "missing.db: no such file", "-db", file, "-repair")
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("fsck of a missing file has created it: %v", err)
	}
	empty := filepath.Join(t.TempDir(), "empty.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	checkFsck(t, 2, 0, "empty.db is empty", "-db", empty)
	checkFsck(t, 2, 0, "empty.db is empty", "-db", empty, "-repair")
	if content, err := os.ReadFile(empty); err != nil || len(content) > 0 {
		t.Errorf("fsck of an empty file wrote %d bytes: %v", len(content), err)
	}
	checkFsck(t, 2, 0, `unexpected argument "scim.db"`, "scim.db")
	checkFsck(t, 2, 0, "cannot reach", "-endpoint", "http://127.0.0.1:1")
}
