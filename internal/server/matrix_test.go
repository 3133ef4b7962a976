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
	for _, rt := range c.config.Directory.Types.ResourceTypes {
		all = append(all, rt.Endpoint, rt.Endpoint+"/", rt.Endpoint+"/.search", rt.Endpoint+"/"+id, rt.Endpoint+"/none")
	}
	return append(all, "", "/", "//Users", "/nothing", "/Users/a/b", "/Users/%2e%2e")
}

// way is how a request says who sends it.
type way struct {
	name   string
	header []string
	query  string
	valid  bool
}

// ways makes a token of each kind.
func ways(c *client, k *clock) (all []way) {
	ctx, good := c.Context(), c.secret
	made := func(tenant string, lifetime time.Duration) (string, token.Token) {
		secret := token.New(tenant)
		if _, err := c.config.Tokens.CreateTenant(ctx, tenant); err != nil && tenant != "test" {
			c.Fatal(err)
		}
		one, err := c.config.Tokens.Create(ctx, tenant, "label "+secret[len(secret)-9:], secret, lifetime)
		if err != nil {
			c.Fatal(err)
		}
		return secret, one
	}
	closed := func(tenant string, close func(*token.Tenant)) string {
		secret, _ := made(tenant, time.Hour)
		if _, err := c.config.Tokens.UpdateTenant(ctx, tenant, func(t *token.Tenant) error { close(t); return nil }); err != nil {
			c.Fatal(err)
		}
		return secret
	}
	expired, _ := made("test", time.Second)
	k.Add(2)
	revoked, one := made("test", time.Hour)
	if err := c.config.Tokens.Revoke(ctx, "test", one.ID); err != nil {
		c.Fatal(err)
	}
	disabled := closed("disabled", func(t *token.Tenant) { t.DisabledAt = k.now() })
	deleted := closed("deleted", func(t *token.Tenant) { t.DeletedAt = k.now() })
	basic := func(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }
	for name, header := range map[string]string{"Bearer": "Bearer " + good, "lower case": "bearer " + good, "bare": good, "Basic": basic("okta:" + good)} {
		all = append(all, way{name, []string{header}, "", true})
	}
	for name, header := range map[string]string{
		"empty": "", "space": " ", "Bearer alone": "Bearer", "Bearer and nothing": "Bearer ", "wrong scheme": "Digest " + good,
		"unknown": "Bearer " + token.New("test"), "of no tenant": "Bearer " + token.New("none"), "damaged": "Bearer " + good[:len(good)-1] + "-",
		"cut off": "Bearer " + good[:len(good)-1], "expired": "Bearer " + expired, "revoked": "Bearer " + revoked,
		"of a disabled tenant": "Bearer " + disabled, "of a deleted tenant": "Bearer " + deleted, "10 KB": "Bearer " + strings.Repeat("x", 10<<10),
		"not ASCII": "Bearer " + good + "é", "NUL": "Bearer " + good + "\x00", "two in one": "Bearer " + good + ", Bearer " + good,
		"as the user of Basic": basic(good + ":"), "its hash's": "Bearer token#" + one.ID,
	} {
		all = append(all, way{name, []string{header}, "", false})
	}
	return append(all, way{"none", nil, "", false}, way{"two headers", []string{"Bearer " + good, "Bearer " + good}, "", false},
		way{"in the query", nil, "?access_token=" + good + "&token=" + good, false},
		way{"in the query, beside a wrong one", []string{"Bearer wrong"}, "?access_token=" + good, false})
}

func TestNobodyGetsInWithoutAToken(t *testing.T) {
	t.Parallel()
	c, k := timed(t)
	id, cells, refusal := c.create("/Users", `{"userName":"ada"}`), 0, ""
	all := ways(c, k)
	before := c.dump()
	for _, w := range all {
		for _, path := range allPaths(c, id) {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "SEARCH"} {
				if w.valid && (method == "DELETE" || method == "PUT") && strings.HasSuffix(path, id) {
					continue // it is for the others
				}
				r := httptest.NewRequest(method, "/", strings.NewReader(`{"userName":"eve","displayName":"eve"}`))
				r.URL.Path, r.URL.RawQuery = "/v2"+path, strings.TrimPrefix(w.query, "?")
				r.Header["Authorization"] = w.header
				a := c.send(r)
				cells++
				switch {
				case a.status >= 500 && a.status != 501:
					t.Errorf("%s: %s %s: %d", w.name, method, path, a.status)
				case w.valid == (a.status == 401):
					t.Errorf("%s: %s %s: %d", w.name, method, path, a.status)
				case !w.valid && method != "HEAD":
					if refusal == "" {
						refusal = a.text
					}
					if a.text != refusal || a.header.Get("WWW-Authenticate") != "Bearer" {
						t.Errorf("%s: %s %s tells another thing: %s", w.name, method, path, a.text)
					}
				}
			}
		}
		if !w.valid && c.dump() != before {
			t.Fatalf("%s: something was written", w.name)
		}
		before = c.dump()
	}
	t.Logf("%d requests", cells)
	other := *c
	other.secret = token.New("other")
	if err := c.config.Tokens.ReplaceToken(t.Context(), "other", "test", other.secret); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"GET", "PUT", "PATCH", "DELETE"} {
		body := map[string]string{"PUT": `{"userName":"x"}`, "PATCH": deactivation}[method]
		other.want(other.do(method, "/Users/"+id, body), 404)
	}
}
