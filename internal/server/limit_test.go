package server

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"serverless-scim/internal/oauth"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/token"
)

// setSettings changes the settings of the tenant.
func (c *client) setSettings(s token.Settings) {
	c.Helper()
	c.updateTenant(func(t *token.Tenant) { t.Settings = s })
}

// updateTenant changes the tenant, and replaces the server so that no cached tenant remains.
func (c *client) updateTenant(change func(*token.Tenant)) {
	c.Helper()
	_, err := c.config.Tokens.UpdateTenant(c.Context(), "test", func(t *token.Tenant) error { change(t); return nil })
	if err != nil {
		c.Fatal(err)
	}
	c.config.Tokens = &token.Store{Table: c.config.Tokens.Table, Now: c.config.Tokens.Now}
	c.handler = New(c.config)
}

// A clock is a time in Unix seconds that a test sets.
type clock struct{ atomic.Int64 }

func (k *clock) now() time.Time { return time.Unix(k.Load(), 0) }

// newClientWithClock returns a client whose server uses the returned clock for tokens and rate limits.
func newClientWithClock(t *testing.T, change ...func(*Config)) (*client, *clock) {
	k := &clock{}
	k.Store(time.Now().Unix()/10*10 + 10) // the start of a window of the rate limit
	return newClient(t, append(change, func(c *Config) {
		table := c.Tokens.Table
		c.Tokens = &token.Store{Table: table, Now: k.now}
		c.Limiter = &token.Limiter{Table: table, Now: k.now, Log: c.Log}
		c.OAuth = oauth.New(c.Tokens, c.Limiter, nil)
	})...), k
}

// A client cannot pass the rate limit by getting more access tokens.
func TestAllAccessTokensOfAClientHaveOneRateLimit(t *testing.T) {
	t.Parallel()
	c, _ := newClientWithClock(t, func(c *Config) { c.RateLimit = 3 })
	id, first := c.accessToken("test")
	oauth, _, err := c.config.Tokens.Client(t.Context(), id)
	second := token.New("test")
	if err == nil {
		_, err = c.config.Tokens.IssueAccessToken(t.Context(), oauth, second, token.ScopeAll, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	served, own := 0, c.secret
	for i := range 100 {
		if c.secret = []string{first, second}[i%2]; c.do("GET", "/Users?count=0", "").status == 200 {
			served++
		}
	}
	if c.secret = own; served != 30 || c.do("GET", "/Users?count=0", "").status != 200 {
		t.Errorf("%d requests are served, want 30, and those of another token", served)
	}
}

func TestRateLimitRejectsExcessRequests(t *testing.T) {
	t.Parallel()
	c, k := newClientWithClock(t, func(c *Config) { c.RateLimit = 3 })
	for tenantLimit, want := range map[*int]int{nil: 30, new(int): 500, &[]int{5}[0]: 50} {
		k.Add(10)
		c.setSettings(token.Settings{RateLimit: tenantLimit})
		served := 0
		for range 500 {
			resp := c.do("GET", "/Users?count=0", "")
			if resp.status == 200 {
				served++
				continue
			}
			if c.expect(resp, 429); resp.header.Get("Retry-After") != "10" || !strings.Contains(resp.text, "requests a second") {
				t.Fatalf("Retry-After %q: %s", resp.header.Get("Retry-After"), resp.text)
			}
		}
		if served != want {
			t.Errorf("%d requests in ten seconds, want %d", served, want)
		}
	}
	other := *c
	other.secret = token.New("other")
	if err := c.config.Tokens.ReplaceToken(t.Context(), "other", "test", other.secret); err != nil {
		t.Fatal(err)
	}
	other.expect(other.do("GET", "/Users", ""), 200)
}

// createUsers creates n users and returns their IDs.
func (c *client) createUsers(n int) (ids []string) {
	for i := range n {
		ids = append(ids, c.create("/Users", fmt.Sprintf(`{"userName":"u%d","active":true}`, i)))
	}
	return ids
}

const deactivation = `{"Operations":[{"op":"replace","value":{"active":false}}]}`

func TestGuardStopsDeprovisioningAtLimit(t *testing.T) {
	t.Parallel()
	deprovisionings := map[string]func(c *client, id, name string) clientResponse{
		"PATCH": func(c *client, id, _ string) clientResponse { return c.do("PATCH", "/Users/"+id, deactivation) },
		"PUT": func(c *client, id, name string) clientResponse {
			return c.do("PUT", "/Users/"+id, `{"userName":"`+name+`","active":false}`)
		},
		"DELETE": func(c *client, id, _ string) clientResponse { return c.do("DELETE", "/Users/"+id, "") },
		"Bulk": func(c *client, id, _ string) clientResponse {
			resp := c.do("POST", "/Bulk", `{`+bulkSchemas+`,"Operations":[{"method":"DELETE","path":"/Users/`+id+`"}]}`)
			fmt.Sscan(fmt.Sprint(resp.value("Operations.0.status")), &resp.status)
			return resp
		},
	}
	for name, deprovision := range deprovisionings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, k := newClientWithClock(t)
			ids := c.createUsers(100)
			c.setSettings(token.Settings{Deprovisioning: 10})
			deprovisioned := 0
			for i, id := range ids[:40] {
				resp := deprovision(c, id, fmt.Sprint("u", i))
				if resp.status < 300 {
					deprovisioned++
				} else if resp.status != 429 || !strings.Contains(resp.text, "release-tenant") {
					t.Fatalf("%d: %s", resp.status, resp.text)
				}
			}
			if deprovisioned < 9 || deprovisioned > 10 { // a deleted user no longer counts in the total
				t.Errorf("%d of 100 users were deprovisioned, want 10", deprovisioned)
			}
			last := ids[50]
			c.expect(c.do("PATCH", "/Users/"+last, `{"Operations":[{"op":"replace","path":"title","value":"x"}]}`), 200)
			k.Add(3600)
			if resp := deprovision(c, last, "u50"); resp.status != 429 || name != "Bulk" && resp.header.Get("Retry-After") == "" {
				t.Errorf("an hour later the tenant must still be blocked: %d", resp.status)
			}
			c.updateTenant(func(t *token.Tenant) { t.DeprovisioningStoppedAt = time.Time{} })
			if resp := deprovision(c, last, "u50"); resp.status >= 300 {
				t.Errorf("after the release: %d %s", resp.status, resp.text)
			}
			if log := c.log.String(); strings.Count(log, "deprovisioning stopped") != 1 {
				t.Error("the log must contain one line for the stopped tenant")
			}
		})
	}
}

// Other changes, and changes of inactive users, do not count.
func TestGuardCountsOnlyDeprovisionedUsers(t *testing.T) {
	t.Parallel()
	c, k := newClientWithClock(t)
	ids := c.createUsers(10)
	c.setSettings(token.Settings{Deprovisioning: 1}) // minDeprovisionLimit allows five
	for range 20 {
		c.expect(c.do("PATCH", "/Users/"+ids[0], deactivation), 200)
		c.expect(c.do("PATCH", "/Users/"+ids[1], `{"Operations":[{"op":"replace","path":"title","value":"x"}]}`), 200)
		c.expect(c.do("DELETE", "/Users/"+strings.Repeat("u", 27), ""), 404)
		c.expect(c.do("DELETE", "/Groups/"+c.create("/Groups", `{"displayName":"g"}`), ""), 204)
	}
	for _, id := range ids[2:6] {
		c.expect(c.do("DELETE", "/Users/"+id, ""), 204)
	}
	k.Add(11 * 60)
	for _, id := range ids[6:] {
		c.expect(c.do("DELETE", "/Users/"+id, ""), 204)
	}
}

func TestConcurrentRequestsCannotPassGuard(t *testing.T) {
	t.Parallel()
	c, _ := newClientWithClock(t)
	ids := c.createUsers(100)
	c.setSettings(token.Settings{Deprovisioning: 10})
	var wg sync.WaitGroup
	var deprovisioned atomic.Int64
	for _, id := range ids {
		wg.Go(func() {
			if resp := c.do("PATCH", "/Users/"+id, deactivation); resp.status == 200 {
				deprovisioned.Add(1)
			}
		})
	}
	if wg.Wait(); deprovisioned.Load() > 10 { // fewer if requests increment the counter before the first has read it
		t.Errorf("%d of 100 users were deprovisioned, want at most 10", deprovisioned.Load())
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	group := c.create("/Groups", `{"displayName":"g"}`)
	add := `{"Operations":[{"op":"add","path":"members","value":[{"value":"u00000000000000000000000000"}]}]}`
	rename := `{"Operations":[{"op":"replace","path":"externalId","value":"%s"}]}`
	c.expect(c.do("PATCH", "/Groups/"+group, add), 200)

	c.setSettings(token.Settings{StrictMembers: true})
	resp := c.expect(c.do("PATCH", "/Groups/"+group, add), 400, scim.InvalidValue)
	if !strings.Contains(resp.text, "u00000000000000000000000000") {
		t.Errorf("the detail does not name the member: %s", resp.text)
	}

	c.setSettings(token.Settings{NoContent: true})
	version := c.do("GET", "/Groups/"+group, "").header.Get("ETag")
	resp = c.expect(c.do("PATCH", "/Groups/"+group, fmt.Sprintf(rename, "1")), 204)
	if now := c.do("GET", "/Groups/"+group, "").header.Get("ETag"); resp.header.Get("ETag") != now || now == version {
		t.Errorf("the ETag of 204 is %s, the version is %s and was %s", resp.header.Get("ETag"), now, version)
	}
	c.expect(c.do("PATCH", "/Groups/"+group+"?attributes=displayName", fmt.Sprintf(rename, "2")), 200)

	c.setSettings(token.Settings{ResourceTypes: []string{"User"}})
	c.expect(c.do("GET", "/Groups/"+group, ""), 404)
	c.expect(c.do("POST", "/Groups", `{"displayName":"h"}`), 404)
	c.expect(c.do("GET", "/Users", ""), 200)
	for path, total := range map[string]string{"/ResourceTypes": "1", "/Schemas": "2", "": "0"} {
		if resp := c.expect(c.do("GET", path, ""), 200); fmt.Sprint(resp.value("totalResults")) != total {
			t.Errorf("%s has %v, want %s", path, resp.value("totalResults"), total)
		}
	}
	resp = c.do("POST", "/Bulk", `{`+bulkSchemas+`,"Operations":[{"method":"DELETE","path":"/Groups/`+group+`"}]}`)
	if resp.value("Operations.0.status") != "404" {
		t.Errorf("a bulk operation on a disabled type: %s", resp.text)
	}
	c.setSettings(token.Settings{})
	c.expect(c.do("GET", "/Groups/"+group, ""), 200)
}

// The deployment may no longer serve any of a tenant's resource types.
func TestTenantWithoutServedTypesIsEmpty(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create("/Users", `{"userName":"a"}`)
	c.setSettings(token.Settings{ResourceTypes: []string{"Role"}})
	for _, query := range []string{"", "?startIndex=2", "?count=0", "?cursor=", "?filter=userName+pr", "?sortBy=userName&cursor="} {
		resp := c.expect(c.do("GET", "/"+query, ""), 200)
		if resources, _ := resp.body["Resources"].([]any); fmt.Sprint(resp.value("totalResults")) != "0" || len(resources) > 0 || resp.body["nextCursor"] != nil {
			t.Errorf("%q returns %s", query, resp.text)
		}
	}
	c.expect(c.do("POST", "/.search", `{"cursor":""}`), 200)
	c.expect(c.do("GET", "/?cursor=x", ""), 400, scim.InvalidCursor)
	if resp := c.expect(c.do("GET", "/ResourceTypes", ""), 200); resp.value("Resources") == nil || fmt.Sprint(resp.value("totalResults")) != "0" {
		t.Errorf("/ResourceTypes returns %s, want an empty list", resp.text)
	}
	c.expect(c.do("GET", "/ResourceTypes/User", ""), 404)
}
