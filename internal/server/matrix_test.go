package server

import (
	"cmp"
	"encoding/base64"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/oauth"
	"serverless-scim/internal/token"
)

// A matrixPath holds a path and the actions of its route, which are nil if the path has no route. A public path has a status
// that does not depend on the credentials.
type matrixPath struct {
	path    string
	actions methods
	public  func(method string) (status int)
}

// publicPaths returns the paths that are served without a token.
func publicPaths() []matrixPath {
	statuses := func(methods map[string]int) func(string) int {
		return func(method string) int { return cmp.Or(methods[method], 405) }
	}
	return []matrixPath{
		{path: oauth.TokenPath, public: statuses(map[string]int{"POST": 400})}, // the body is not a form
		{path: oauth.MetadataPath, public: statuses(map[string]int{"GET": 200, "HEAD": 200})},
	}
}

func (p matrixPath) writes(method string) bool { return p.actions[method].writes }

// allPaths returns paths of every route of the route table, and paths without a route. id is the ID of a user.
func allPaths(c *client, id string) (all []matrixPath) {
	routes := new(server).newRouteTable()
	for pattern, actions := range routes {
		first, rest, _ := strings.Cut(pattern, "/")
		endpoints, ends := []string{first, strings.ToUpper(first)}, []string{rest}
		if first == "TYPE" {
			endpoints = nil
			for _, rt := range c.config.Directory.Store.Types.ResourceTypes {
				endpoints = append(endpoints, strings.TrimPrefix(rt.Endpoint, "/"))
			}
		}
		if rest == "ID" {
			ends = []string{id, "none", "User"}
		}
		for _, endpoint := range endpoints {
			for _, end := range ends {
				all = append(all, matrixPath{path: strings.TrimSuffix("/"+endpoint+"/"+end, "/"), actions: actions})
			}
		}
	}
	for path, pattern := range map[string]string{"/": "", "/Users/": "TYPE", "//Users": "TYPE", "/Users/%2e%2e": "TYPE/ID", "/nothing": "x", "/Users/a/b": "x",
		"/oauth": "x", "/oauth/token/x": "x", "/oauth/tokens": "x", "/OAuth/Token": "x", "/.well-known": "x", "/.well-known/openid-configuration": "x"} {
		all = append(all, matrixPath{path: path, actions: routes[pattern]})
	}
	return append(all, publicPaths()...)
}

var matrixMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "SEARCH"}

// sendMatrix sends a request of the matrix with the Authorization headers and the query string of w.
func (c *client) sendMatrix(method, path string, w credentials) clientResponse {
	r := httptest.NewRequest(method, "/", strings.NewReader(`{"userName":"eve","displayName":"eve"}`))
	r.URL.Path, r.URL.RawQuery = "/v2"+path, strings.TrimPrefix(w.query, "?")
	r.Header["Authorization"] = w.header
	return c.send(r)
}

// credentials are headers and a query string that authenticate a request, or try to.
type credentials struct {
	name   string
	header []string
	query  string
	valid  bool
}

// newCredentials returns credentials of each kind, valid ones and invalid ones.
func newCredentials(c *client, k *clock) (all []credentials) {
	ctx, good := c.Context(), c.secret
	create := func(tenant string, lifetime time.Duration) (string, token.Token) {
		secret := token.New(tenant)
		if _, err := c.config.Tokens.CreateTenant(ctx, tenant); err != nil && tenant != "test" {
			c.Fatal(err)
		}
		created, err := c.config.Tokens.Create(ctx, tenant, "label "+secret[len(secret)-9:], secret, token.ScopeAll, lifetime)
		if err != nil {
			c.Fatal(err)
		}
		return secret, created
	}
	createInTenant := func(tenant string, change func(*token.Tenant)) string {
		secret, _ := create(tenant, time.Hour)
		if _, err := c.config.Tokens.UpdateTenant(ctx, tenant, func(t *token.Tenant) error { change(t); return nil }); err != nil {
			c.Fatal(err)
		}
		return secret
	}
	expired, _ := create("test", time.Second)
	k.Add(2)
	revoked, revokedToken := create("test", time.Hour)
	if err := c.config.Tokens.Revoke(ctx, "test", revokedToken.ID); err != nil {
		c.Fatal(err)
	}
	accessOf := func(tenant string) (secret string, of token.Client) {
		of, clientSecret := c.createClient(tenant, token.ScopeAll)
		return c.requestToken(of.ID, clientSecret), of
	}
	expiredAccess, _ := accessOf("test")
	k.Add(3601)
	access, _ := accessOf("test")
	revokedAccess, revokedClient := accessOf("test")
	if err := c.config.Tokens.RevokeClient(ctx, "test", revokedClient.ID); err != nil {
		c.Fatal(err)
	}
	k.Add(5) // until then, the token is accepted from the cache
	if _, err := c.config.Tokens.CreateTenant(ctx, "stranger"); err != nil {
		c.Fatal(err)
	}
	strange, _ := accessOf("stranger") // of another tenant, which has other resources
	existing, existingSecret := c.createClient("test", token.ScopeAll)
	disabled := createInTenant("disabled", func(t *token.Tenant) { t.DisabledAt = k.now() })
	deleted := createInTenant("deleted", func(t *token.Tenant) { t.DeletedAt = k.now() })
	basic := func(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }
	for name, header := range map[string]string{"Bearer": "Bearer " + good, "lower case": "bearer " + good, "bare": good, "Basic": basic("okta:" + good),
		"access token": "Bearer " + access, "access token of another tenant": "Bearer " + strange} {
		all = append(all, credentials{name, []string{header}, "", true})
	}
	for name, header := range map[string]string{
		"empty": "", "space": " ", "Bearer alone": "Bearer", "Bearer and nothing": "Bearer ", "wrong scheme": "Digest " + good,
		"unknown": "Bearer " + token.New("test"), "of no tenant": "Bearer " + token.New("none"), "altered": "Bearer " + good[:len(good)-1] + "-",
		"cut off": "Bearer " + good[:len(good)-1], "expired": "Bearer " + expired, "revoked": "Bearer " + revoked,
		"of a disabled tenant": "Bearer " + disabled, "of a deleted tenant": "Bearer " + deleted, "10 KB": "Bearer " + strings.Repeat("x", 10<<10),
		"not ASCII": "Bearer " + good + "é", "NUL": "Bearer " + good + "\x00", "two in one": "Bearer " + good + ", Bearer " + good,
		"as the user of Basic": basic(good + ":"), "its ID": "Bearer token#" + revokedToken.ID,
		"expired access token": "Bearer " + expiredAccess, "access token of a revoked client": "Bearer " + revokedAccess,
		"ID of a client": "Bearer " + existing.ID, "secret of a client": "Bearer " + existingSecret, "client as for the token endpoint": basic(existing.ID + ":" + existingSecret),
	} {
		all = append(all, credentials{name, []string{header}, "", false})
	}
	return append(all, credentials{"none", nil, "", false}, credentials{"two headers", []string{"Bearer " + good, "Bearer " + good}, "", false},
		credentials{"in the query", nil, "?access_token=" + good + "&token=" + good, false},
		credentials{"in the query, with a wrong header", []string{"Bearer wrong"}, "?access_token=" + good, false})
}

func TestEveryRouteRequiresValidToken(t *testing.T) {
	t.Parallel()
	c, k := newClientWithClock(t)
	id, requests, rejection := c.create("/Users", `{"userName":"ada"}`), 0, ""
	all := newCredentials(c, k)
	before := c.dumpTable()
	for _, w := range all {
		for _, p := range allPaths(c, id) {
			path := p.path
			for _, method := range matrixMethods {
				if w.valid && (method == "DELETE" || method == "PUT") && strings.HasSuffix(path, id) {
					continue // keeps the user for the other requests
				}
				resp := c.sendMatrix(method, path, w)
				requests++
				switch {
				case p.public != nil:
					if resp.status != p.public(method) {
						t.Errorf("%s: %s %s: %d", w.name, method, path, resp.status)
					}
				case resp.status >= 500 && resp.status != 501:
					t.Errorf("%s: %s %s: %d", w.name, method, path, resp.status)
				case w.valid == (resp.status == 401):
					t.Errorf("%s: %s %s: %d", w.name, method, path, resp.status)
				case !w.valid && method != "HEAD":
					if rejection == "" {
						rejection = resp.text
					}
					if resp.text != rejection || resp.header.Get("WWW-Authenticate") != "Bearer" {
						t.Errorf("%s: %s %s returns a different error: %s", w.name, method, path, resp.text)
					}
				}
			}
		}
		if !w.valid && c.dumpTable() != before {
			t.Fatalf("%s: the table was changed", w.name)
		}
		before = c.dumpTable()
	}
	t.Logf("%d requests", requests)
	other := *c
	other.secret = token.New("other")
	if err := c.config.Tokens.ReplaceToken(t.Context(), "other", "test", other.secret); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"GET", "PUT", "PATCH", "DELETE"} {
		body := map[string]string{"PUT": `{"userName":"x"}`, "PATCH": deactivation}[method]
		other.expect(other.do(method, "/Users/"+id, body), 404)
	}
}

// withScope returns a client with a new token of a tenant, whose first use is recorded.
func (c *client) withScope(tenant string, scope token.Scope) *client {
	c.Helper()
	other := *c
	other.secret = token.New(tenant)
	_, err := c.config.Tokens.Create(c.Context(), tenant, string(scope), other.secret, scope, time.Hour)
	if err == nil {
		_, err = c.config.Tokens.Authenticate(c.Context(), []string{other.secret})
	}
	if err != nil {
		c.Fatal(err)
	}
	return &other
}

// With a token of scope scim.read, a route that reads returns the status that it returns with a token of scope scim. A
// route that writes returns 403. Neither token changes another tenant, and scim.read changes nothing in the table.
func TestAScopePermitsExactlyItsRoutes(t *testing.T) {
	t.Parallel()
	c, _ := newClientWithClock(t)
	id := c.create("/Users", `{"userName":"ada"}`)
	if _, err := c.config.Tokens.CreateTenant(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	for _, tenant := range []string{"test", "other"} {
		all, reader, refused := c.withScope(tenant, token.ScopeAll), c.withScope(tenant, token.ScopeRead), map[string]bool{}
		for _, path := range []string{"/Users?cursor&count=1", "/Changes"} { // they store what a first read stores
			all.do("GET", path, "")
		}
		first := c.dumpTenant("test")
		for _, p := range allPaths(c, id) {
			for _, method := range matrixMethods {
				before := c.dumpTable()
				got := reader.sendMatrix(method, p.path, credentials{header: []string{"Bearer " + reader.secret}})
				if c.dumpTable() != before {
					t.Errorf("%s: %s %s changed the table", tenant, method, p.path)
				}
				if p.writes(method) {
					detail, _ := got.body["detail"].(string)
					if got.status != 403 || !strings.Contains(detail, "a token of scope scim, ") {
						t.Errorf("%s: %s %s returns %d %s, want 403", tenant, method, p.path, got.status, got.text)
					}
					refused[method] = true
				}
				if tenant == "test" && (method == "DELETE" || method == "PUT") && strings.HasSuffix(p.path, id) {
					continue // keeps the user for the other requests
				}
				want := all.sendMatrix(method, p.path, credentials{header: []string{"Bearer " + all.secret}})
				if want.status == 403 || !p.writes(method) && got.status != want.status {
					t.Errorf("%s: %s %s returns %d, and %d with scope scim", tenant, method, p.path, got.status, want.status)
				}
			}
		}
		if len(refused) != 4 {
			t.Errorf("%s: only requests with %v were refused", tenant, refused)
		}
		if tenant != "test" && c.dumpTenant("test") != first {
			t.Error("a token of another tenant changed the tenant test")
		}
	}
}
