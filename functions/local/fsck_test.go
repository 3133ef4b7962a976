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

// wantFsck runs fsck, and wants it to exit with a status after so many lines and, if the status is 2, one of an error.
func wantFsck(t *testing.T, status, lines int, told string, arguments ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	got := runFsck(t.Context(), arguments, &stdout, &stderr)
	out := stdout.String()
	if got != status || strings.Count(out, "\n") != lines || !strings.Contains(out+stderr.String(), told) {
		t.Errorf("fsck %q: want status %d and %d lines that tell %q, got %d:\n%s%s",
			arguments, status, lines, told, got, out, &stderr)
	}
	if (strings.Count(stderr.String(), "\n") == 1) != (status == 2) {
		t.Errorf("fsck %q: an error, and nothing else, is one line; got %q", arguments, &stderr)
	}
}

// stray is the name of nobody.
func stray(t *testing.T, tab table.Table) {
	t.Helper()
	name := table.Item{"PK": table.S("default#User"), "SK": table.S("userName#stray"),
		"id": table.S("u" + strings.Repeat("0", 26))}
	if err := tab.Write(t.Context(), table.Put{Item: name}); err != nil {
		t.Fatal(err)
	}
}

func TestFsckOfAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "scim.db")
	tab, err := bolt.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	wantFsck(t, 2, 0, file+" is in use by another process", "-db", file)
	tab.Close()
	wantFsck(t, 0, 0, "", "-db", file)
	if tab, err = bolt.Open(file); err != nil {
		t.Fatal(err)
	}
	stray(t, tab)
	tab.Close()
	wantFsck(t, 0, 0, "", "-db", file, "-tenant", "other")
	wantFsck(t, 1, 1, "stray", "-db", file, "-tenant", "default")
	wantFsck(t, 1, 1, "stray", "-db", file, "-repair")
	wantFsck(t, 0, 0, "", "-db", file)
}

func TestFsckOfATableInDynamoDB(t *testing.T) {
	t.Parallel()
	tab, endpoint, name := functiontest.NewDynamoTable(t)
	wantFsck(t, 2, 0, "there is no table", "-endpoint", endpoint, "-table", name+"x")
	wantFsck(t, 2, 0, "there is no table", "-endpoint", endpoint, "-table", name+"x") // nor is one made
	wantFsck(t, 0, 0, "", "-endpoint", endpoint, "-table", name)
	stray(t, tab)
	wantFsck(t, 1, 1, "stray", "-endpoint", endpoint, "-table", name, "-repair")
	wantFsck(t, 0, 0, "", "-endpoint", endpoint, "-table", name)
}

func TestFsckMakesNoFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "missing.db")
	for range 2 {
		wantFsck(t, 2, 0, "missing.db: no such file", "-db", file, "-repair")
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("fsck of a missing file has made it: %v", err)
	}
	wantFsck(t, 2, 0, `unexpected argument "scim.db"`, "scim.db")
	wantFsck(t, 2, 0, "cannot reach", "-endpoint", "http://127.0.0.1:1")
}
