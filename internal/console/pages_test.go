package console

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/feed"
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
	s.console = New(Config{Now: time.Now, BasePath: "/scim/v2", Key: key, Hosts: []string{"127.0.0.1:8080"}, Table: readOnly{tab, t},
		Tenants: func(context.Context) ([]string, error) { return tenants, nil },
		Token:   func(_ context.Context, tenant string) (string, error) { return s.tokens[tenant], nil }})
	log := slog.New(s.console.LogHandler(slog.NewTextHandler(io.Discard, nil)))
	c := directory.Config{Store: store.Config{Table: tab, Types: scim.StandardTypes(), Now: time.Now, Random: rand.Reader, Log: log}}
	s.publisher = &feed.Publisher{Store: c.Store, IsActive: func(context.Context, string) (bool, error) { return true, nil }}
	s.console.SCIM = server.New(server.Config{Directory: c, Tokens: tokens, Log: log, Timeout: time.Minute, BaseURL: "http://127.0.0.1:8080/scim/v2",
		Limiter: &token.Limiter{Table: tab, Now: time.Now, Log: log}, RequestID: func(*http.Request) string { return rand.Text() }})
	mux := http.NewServeMux()
	mux.Handle(Root, s.console.Pages())
	mux.Handle("/", s.console.Capture(s.console.SCIM))
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
		if paths = paths[1:]; pages[path] != "" || skip(path) {
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

// A word searches names, and a filter is sent as it is.
func TestSearch(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme")
	s.user("acme", "ada@example.com")
	s.user("acme", `bob "le" grand`)
	s.group("acme", "Engineers")
	for search, want := range map[string][]string{
		"type=User": {"ada@example.com", `bob "le" grand`}, "q=ADA": {"ada@example.com"}, "q=example.com&type=User": {"ada@example.com"},
		"q=" + url.QueryEscape(`"le"`): {`bob "le" grand`}, "q=nobody": {}, "type=Group&q=gineer": {"Engineers"},
		"q=" + url.QueryEscape(`emails.value eq "ADA@example.com"`): {"ada@example.com"}, "q=" + url.QueryEscape("(active pr)"): {},
		"sort=userName&order=descending": {`bob "le" grand`, "ada@example.com"},
	} {
		body, got := s.page("/console/directory?"+search, 200), []string{}
		for _, m := range regexp.MustCompile(`id=[ug][0-9a-v]{26}">([^<]*)</a>`).FindAllStringSubmatch(body, -1) {
			got = append(got, html.UnescapeString(m[1]))
		}
		if !strings.Contains(search, "sort") {
			slices.Sort(got)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", search, got, want)
		}
	}
}

// A rejected filter shows the detail of the server, and stays in the form.
func TestRejectedFilterShowsTheDetail(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme")
	body := s.page("/console/directory?q=userName+eq+(", 400)
	if !strings.Contains(body, "The filter is not valid") || !strings.Contains(body, `value="userName eq ("`) {
		t.Error(body)
	}
}

// The links to the next page lead to every resource once, and back.
func TestPages(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme")
	var ids []string
	for i := range 120 {
		ids = append(ids, s.user("acme", fmt.Sprintf("user%03d", i)))
	}
	group := s.group("acme", "all", ids...)
	for _, first := range []string{"/console/directory?q=user&sort=userName", "/console/directory/resource?type=Group&id=" + group} {
		seen, path, previous := map[string]bool{}, first, ""
		for n := range 3 {
			body := s.page(path, 200)
			for _, l := range links(body, "user") {
				if id := l[len(l)-27:]; seen[id] {
					t.Errorf("%s lists %s again", path, id)
				} else {
					seen[id] = true
				}
			}
			if next := links(body, "Next"); n < 2 {
				previous, path = path, s.link(body, "Next")
			} else if len(next) > 0 {
				t.Errorf("the last page has a next page %s", next)
			} else if body = s.page(s.link(body, "Previous"), 200); !strings.Contains(body, "51 to 100 of 120") {
				t.Errorf("before %s: %s", previous, body)
			}
		}
		if len(seen) != 120 {
			t.Errorf("%s: %d resources", first, len(seen))
		}
	}
}

// Links lead from a user to a group, to its items, and along an edge back to the user.
func TestLinksFollowMemberships(t *testing.T) {
	t.Parallel()
	s := newSite(t, "a#b")
	ada := s.user("a#b", "ada")
	s.group("a#b", "Engineers", ada)
	s.publish()
	body := s.page("/console/directory", 200)
	body = s.page(s.link(body, "ada"), 200)
	body = s.page(s.link(body, "Engineers"), 200)
	body = s.page(s.link(body, "items"), 200)
	if !strings.Contains(body, "Member#"+ada) {
		t.Fatal(body)
	}
	body = s.page(s.link(body, "a%23b#User#"+ada), 200)
	if !strings.Contains(body, "<td>head</td>") {
		t.Error(body)
	}
	body = s.page(s.link(body, "User "), 200)
	for _, part := range []string{"was created", "joined 1 group", `type=Group`, ">Engineers</a>", ada} {
		if !strings.Contains(body, part) {
			t.Errorf("the page has no %s: %s", part, body)
		}
	}
}

// The page of a group of 100,000 members, and that of its items, are small.
func TestLargeGroupHasSmallPages(t *testing.T) {
	t.Parallel()
	s, n := newSite(t, "acme"), 100_000
	if testing.Short() || directorytest.RaceEnabled() {
		n = 10_000
	}
	seeder := directorytest.NewSeeder(s.table, "acme")
	ids, err := seeder.Users(t.Context(), n, func(i int) scim.Object { return scim.Object{"userName": fmt.Sprintf("user%06d", i)} })
	if err != nil {
		t.Fatal(err)
	}
	group, err := seeder.GroupOf(t.Context(), "all", ids...)
	if err != nil {
		t.Fatal(err)
	}
	body := s.page("/console/directory/resource?type=Group&id="+group, 200)
	if !strings.Contains(body, fmt.Sprintf("1 to 50 of %d.", n)) || len(body) > 50_000 {
		t.Errorf("%d bytes: %.9000s", len(body), body)
	}
	body = s.page("/console/items?pk=acme%23Group%23"+group, 200)
	if next := s.page(s.link(body, "Next"), 200); len(body) > 100_000 || !strings.Contains(next, "100 items") || next == body {
		t.Errorf("%d bytes: %.9000s", len(body), body)
	}
}

// What does not exist is not found, and what is not valid is rejected.
func TestUnknownIsNotFound(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme")
	ada := s.user("acme", "ada")
	for path, status := range map[string]int{
		"directory?tenant=other": 404, "directory?type=Robot": 404, "directory?start=x": 400, "changes?tenant=other": 404, "changes?before=1": 400,
		"directory/resource": 404, "directory/resource?type=User&id=u06h2hgpok3o36g416qbb4t05fg": 404, "directory/resource?id=" + ada: 200,
		"directory/resource?type=Group&id=" + ada: 404, "directory/resource?id=..%2FUsers%2F" + ada: 404, "directory/resource?id=%00%ff%22": 404,
		"items?tenant=other": 404, "items?pk=none": 200, "items?token=none&list=acme%23token": 404, "items?pk=" + strings.Repeat("x", 3000): 400,
		"items?pk=%ff": 400, "changes/live?tenant=other": 400, "changes/live?after=x": 400, "nothing": 404,
	} {
		s.page(Root+path, status)
	}
}

// The pages of a tenant never show a resource of another tenant.
func TestTenantsAreIsolated(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme", "other", "acm")
	for tenant := range s.tokens {
		s.group(tenant, "secret group of "+tenant, s.user(tenant, "secret person of "+tenant))
	}
	s.publish()
	shared := func(path string) bool {
		return path == Root || strings.Contains(path, "/traffic/") || strings.HasSuffix(path, "pk=tenant") || !strings.Contains(path, "?")
	}
	pages := s.crawl(shared, "/console/directory?tenant=acme", "/console/items?tenant=acme", "/console/changes?tenant=acme")
	if len(pages) < 20 {
		t.Errorf("only %d pages", len(pages))
	}
	for path, body := range pages {
		if strings.Contains(body, "of other") || regexp.MustCompile(`of acm\b`).MatchString(body) {
			t.Errorf("%s shows a resource of another tenant", path)
		}
	}
}

// newFullSite returns a site whose table has items of many kinds.
func newFullSite(t *testing.T, tenant, text string) *site {
	t.Helper()
	s := newSite(t, tenant, "another")
	ada, bob := s.user(tenant, text), s.user(tenant, "bob "+text)
	group := s.group(tenant, text, ada)
	patch := map[string]any{"Operations": []any{map[string]any{"op": "add", "path": "members", "value": []any{map[string]any{"value": bob}}}}}
	s.scim(tenant, "PATCH", "/Groups/"+group, patch)
	s.scim(tenant, "GET", "/Users?cursor=&count=1", nil)
	s.publish()
	s.scim(tenant, "DELETE", "/Users/"+bob, nil)
	s.publish()
	return s
}

// No page writes to the table.
func TestPagesWriteNothing(t *testing.T) {
	t.Parallel()
	s := newFullSite(t, "acme", "ada")
	before := s.dump()
	if pages := s.crawl(none, Root, "/console/directory", "/console/items", "/console/changes"); len(pages) < 30 {
		t.Errorf("only %d pages", len(pages))
	}
	if !reflect.DeepEqual(before, s.dump()) {
		t.Error("a page has written to the table")
	}
}

// No page contains the hash of a token, or the key of the cursors.
func TestStoredSecretsAreMasked(t *testing.T) {
	t.Parallel()
	s := newFullSite(t, "acme", "ada")
	var secrets, keys []string
	for _, it := range s.dump() {
		k := it.Key()
		if hash, isToken := strings.CutPrefix(k.PK, "token#"); isToken {
			secrets, keys = append(secrets, hash), append(keys, "/console/items?pk="+url.QueryEscape(k.PK))
		}
		if secret := table.StringValue(it["secret"]); secret != "" {
			secrets = append(secrets, secret)
		}
	}
	pages := s.crawl(none, append(keys, Root, "/console/items")...)
	for path, body := range pages {
		for _, secret := range secrets {
			if strings.Contains(html.UnescapeString(body), secret) {
				t.Errorf("%s shows the secret %s", path, secret)
			}
		}
	}
	body := s.page(s.link(s.page("/console/items?pk=acme%23token", 200), "token"), 200)
	if len(secrets) != 3 || !strings.Contains(body, "token#•••") || !strings.Contains(body, "label: test") {
		t.Errorf("%d secrets; %s", len(secrets), body)
	}
}

var label = regexp.MustCompile(`(?s)<label.*?</label>|<input type="hidden"[^>]*>`)

// All stored data is escaped on every page. Every input has a label, and no page has a script or style of its own.
func TestHostileStoredDataIsEscaped(t *testing.T) {
	t.Parallel()
	for _, text := range hostile {
		s := newFullSite(t, text, text)
		addHostileItems(s, text)
		query := url.QueryEscape(text)
		paths := []string{Root, "/console/directory?q=" + query, "/console/directory?sort=" + query + "&order=" + query + "&type=Group", "/console/directory?type=" + query,
			"/console/directory?tenant=" + query + "&start=" + query, "/console/directory/resource?id=" + query, "/console/items?pk=" + query, "/console/items",
			"/console/items?pk=" + query + "&prefix=" + query + "&after=" + query, "/console/changes?before=" + query, "/console/changes", "/console/changes?tenant=another"}
		checkHostile(s, text, paths...)
		s.console.SCIM = hostileServer(text)
		checkHostile(s, text, "/console/directory?q="+query, "/console/directory/resource?id="+query, "/console/items", "/console/directory?type=Broken")
	}
}

func checkHostile(s *site, text string, paths ...string) {
	s.Helper()
	for path, body := range s.crawl(none, paths...) {
		for _, active := range []string{"<script>alert", `"onload="alert`, "<img src=x", `href="javascript:`, "k3y", " style="} {
			if strings.Contains(body, active) {
				s.Errorf("%s contains %s of %s", path, active, text)
			}
		}
		if rest := label.ReplaceAllString(body, ""); strings.Contains(rest, "<input") || strings.Contains(rest, "<select") || strings.Count(body, "<script") > 1 {
			s.Errorf("%s has an input without a label, or a second script", path)
		}
	}
}

// addHostileItems adds items with a text in every key and attribute, and entries of the log with it in every field.
func addHostileItems(s *site, text string) {
	s.Helper()
	c := feed.Change{ResourceType: text, ResourceID: text, Kinds: []feed.Kind{feed.Kind(text), feed.GroupsChanged}, Attributes: []string{text},
		Joined: []string{text}, Left: []string{text}, Request: text, Token: text}
	encoded, _ := json.Marshal([]feed.Change{c})
	var writes []table.Write
	add := func(pk, sk string) {
		writes = append(writes, table.Put{Item: table.Item{"PK": table.S(pk), "SK": table.S(sk), text: table.S(text), "id": table.S(text), "type": table.S(text),
			"tenant": table.S(text), "hash": table.S(text), "groups": table.SS(text), "doc": table.S(text), "changes": table.S(string(encoded))}})
	}
	for _, pk := range []string{text, "tenant", "unfinished", text + "#" + text, text + "#token", text + "#User#" + text, text + "#User#a#" + text} {
		add(pk, text)
		add(pk, text+"#"+text+"#"+text)
		add(pk, "Member#"+text)
	}
	add(text+"#changes", "9000000000000000")
	writes = append(writes, table.Put{Item: table.Item{"PK": table.S(text + "#changes"), "SK": table.S("9000000000000001"), "changes": table.S(text)}})
	if err := s.table.Write(s.Context(), writes...); err != nil {
		s.Fatal(err)
	}
}

// hostileServer returns a SCIM server whose responses have a text in every attribute.
func hostileServer(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		types := []any{map[string]any{"name": text, "endpoint": "/" + text}, map[string]any{"name": "Broken", "endpoint": "/Broken"}}
		o := map[string]any{"id": text, "userName": text, "displayName": text, text: text, "meta": map[string]any{"lastModified": text},
			"groups": []any{map[string]any{"value": text, "display": text, "$ref": "https://x/" + text + "/" + text}}}
		switch {
		case strings.HasSuffix(r.URL.Path, "/ResourceTypes"):
			o["Resources"] = types
		case strings.HasSuffix(r.URL.Path, "/Broken"):
			w.WriteHeader(400)
			o["detail"] = text
		default:
			o["Resources"], o["totalResults"], o["startIndex"] = []any{map[string]any{"id": text, "userName": text, "meta": map[string]any{"lastModified": text}}}, 1000, 1
		}
		json.NewEncoder(w).Encode(o)
	})
}

// The feed tells what happened, the newest first, with links to the request while its exchange is kept.
func TestChanges(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme")
	ada := s.user("acme", "ada")
	s.publish()
	s.scim("acme", "PATCH", "/Users/"+ada, map[string]any{"Operations": []any{map[string]any{"op": "replace", "path": "active", "value": false}}})
	s.publish()
	body := s.page("/console/changes", 200)
	if first, second := strings.Index(body, "user.deactivated"), strings.Index(body, "user.created"); first < 0 || second < first {
		t.Errorf("deactivated at %d, created at %d: %s", first, second, body)
	}
	if exchange := s.page("/console/traffic/2", 200); !strings.Contains(body, `href="/console/traffic/2"`) || !strings.Contains(exchange, "PATCH") {
		t.Error(body)
	}
	s.scim("acme", "DELETE", "/Users/"+ada, nil)
	s.publish()
	if body = s.page("/console/directory/resource?type=User&id="+ada, 404); !strings.Contains(body, "user.deleted") || !strings.Contains(body, "does not exist any more") {
		t.Errorf("a deleted resource has its history: %s", body)
	}
	s.console.exchanges.clear()
	if body = s.page("/console/changes", 200); strings.Contains(body, "/console/traffic/") {
		t.Error("a change links to an exchange that is not kept")
	}
}

// The pages of the change log have every change once.
func TestChangesHavePages(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme")
	for i := range 120 {
		if s.user("acme", fmt.Sprintf("user%03d", i)); i%7 == 0 {
			s.publish()
		}
	}
	s.publish()
	seen, path := map[string]bool{}, "/console/changes"
	for n := 0; path != ""; n++ {
		body := s.page(path, 200)
		list := links(body, "user")
		for _, l := range list {
			seen[l] = true
		}
		if len(list) == 0 || len(list) > 60 || n > 5 {
			t.Fatalf("page %d has %d changes", n, len(list))
		}
		path = strings.Join(links(body, "Older"), "")
	}
	if len(seen) != 120 {
		t.Errorf("%d changes, want 120", len(seen))
	}
}

// A search of the log for one resource reads a bounded part of it, and the next page continues.
func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme")
	ada := s.user("acme", "ada")
	s.publish()
	last, err := s.table.Query(t.Context(), table.Range{PK: "acme#changes", From: firstEntry, To: lastEntry, Backward: true, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	number, _ := strconv.ParseInt(last.Items[0].Key().SK, 10, 64)
	for i := range int64(maxEntries) {
		it := table.Item{"PK": table.S("acme#changes"), "SK": table.S(fmt.Sprintf("%016d", number+1+i)), "changes": table.S("[]")}
		if err := s.table.Write(t.Context(), table.Put{Item: it}); err != nil {
			t.Fatal(err)
		}
	}
	body := s.page("/console/directory/resource?type=User&id="+ada, 200)
	if strings.Contains(body, "user.created") {
		t.Error("the page reads the whole log")
	}
	if body = s.page(s.link(body, "Older"), 200); !strings.Contains(body, "user.created") || len(links(body, "Older")) > 0 {
		t.Error(body)
	}
}

// A browser that listens receives each new change once, also after it has lost the connection.
func TestNewChangesAppear(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme", "other")
	s.user("acme", "old")
	s.publish()
	after := regexp.MustCompile(`after=(\d{16})`).FindStringSubmatch(s.page("/console/changes", 200))[1]
	l := httptest.NewServer(s.handler)
	defer l.Close()
	s.console.Hosts = []string{strings.TrimPrefix(l.URL, "http://")}
	s.user("acme", "new")
	s.user("other", "stranger")
	s.publish()
	id := listenFor(s, l.URL+"/console/changes/live?after="+after, "", "new")
	s.user("acme", "newest")
	s.publish()
	listenFor(s, l.URL+"/console/changes/live?after="+after, id, "newest")
}

// listenFor listens until a user appears, who must be the first, and returns the ID of the event.
func listenFor(s *site, address, last, name string) (id string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", address, nil)
	r.AddCookie(&http.Cookie{Name: cookie, Value: key})
	r.Header.Set("Last-Event-ID", last)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if after, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			id = after
		}
		if got := links(lines.Text(), ""); len(got) > 0 {
			if !strings.Contains(lines.Text(), ">"+name+"</a> was created") {
				s.Errorf("%s, want %s", lines.Text(), name)
			}
			return id
		}
	}
	s.Errorf("no event for %s", name)
	return id
}

// The console recognizes the keys that the packages store, token and feed write.
func TestEveryKeyIsRecognized(t *testing.T) {
	t.Parallel()
	k, user, group := store.NewKeys("a#b"), scim.StandardTypes().ByName("User"), scim.StandardTypes().ByName("Group")
	for want, key := range map[string]table.Key{
		"head": k.Head(user, "u1"), "edge": k.Edge(group, "g1", "u1"), "change": k.ChangeItem(group, "g1", "c1", 2), "name": k.Name(user, "ada#x"),
		"intent marker": k.IntentMarker(group, "g1", "c1"), "cursor key": k.CursorKey(), "bookmark": k.Bookmark("f", 51), "counter": k.Counter(user, 7),
		"all": {PK: k.AllPartition(user), SK: "u1"}, "index": {PK: k.IndexPartition(user, "emails", "a#b@c"), SK: "u1"}, "unknown": {PK: "x", SK: "x"},
	} {
		it := table.Item{"PK": table.S(key.PK), "SK": table.S(key.SK), "id": table.S("u1"), "type": table.S("User")}
		got := describeItem(it)
		leads := map[string]string{"edge": "a%23b#User#u1", "name": "a%23b#User#u1", "all": "a%23b#User#u1", "index": "a%23b#User#u1", "intent marker": "a%23b#Group#g1"}[want]
		if got.Kind != want || strings.Join(got.Partitions, " ") != leads {
			t.Errorf("%v is %+v, want %s %s", key, got, want, leads)
		}
	}
	s := newFullSite(t, "acme", "ada")
	kinds := map[string]bool{}
	for _, it := range s.dump() {
		kinds[describeItem(it).Kind] = true
	}
	for _, kind := range []string{"tenant", "token", "token list entry", "log entry", "log state", "head", "edge", "name", "index", "all", "counter", "cursor key"} {
		if !kinds[kind] {
			t.Errorf("no item is a %s: %v", kind, kinds)
		}
	}
	if kinds["unknown"] {
		t.Error("an item is unknown")
	}
}

// All assets together have at most 120 KB.
func TestAssetsAreSmall(t *testing.T) {
	t.Parallel()
	size := 0
	err := fs.WalkDir(files, "assets", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := files.Open(path)
		if err == nil {
			var n int64
			n, err = io.Copy(io.Discard, f)
			size += int(n)
		}
		return err
	})
	if err != nil || size > 120_000 {
		t.Errorf("%d bytes, %v", size, err)
	}
}
