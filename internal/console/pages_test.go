package console

import (
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/feed"
	"serverless-scim/internal/table"
	"serverless-scim/internal/token"
)

// The pages of a tenant never show a resource of another tenant.
func TestTenantsAreIsolated(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme", "other", "acm")
	for tenant := range s.tokens {
		s.group(tenant, "secret group of "+tenant, s.user(tenant, "secret person of "+tenant))
	}
	s.publish()
	marker := table.Item{"PK": table.S("unfinished"), "SK": table.S("other#User#u of other"), "at": table.N(1)}
	if err := s.table.Write(t.Context(), table.Put{Item: marker}); err != nil {
		t.Fatal(err)
	}
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
	s.addClient("another")
	return s
}

// addClient adds a client with a secret, and an access token for which an assertion was used.
func (s *site) addClient(tenant string) {
	s.Helper()
	tokens := &token.Store{Table: s.table, Now: time.Now}
	c := token.Client{Tenant: tenant, Label: "entra", Scope: token.ScopeAll, TokenLifetime: time.Hour}
	err := c.AddSecret(token.NewClientSecret(), time.Now(), time.Hour, 0)
	if err == nil {
		c, err = tokens.CreateClient(s.Context(), c)
	}
	if err == nil {
		used := &token.UsedAssertion{Issuer: c.ID, ID: "1", ExpiresAt: time.Now()}
		_, err = tokens.IssueAccessToken(s.Context(), c, token.New(tenant), token.ScopeAll, used)
	}
	if err != nil {
		s.Fatal(err)
	}
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

var labelElement = regexp.MustCompile(`(?s)<label.*?</label>|<input type="hidden"[^>]*>`)

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
		if rest := labelElement.ReplaceAllString(body, ""); strings.Contains(rest, "<input") || strings.Contains(rest, "<select") || strings.Count(body, "<script") > 1 {
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
	add("tenant", "a "+text) // not the tenant itself, which the server reads
	for _, pk := range []string{text, "unfinished", text + "#" + text, text + "#token", text + "#User#" + text, text + "#User#a#" + text} {
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
