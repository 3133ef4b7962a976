package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"serverless-scim/internal/table"
)

// A tableConsole is the command console while it runs.
type tableConsole struct {
	*testing.T
	origin, key string
	stop        func()
}

// startConsole runs the command console until stop is called, or the test ends.
func startConsole(t *testing.T, flags ...string) *tableConsole {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, stdout := io.Pipe()
	var stderr bytes.Buffer
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if status := runConsole(ctx, append([]string{"-addr", "127.0.0.1:0"}, flags...), stdout, &stderr); status != 0 {
			t.Errorf("status %d: %s", status, &stderr)
		}
		stdout.Close()
	}()
	c := &tableConsole{T: t, stop: func() { cancel(); <-ended }}
	t.Cleanup(c.stop)
	line, err := bufio.NewReader(out).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "Console: ")
	if c.origin, c.key, _ = strings.Cut(address, "/console/?key="); !ok || c.key == "" {
		c.stop()
		t.Fatalf("printed %q, %v: %s", line, err, &stderr)
	}
	return c
}

// open sends GET, or POST with a form, and returns the body of the response, which must have a status.
func (c *tableConsole) open(status int, path string, form url.Values) string {
	c.Helper()
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(c.Context(), method, c.origin+path, strings.NewReader(form.Encode()))
	if err != nil {
		c.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(&http.Cookie{Name: "console", Value: c.key})
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		c.Errorf("%s %s: %d, want %d: %s %v", method, path, resp.StatusCode, status, body, err)
	}
	return string(body)
}

// check fails the test unless a page contains all texts.
func (c *tableConsole) check(path string, texts ...string) {
	c.Helper()
	body := c.open(http.StatusOK, path, nil)
	for _, text := range texts {
		if !strings.Contains(body, text) {
			c.Errorf("%s has no %q: %s", path, text, body)
		}
	}
}

// fillTable runs a server that creates 60 users and a group, and publishes these changes. It returns the ID of the group.
func fillTable(t *testing.T, flags []string) (group string) {
	t.Helper()
	p := startProgram(t, flags...)
	_, cursor := p.readChanges(t, "")
	var user struct{ ID string }
	for i := range 60 {
		if err := json.Unmarshal([]byte(p.send(t, "POST", "/Users", `{"userName":"user`+strconv.Itoa(i)+`"}`)), &user); err != nil {
			t.Fatal(err)
		}
	}
	p.awaitChanges(t, cursor, 60)
	_, cursor = p.readChanges(t, "")
	created := p.send(t, "POST", "/Groups", `{"displayName":"Engineers","members":[{"value":"`+user.ID+`"}]}`)
	if err := json.Unmarshal([]byte(created), &user); err != nil {
		t.Fatal(err)
	}
	p.awaitChanges(t, cursor, 2) // of the group, and of its member
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return user.ID
}

// withTable calls use with the table of the flags -db, or -endpoint and -table.
func withTable(t *testing.T, flags []string, use func(table.Table)) {
	t.Helper()
	o := options{db: flags[1]}
	if len(flags) == 4 {
		o = options{endpoint: flags[1], table: flags[3]}
	}
	tab, closeTable, err := openExisting(t.Context(), o, true)
	if err != nil {
		t.Fatal(err)
	}
	defer closeTable()
	use(tab)
}

// dumpTable returns the items of a table, as text.
func dumpTable(t *testing.T, flags []string) (items []string) {
	t.Helper()
	withTable(t, flags, func(tab table.Table) {
		for from := (table.Key{}); ; {
			p, err := tab.Scan(t.Context(), from)
			if err != nil {
				t.Fatal(err)
			}
			for _, it := range p.Items {
				text, _ := json.Marshal(it)
				items = append(items, string(text))
			}
			if from = p.LastEvaluatedKey; from == (table.Key{}) {
				return
			}
		}
	})
	slices.Sort(items)
	return items
}

// The command shows every page of a table that a server has filled, and writes nothing. It serves no SCIM API.
func TestConsoleOfATable(t *testing.T) {
	t.Parallel()
	onEachTable(t, func(t *testing.T, flags []string) {
		group := fillTable(t, flags)
		before := dumpTable(t, flags)
		c := startConsole(t, flags...)
		c.check("/console/directory", "user10", "1 to 50 of 60.")
		c.check("/console/directory?start=51", "51 to 60 of 60.")
		c.check("/console/directory?sort=meta.lastModified&order=descending", "user59", "1 to 50 of 60.")
		c.check("/console/directory/resource?type=Group&id="+group, "Engineers", "user59", "was created")
		c.check("/console/items", "Change log")
		c.check("/console/items?pk=default%23User", "user10")
		c.check("/console/changes", "Engineers", "user59", "joined 1 group")
		c.check("/console/operate", "automatic", "-write")
		if body := c.open(http.StatusOK, "/console/check", url.Values{}); !strings.Contains(body, "The table is clean.") {
			t.Errorf("the check says %s", body)
		}
		c.open(http.StatusForbidden, "/console/operate", url.Values{"command": {"create-tenant"}, "tenant": {"acme"}})
		c.open(http.StatusForbidden, "/console/check", url.Values{"repair": {"yes"}})
		for _, path := range []string{basePath + "/Users", "/console/traffic/live", "/console/faults", "/console/record"} {
			c.open(http.StatusNotFound, path, nil)
		}
		c.stop()
		if after := dumpTable(t, flags); !slices.Equal(after, before) {
			t.Error("the table was written")
		}
	})
}

// With -write, the page of tenants and tokens runs commands, and a check repairs the table.
func TestConsoleWrites(t *testing.T) {
	t.Parallel()
	onEachTable(t, func(t *testing.T, flags []string) {
		fillTable(t, flags)
		withTable(t, flags, func(tab table.Table) { addStrayName(t, tab) })
		c := startConsole(t, append(flags, "-write")...)
		c.open(http.StatusOK, "/console/operate", url.Values{"command": {"create-tenant"}, "tenant": {"acme"}})
		form := url.Values{"command": {"create-token"}, "tenant": {"acme"}, "label": {"okta"}, "scope": {"scim.read"}}
		if body := c.open(http.StatusOK, "/console/operate", form); !strings.Contains(body, "scim_acme_") {
			t.Errorf("no token is shown: %s", body)
		}
		c.check("/console/operate", "Tokens of acme", "okta", "scim.read")
		c.check("/console/directory?tenant=acme", "Nothing matches.")
		for _, text := range []string{"stray", "The table is clean."} {
			if body := c.open(http.StatusOK, "/console/check", url.Values{"repair": {"yes"}}); !strings.Contains(body, text) {
				t.Errorf("the check has no %q: %s", text, body)
			}
		}
		c.open(http.StatusNotFound, basePath+"/Users", nil)
	})
}

// Errors are reported at the start, in one line, and nothing is created.
func TestConsoleStartErrors(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing.db")
	for want, flags := range map[string][]string{
		"no such file": {"-db", missing}, "cannot reach": {"-endpoint", "http://127.0.0.1:1"}, "unexpected argument": {"x"},
		"address already in use": {"-addr", listenOnAPort(t)},
	} {
		var stderr bytes.Buffer
		if status := runConsole(t.Context(), flags, io.Discard, &stderr); status != 1 || !strings.Contains(stderr.String(), want) ||
			strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%v: %d %s, want %q", flags, status, &stderr, want)
		}
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("the file was created")
	}
}

// In AWS, the credentials of the environment sign the requests, also temporary ones. Without them, or without the table, the
// error comes at the start.
func TestConsoleCredentials(t *testing.T) {
	t.Parallel()
	received := make(chan http.Header, 10)
	aws := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		received <- r.Header
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"none"}`)
	}))
	defer aws.Close()
	certificate := filepath.Join(t.TempDir(), "certificate.pem")
	if err := os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: aws.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	binary := build(t)
	run := func(environment ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), binary, "console", "-addr", "127.0.0.1:0", "-endpoint", aws.URL, "-table", "prod")
		cmd.Env = append(environment, "SSL_CERT_FILE="+certificate)
		out, err := cmd.CombinedOutput()
		if err == nil || strings.Count(string(out), "\n") != 1 {
			t.Errorf("%v: %v %s", environment, err, out)
		}
		return string(out)
	}
	complete := []string{"AWS_REGION=eu-north-1", "AWS_ACCESS_KEY_ID=ASIAX", "AWS_SECRET_ACCESS_KEY=secret"}
	for i := range complete {
		incomplete := slices.Delete(slices.Clone(complete), i, i+1)
		if out := run(incomplete...); !strings.Contains(out, "no credentials") || len(received) > 0 {
			t.Errorf("%v: %s", incomplete, out)
		}
	}
	if out := run(append(complete, "AWS_SESSION_TOKEN=session")...); !strings.Contains(out, `there is no table "prod"`) {
		t.Fatalf("got %s", out)
	}
	sent := <-received
	if signed := sent.Get("Authorization"); !strings.Contains(signed, "Credential=ASIAX/") || !strings.Contains(signed, "/eu-north-1/dynamodb/") ||
		sent.Get("X-Amz-Security-Token") != "session" {
		t.Errorf("the request has %v", sent)
	}
}

// listenOnAPort returns an address that is in use until the test ends.
func listenOnAPort(t *testing.T) string {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { busy.Close() })
	return busy.Addr().String()
}
