package console

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/admin"
	"serverless-scim/internal/console/capture"
	"serverless-scim/internal/directory"
	"serverless-scim/internal/feed"
	"serverless-scim/internal/fsck"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/server"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/token"
)

// A site is a console of a SCIM server with an embedded table.
type site struct {
	*testing.T
	table     *bolt.Table
	console   *Console
	handler   http.Handler
	tokens    map[string]string // by tenant
	publisher *feed.Publisher
}

// A readOnly is a table to which the console must not write.
type readOnly struct {
	table.Table
	*testing.T
}

func (t readOnly) Write(context.Context, ...table.Write) error {
	t.T.Error("the console writes to the table")
	return nil
}

// newSite returns a site with tenants. Requests of the test are captured.
func newSite(t *testing.T, tenants ...string) *site {
	t.Helper()
	tab, err := bolt.Open(":memory:", bolt.Watch(feed.IsWatched))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tab.Close() })
	tokens := &token.Store{Table: tab, Now: time.Now}
	s := &site{T: t, table: tab, tokens: map[string]string{}}
	for _, name := range tenants {
		s.tokens[name] = rand.Text()
		if err := tokens.ReplaceToken(t.Context(), name, "test", s.tokens[name]); err != nil {
			t.Fatal(err)
		}
		if _, err := tokens.Authenticate(t.Context(), []string{s.tokens[name]}); err != nil { // records the first use
			t.Fatal(err)
		}
	}
	s.console = New(Config{Now: time.Now, BasePath: "/scim/v2", Key: key, Hosts: []string{"127.0.0.1:8080"}, Table: readOnly{tab, t}, Traffic: capture.New(time.Now, "/scim/v2"),
		Tenants: func(context.Context) ([]string, error) { return tenants, nil },
		Token:   func(tenant string) string { return s.tokens[tenant] }})
	log := slog.New(capture.LogHandler(slog.NewTextHandler(io.Discard, nil)))
	c := directory.Config{Store: store.Config{Table: capture.Table(tab), Types: scim.StandardTypes(), Now: time.Now, Random: rand.Reader, Log: log}}
	s.console.IndexKeys = fsck.IndexKeys(c.Store)
	s.console.Execute = admin.New(c).Execute
	s.publisher = &feed.Publisher{Store: c.Store, IsActive: func(context.Context, string) (bool, error) { return true, nil }}
	s.console.SCIM = server.New(server.Config{Directory: c, Tokens: tokens, Log: log, Timeout: time.Minute, BaseURL: "http://127.0.0.1:8080/scim/v2",
		Limiter: &token.Limiter{Table: tab, Now: time.Now, Log: log}, RequestID: func(*http.Request) string { return rand.Text() }})
	mux := http.NewServeMux()
	mux.Handle(Root, s.console.Pages())
	mux.Handle("/", s.console.Traffic.Handler(s.console.SCIM))
	s.handler = mux
	return s
}

// scim sends a request of a tenant and returns the ID in the response.
func (s *site) scim(tenant, method, path string, body any) string {
	s.Helper()
	b, _ := json.Marshal(body)
	r := httptest.NewRequest(method, "/scim/v2"+path, strings.NewReader(string(b)))
	r.Header.Set("Authorization", "Bearer "+s.tokens[tenant])
	r.Header.Set("Content-Type", "application/scim+json")
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	if w.Code/100 != 2 {
		s.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	var o struct{ ID string }
	json.Unmarshal(w.Body.Bytes(), &o)
	return o.ID
}

func (s *site) user(tenant, name string) string {
	s.Helper()
	return s.scim(tenant, "POST", "/Users", map[string]any{"userName": name, "displayName": name, "externalId": name, "emails": []any{map[string]any{"value": name}}})
}

func (s *site) group(tenant, name string, members ...string) string {
	s.Helper()
	values := []any{}
	for _, id := range members {
		values = append(values, map[string]any{"value": id})
	}
	return s.scim(tenant, "POST", "/Groups", map[string]any{"displayName": name, "members": values})
}

// publish moves all changes to the change log.
func (s *site) publish() {
	s.Helper()
	for n := 1; n > 0; {
		var err error
		n, err = s.table.Receive(s.Context(), func(ctx context.Context, records []table.Record) error {
			_, err := s.publisher.Publish(ctx, records)
			return err
		})
		if err != nil {
			s.Fatal(err)
		}
	}
}

// page returns a page that must have a status.
func (s *site) page(path string, status int) string {
	s.Helper()
	r := httptest.NewRequest("GET", path, nil)
	r.Host = "127.0.0.1:8080"
	r.AddCookie(&http.Cookie{Name: cookie, Value: key})
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	if w.Code != status {
		s.Errorf("%s: %d, want %d: %s", path, w.Code, status, w.Body)
	}
	return w.Body.String()
}

var anchor = regexp.MustCompile(`<a [^>]*?href="([^"]*)"[^>]*>(?:<code>)?([^<]*)`)

// links returns the addresses of the links on a page whose text contains a text.
func links(body, text string) (list []string) {
	for _, m := range anchor.FindAllStringSubmatch(body, -1) {
		if strings.Contains(html.UnescapeString(m[2]), text) {
			list = append(list, html.UnescapeString(m[1]))
		}
	}
	return list
}

// link returns the address of the first link on a page whose text contains a text.
func (s *site) link(body, text string) string {
	s.Helper()
	list := links(body, text)
	if len(list) == 0 {
		s.Fatalf("the page has no link %q: %s", text, body)
	}
	return list[0]
}

// crawl opens pages, and all that they link to except those that skip selects. It returns the pages by address.
func (s *site) crawl(skip func(path string) bool, paths ...string) map[string]string {
	s.Helper()
	pages := map[string]string{}
	for len(paths) > 0 {
		path := paths[0]
		if paths = paths[1:]; pages[path] != "" || path[0] == '#' || skip(path) {
			continue
		}
		r := httptest.NewRequest("GET", path, nil)
		r.Host = "127.0.0.1:8080"
		r.AddCookie(&http.Cookie{Name: cookie, Value: key})
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if pages[path] = w.Body.String(); w.Code >= 500 {
			s.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		paths = append(paths, links(pages[path], "")...)
	}
	return pages
}

func none(string) bool { return false }

// dump returns all items of the table.
func (s *site) dump() (items []table.Item) {
	for from := (table.Key{}); ; {
		p, err := s.table.Scan(s.Context(), from)
		if err != nil {
			s.Fatal(err)
		}
		items = append(items, p.Items...)
		if from = p.LastEvaluatedKey; from == (table.Key{}) {
			return items
		}
	}
}
