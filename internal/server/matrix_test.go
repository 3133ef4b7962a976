package server

import (
	"encoding/base64"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/token"
)

// servicePaths holds the paths of each pattern of the route table, except those of the root and of resource types.
var servicePaths = map[string][]string{
	".search":               {"/.search"},
	"bulk":                  {"/Bulk", "/bulk"},
	"me":                    {"/Me"},
	"me/ID":                 {"/Me/x"},
	"serviceproviderconfig": {"/ServiceProviderConfig"},
	"resourcetypes":         {"/ResourceTypes"},
	"resourcetypes/ID":      {"/ResourceTypes/User"},
	"schemas":               {"/Schemas"},
	"schemas/ID":            {"/Schemas/urn:ietf:params:scim:schemas:core:2.0:User"},
}

// allPaths returns paths of every route, and paths without a route. id is the ID of a user.
func allPaths(c *client, id string) (all []string) {
	for pattern := range new(server).newRouteTable() {
		if pattern != "" && !strings.HasPrefix(pattern, "TYPE") && len(servicePaths[pattern]) == 0 {
			c.Errorf("servicePaths has no path for %s", pattern)
		}
		all = append(all, servicePaths[pattern]...)
	}
	for _, rt := range c.config.Directory.Store.Types.ResourceTypes {
		all = append(all, rt.Endpoint, rt.Endpoint+"/", rt.Endpoint+"/.search", rt.Endpoint+"/"+id, rt.Endpoint+"/none")
	}
	return append(all, "", "/", "//Users", "/nothing", "/Users/a/b", "/Users/%2e%2e")
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
	disabled := createInTenant("disabled", func(t *token.Tenant) { t.DisabledAt = k.now() })
	deleted := createInTenant("deleted", func(t *token.Tenant) { t.DeletedAt = k.now() })
	basic := func(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }
	for name, header := range map[string]string{"Bearer": "Bearer " + good, "lower case": "bearer " + good, "bare": good, "Basic": basic("okta:" + good)} {
		all = append(all, credentials{name, []string{header}, "", true})
	}
	for name, header := range map[string]string{
		"empty": "", "space": " ", "Bearer alone": "Bearer", "Bearer and nothing": "Bearer ", "wrong scheme": "Digest " + good,
		"unknown": "Bearer " + token.New("test"), "of no tenant": "Bearer " + token.New("none"), "altered": "Bearer " + good[:len(good)-1] + "-",
		"cut off": "Bearer " + good[:len(good)-1], "expired": "Bearer " + expired, "revoked": "Bearer " + revoked,
		"of a disabled tenant": "Bearer " + disabled, "of a deleted tenant": "Bearer " + deleted, "10 KB": "Bearer " + strings.Repeat("x", 10<<10),
		"not ASCII": "Bearer " + good + "é", "NUL": "Bearer " + good + "\x00", "two in one": "Bearer " + good + ", Bearer " + good,
		"as the user of Basic": basic(good + ":"), "its ID": "Bearer token#" + revokedToken.ID,
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
		for _, path := range allPaths(c, id) {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "SEARCH"} {
				if w.valid && (method == "DELETE" || method == "PUT") && strings.HasSuffix(path, id) {
					continue // keeps the user for the other requests
				}
				r := httptest.NewRequest(method, "/", strings.NewReader(`{"userName":"eve","displayName":"eve"}`))
				r.URL.Path, r.URL.RawQuery = "/v2"+path, strings.TrimPrefix(w.query, "?")
				r.Header["Authorization"] = w.header
				resp := c.send(r)
				requests++
				switch {
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
