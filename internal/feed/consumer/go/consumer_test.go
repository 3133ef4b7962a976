package main

import (
	"bytes"
	"cmp"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A copy equals the directory when its consumer has read all changes, after kills within transactions, failed requests,
// two processes at once, and a restore of the directory's table.
func TestCopiesEqualTheDirectory(t *testing.T) {
	t.Parallel()
	local := build(t, "../../../..", "./functions/local")
	for name, command := range map[string][]string{
		"go":         {build(t, ".", ".")},
		"python":     {"python3", "../consumer.py"},
		"typescript": {"node", "../typescript/consumer.ts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testConsumer(t, command, newServer(t, local))
		})
	}
}

func testConsumer(t *testing.T, command []string, s *server) {
	c := &consumer{command: command, server: s, file: filepath.Join(t.TempDir(), "copy.db")}
	s.start(t)
	w := newWriter(t, s)
	w.write(t, 60)
	c.storeLatePage(t)
	c.openDatabase(t)
	for range 2 {
		w.write(t, 30)
		c.killWhileItReads(t, w)
	}
	c.checkCopy(t)

	// A restored table lacks resources that the copy has, and its log lacks their deletion.
	s.stop(t)
	backup, err := os.ReadFile(s.table)
	if err != nil {
		t.Fatal(err)
	}
	s.start(t)
	w.create(t, "/Users", "userName")
	w.create(t, "/Groups", "displayName")
	w.write(t, 20)
	c.checkCopy(t)
	s.stop(t)
	if err := os.WriteFile(s.table, backup, 0o600); err != nil {
		t.Fatal(err)
	}
	s.resetFeed(t)
	s.start(t)
	c.killWhileItReads(t, newWriter(t, s))
	c.checkCopy(t)
}

// build builds a program of the module in a folder.
func build(t *testing.T, dir, program string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "program")
	cmd := exec.Command("go", "build", "-o", binary, program)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// A consumer runs a program that keeps a copy of the directory of a server in a file.
type consumer struct {
	command []string
	server  *server
	file    string
	db      *sql.DB
}

func (c *consumer) process(arguments ...string) *exec.Cmd {
	arguments = append(append(c.command[1:len(c.command):len(c.command)], arguments...), c.file)
	cmd := exec.Command(c.command[0], arguments...)
	cmd.Env = append(os.Environ(), "BASE="+c.server.proxy.URL+"/scim/v2", "TOKEN="+secret)
	return cmd
}

// start starts a process that runs until it is killed.
func (c *consumer) start(t *testing.T) *exec.Cmd {
	t.Helper()
	p := c.process()
	p.Stderr = &bytes.Buffer{}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill(); p.Wait() })
	return p
}

func (c *consumer) openDatabase(t *testing.T) {
	t.Helper()
	db, err := sql.Open("sqlite", c.file+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c.db = db
}

// slow makes the storage of each user take some milliseconds, so that most kills hit a transaction.
const slow = `CREATE TRIGGER slow BEFORE INSERT ON users BEGIN
	SELECT count(*) FROM (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 20000) SELECT n FROM c);
END`

// killWhileItReads starts the consumer several times and kills it after a few pages, while the directory changes. Half of
// the time, a second process reads too.
func (c *consumer) killWhileItReads(t *testing.T, w *writer) {
	t.Helper()
	if _, err := c.db.Exec(slow); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		var processes []*exec.Cmd
		for range 1 + i%2 {
			processes = append(processes, c.start(t))
		}
		for range rand.IntN(3) {
			await(t, c.server.pages)
		}
		w.write(t, 5)
		await(t, c.server.pages)
		time.Sleep(rand.N(60 * time.Millisecond))
		for _, p := range processes {
			p.Process.Kill()
			p.Wait()
			if !p.ProcessState.Sys().(syscall.WaitStatus).Signaled() {
				t.Fatalf("the consumer ended by itself: %s", p.Stderr)
			}
		}
	}
	if _, err := c.db.Exec(`DROP TRIGGER slow`); err != nil {
		t.Fatal(err)
	}
}

// storeLatePage lets a process receive the first page after another process has stored all pages. The first process must
// not store its page.
func (c *consumer) storeLatePage(t *testing.T) {
	t.Helper()
	held := &heldPage{make(chan struct{}), make(chan struct{}), make(chan struct{})}
	c.server.held.Store(held)
	late := c.start(t)
	await(t, held.fetched)
	c.checkCopy(t)
	close(held.released)
	await(t, held.ended)
	late.Process.Kill()
	late.Wait()
	if got, want := c.copy(t), c.server.content(t); !reflect.DeepEqual(got, want) {
		t.Fatalf("after a late page, the copy differs from the directory:\n%s", difference(got, want))
	}
}

// checkCopy runs the consumer until its copy equals the directory. It may have to run again, because the change log is
// behind the directory for a moment.
func (c *consumer) checkCopy(t *testing.T) {
	t.Helper()
	want := c.server.content(t)
	var got content
	for range 10 {
		if out, err := c.process("--once").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if got = c.copy(t); reflect.DeepEqual(got, want) {
			return
		}
		time.Sleep(300 * time.Millisecond)
	}
	t.Fatalf("the copy differs from the directory:\n%s", difference(got, want))
}

// copy returns the content of the consumer's database.
func (c *consumer) copy(t *testing.T) content {
	t.Helper()
	out := content{}
	db, err := sql.Open("sqlite", c.file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT id, userName || ' ' || active, resource FROM users UNION ALL SELECT id, displayName, '' FROM groups
		UNION ALL SELECT userId || ' ' || groupId, '', '' FROM memberships`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var key, columns, resource string
		if err := rows.Scan(&key, &columns, &resource); err != nil {
			t.Fatal(err)
		}
		out[key] = columns + normalize(t, resource)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// content holds the columns of each row by its ID: of users, groups, and memberships.
type content map[string]string

// normalize removes what a change of another resource changes: the names of a user's groups, and their digest.
func normalize(t *testing.T, resource string) string {
	t.Helper()
	if resource == "" {
		return ""
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(resource), &v); err != nil {
		t.Fatalf("%v: %s", err, resource)
	}
	groups, _ := v["groups"].([]any)
	for _, g := range groups {
		delete(g.(map[string]any), "display")
	}
	meta := v["meta"].(map[string]any)
	version, _, _ := strings.Cut(strings.Trim(meta["version"].(string), `W/"`), "-")
	meta["version"] = version
	text, _ := json.Marshal(v)
	return " " + string(text)
}

func difference(got, want content) string {
	var lines []string
	for key, w := range want {
		if g := got[key]; g != w {
			lines = append(lines, fmt.Sprintf("%s: got %s, want %s", key, cmp.Or(g, "none"), cmp.Or(w, "a row")))
		}
	}
	for key, g := range got {
		if _, wanted := want[key]; !wanted {
			lines = append(lines, fmt.Sprintf("%s: got %s, want none", key, cmp.Or(g, "a row")))
		}
	}
	return strings.Join(lines, "\n")
}
