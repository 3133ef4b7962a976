package main

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/feed"
)

// send sends a request to the program and returns the body of the response.
func (p *program) send(t *testing.T, method, path, body string) string {
	t.Helper()
	variables := regexp.MustCompile(`^BASE='(.*)' TOKEN='(.*)'$`).FindStringSubmatch(p.variables)
	r, err := http.NewRequestWithContext(t.Context(), method, variables[1]+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+variables[2])
	r.Header.Set("Content-Type", "application/scim+json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s, %v", method, path, resp.StatusCode, text, err)
	}
	return string(text)
}

// readChanges reads the changes after a cursor, up to the end.
func (p *program) readChanges(t *testing.T, cursor string) (changes []feed.Message, next string) {
	t.Helper()
	for {
		var page struct {
			Changes    []feed.Message
			NextCursor string
			More       bool
		}
		if err := json.Unmarshal([]byte(p.send(t, "GET", "/Changes?cursor="+cursor, "")), &page); err != nil {
			t.Fatal(err)
		}
		changes, cursor = append(changes, page.Changes...), page.NextCursor
		if !page.More {
			return changes, cursor
		}
	}
}

// awaitChanges reads until there are n changes after a cursor. Without them, the test ends when its time is over.
func (p *program) awaitChanges(t *testing.T, cursor string, n int) (changes []feed.Message) {
	t.Helper()
	for len(changes) < n {
		var more []feed.Message
		more, cursor = p.readChanges(t, cursor)
		changes = append(changes, more...)
		time.Sleep(20 * time.Millisecond)
	}
	return changes
}

// onEachTable runs a test with the flags of a new file, and with those of a new table at each DynamoDB endpoint.
func onEachTable(t *testing.T, test func(t *testing.T, flags []string)) {
	tables := map[string][]string{"file": {"-db", filepath.Join(t.TempDir(), "scim.db")}}
	for _, endpoint := range directorytest.Endpoints() {
		tables[endpoint] = []string{"-endpoint", endpoint, "-table", "local-" + rand.Text()}
	}
	for name, flags := range tables {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, flags)
		})
	}
	if len(tables) == 1 {
		t.Run("dynamo", func(t *testing.T) {
			t.Skipf("set %s to the address of a DynamoDB emulator", directorytest.EndpointsVariable)
		})
	}
}

// The program publishes the changes of its table: in the log, and as lines of JSON.
func TestFeedOfProgram(t *testing.T) {
	t.Parallel()
	onEachTable(t, func(t *testing.T, flags []string) {
		file := filepath.Join(t.TempDir(), "events")
		p := startProgram(t, append(flags, "-events", file)...)
		_, cursor := p.readChanges(t, "")
		p.send(t, "POST", "/Users", `{"userName":"ada"}`)
		if m := p.awaitChanges(t, cursor, 1)[0]; m.Type[0] != "user.created" || m.Request == "" || m.Token == "" {
			t.Errorf("the change is %+v", m)
		}
		events, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer events.Close()
		lines := bufio.NewScanner(events)
		var m feed.Message
		for !lines.Scan() {
			time.Sleep(20 * time.Millisecond) // the log has the change before the file
			lines = bufio.NewScanner(events)
		}
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil || m.Tenant != "default" || m.ChangeID == "" || m.Type[0] != "user.created" {
			t.Errorf("the line is %s, %v", lines.Bytes(), err)
		}
	})
}

// Changes that were not published when the program ended are published when it starts again.
func TestFeedContinuesAfterRestart(t *testing.T) {
	t.Parallel()
	arguments := []string{"-db", filepath.Join(t.TempDir(), "scim.db")}
	p := startProgram(t, arguments...)
	_, cursor := p.readChanges(t, "")
	for _, name := range []string{"a", "b", "c", "d"} {
		p.send(t, "POST", "/Users", `{"userName":"`+name+`"}`)
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.cmd.Wait()
	p = startProgram(t, arguments...)
	names := map[string]bool{}
	for _, m := range p.awaitChanges(t, cursor, 4) {
		names[m.ID] = m.Type[0] == "user.created"
	}
	if len(names) != 4 {
		t.Errorf("a reader saw %v", names)
	}
}
