package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"

	"serverless-scim/internal/admin"
	"serverless-scim/internal/console"
	"serverless-scim/internal/console/capture"
	"serverless-scim/internal/directory"
	"serverless-scim/internal/fsck"
	"serverless-scim/internal/token"
)

// newConsole returns a console of a table, without traffic, for a server that listens at an address. Its key is new in
// each run.
func newConsole(c directory.Config, a net.Addr) *console.Console {
	host, port, _ := net.SplitHostPort(a.String())
	hosts := []string{net.JoinHostPort(host, port)}
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		hosts = append(hosts, net.JoinHostPort(name, port))
	}
	return console.New(console.Config{Now: c.Store.Now, BasePath: basePath, Key: rand.Text(), Hosts: hosts, Table: c.Store.Table,
		IndexKeys: fsck.IndexKeys(c.Store), Execute: admin.New(c).Execute, Fsck: func(ctx context.Context, repair bool) (lines []string, err error) {
			check := fsck.Checker{Config: c.Store, Repair: repair, Report: func(f fsck.Finding) { lines = append(lines, f.String()) }}
			_, err = check.RunExclusive(ctx)
			return lines, err
		}})
}

// consoleURL returns the address of the console of a server that listens at an address, or "" if the console is off.
func consoleURL(con *console.Console, a net.Addr) string {
	if con == nil {
		return ""
	}
	return strings.TrimSuffix(baseURL(a), basePath) + console.Root + "?key=" + con.Key
}

// saveRecording saves the requests that were recorded, if -record was given.
func (o options) saveRecording(con *console.Console) error {
	if o.record == "" {
		return nil
	}
	n, err := con.SaveRecording(o.record)
	if err != nil {
		return fmt.Errorf("the recording is lost: %w", err)
	}
	if n == 0 {
		fmt.Fprintln(os.Stderr, "local: nothing was recorded that can be played")
		return nil
	}
	fmt.Fprintf(os.Stderr, "local: saved %d requests in %s\n", n, o.record)
	return nil
}

// observed returns a configuration whose table and log add what a request does to its exchange.
func observed(c directory.Config) directory.Config {
	c.Store.Table = capture.Table(c.Store.Table)
	c.Store.Log = slog.New(capture.LogHandler(c.Store.Log.Handler()))
	return c
}

// withPages returns a handler that serves the pages of the console and, at all other paths, the SCIM API. A browser that
// opens the root comes to the console. The pages end with ctx, because live pages would delay the end of the server.
func withPages(ctx context.Context, con *console.Console, scim http.Handler) http.Handler {
	pages := con.Pages()
	mux := http.NewServeMux()
	mux.HandleFunc(console.Root, func(w http.ResponseWriter, r *http.Request) {
		request, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		pages.ServeHTTP(w, r.WithContext(request))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" && r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") {
			http.Redirect(w, r, console.Root, http.StatusFound)
			return
		}
		scim.ServeHTTP(w, r)
	})
	return mux
}

// tenantNames returns the function that lists the tenants, also those that are disabled.
func tenantNames(tokens *token.Store) func(context.Context) ([]string, error) {
	return func(ctx context.Context) (names []string, err error) {
		tenants, err := tokens.Tenants(ctx)
		for _, t := range tenants {
			names = append(names, t.Name)
		}
		return names, err
	}
}

// consoleToken returns the function that issues the tokens with which the console asks the SCIM API.
func consoleToken(tokens *token.Store, scope token.Scope) func(tenant string) string {
	return func(tenant string) string { return tokens.IssueInMemory(tenant, "console", scope) }
}
