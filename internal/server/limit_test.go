package server

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/token"
)

// set gives the tenant of the client other settings, and forgets the ones that are remembered.
func (c *client) set(s token.Settings) {
	c.Helper()
	c.change(func(t *token.Tenant) { t.Settings = s })
}

func (c *client) change(change func(*token.Tenant)) {
	c.Helper()
	_, err := c.config.Tokens.UpdateTenant(c.Context(), "test", func(t *token.Tenant) error { change(t); return nil })
	if err != nil {
		c.Fatal(err)
	}
	c.config.Tokens = &token.Store{Table: c.config.Tokens.Table, Now: c.config.Tokens.Now}
	c.handler = New(c.config)
}

// clock is a time that a test moves on.
type clock struct{ atomic.Int64 }

func (k *clock) now() time.Time { return time.Unix(k.Load(), 0) }

// timed makes a client whose tokens and limits go by a clock.
func timed(t *testing.T, change ...func(*Config)) (*client, *clock) {
	k := &clock{}
	k.Store(time.Now().Unix()/10*10 + 10) // when a window of the limit begins
	return newClient(t, append(change, func(c *Config) {
		table := c.Tokens.Table
		c.Tokens = &token.Store{Table: table, Now: k.now}
		c.Limiter = &token.Limiter{Table: table, Now: k.now, Log: c.Log}
	})...), k
}

func TestTooManyRequestsHaveToWait(t *testing.T) {
	t.Parallel()
	c, k := timed(t, func(c *Config) { c.RateLimit = 3 })
	for own, room := range map[*int]int{nil: 30, new(int): 500, &[]int{5}[0]: 50} {
		k.Add(10)
		c.set(token.Settings{RateLimit: own})
		served := 0
		for range 500 {
			a := c.do("GET", "/Users?count=0", "")
			if a.status == 200 {
				served++
				continue
			}
			if c.want(a, 429); a.header.Get("Retry-After") != "10" || !strings.Contains(a.text, "requests a second") {
				t.Fatalf("Retry-After %q: %s", a.header.Get("Retry-After"), a.text)
			}
		}
		if served != room {
			t.Errorf("%d requests in ten seconds, want %d", served, room)
		}
	}
	other := *c
	other.secret = token.New("other")
	if err := c.config.Tokens.ReplaceToken(t.Context(), "other", "test", other.secret); err != nil {
		t.Fatal(err)
	}
	other.want(other.do("GET", "/Users", ""), 200)
}

// users makes some, and gives their ids.
func (c *client) users(n int) (ids []string) {
	for i := range n {
		ids = append(ids, c.create("/Users", fmt.Sprintf(`{"userName":"u%d","active":true}`, i)))
	}
	return ids
}

const deactivation = `{"Operations":[{"op":"replace","value":{"active":false}}]}`

func TestTheGuardStopsWhatTakesTooManyUsersAway(t *testing.T) {
	t.Parallel()
	ways := map[string]func(c *client, id, name string) answer{
		"PATCH": func(c *client, id, _ string) answer { return c.do("PATCH", "/Users/"+id, deactivation) },
		"PUT": func(c *client, id, name string) answer {
			return c.do("PUT", "/Users/"+id, `{"userName":"`+name+`","active":false}`)
		},
		"DELETE": func(c *client, id, _ string) answer { return c.do("DELETE", "/Users/"+id, "") },
		"Bulk": func(c *client, id, _ string) answer {
			a := c.do("POST", "/Bulk", `{"Operations":[{"method":"DELETE","path":"/Users/`+id+`"}]}`)
			fmt.Sscan(fmt.Sprint(a.at("Operations.0.status")), &a.status)
			return a
		},
	}
	for name, deprovision := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, k := timed(t)
			ids := c.users(100)
			c.set(token.Settings{Deprovisioning: 10})
			gone := 0
			for i, id := range ids[:40] {
				a := deprovision(c, id, fmt.Sprint("u", i))
				if a.status < 300 {
					gone++
				} else if a.status != 429 || !strings.Contains(a.text, "release-tenant") {
					t.Fatalf("%d: %s", a.status, a.text)
				}
			}
			if gone < 9 || gone > 10 { // who is deleted is no longer among the users of whom it is a tenth
				t.Errorf("%d of 100 users went", gone)
			}
			last := ids[50]
			c.want(c.do("PATCH", "/Users/"+last, `{"Operations":[{"op":"replace","path":"title","value":"x"}]}`), 200)
			k.Add(3600)
			if a := deprovision(c, last, "u50"); a.status != 429 || name != "Bulk" && a.header.Get("Retry-After") == "" {
				t.Errorf("an hour later it is still to be released: %d", a.status)
			}
			c.change(func(t *token.Tenant) { t.DeprovisioningStoppedAt = time.Time{} })
			if a := deprovision(c, last, "u50"); a.status >= 300 {
				t.Errorf("released: %d %s", a.status, a.text)
			}
			if log := c.log.String(); strings.Count(log, "deprovisioning stopped") != 1 {
				t.Error("the log tells once that the tenant was stopped")
			}
		})
	}
}

// Those who are counted are those who go: whatever else is changed, and who is inactive already, counts for nothing.
func TestTheGuardCountsThoseWhoGo(t *testing.T) {
	t.Parallel()
	c, k := timed(t)
	ids := c.users(10)
	c.set(token.Settings{Deprovisioning: 1}) // five may always
	for range 20 {
		c.want(c.do("PATCH", "/Users/"+ids[0], deactivation), 200)
		c.want(c.do("PATCH", "/Users/"+ids[1], `{"Operations":[{"op":"replace","path":"title","value":"x"}]}`), 200)
		c.want(c.do("DELETE", "/Users/"+strings.Repeat("u", 27), ""), 404)
		c.want(c.do("DELETE", "/Groups/"+c.create("/Groups", `{"displayName":"g"}`), ""), 204)
	}
	for _, id := range ids[2:6] {
		c.want(c.do("DELETE", "/Users/"+id, ""), 204)
	}
	k.Add(11 * 60)
	for _, id := range ids[6:] {
		c.want(c.do("DELETE", "/Users/"+id, ""), 204)
	}
}

func TestManyAtOnceDoNotGetPastTheGuard(t *testing.T) {
	t.Parallel()
	c, _ := timed(t)
	ids := c.users(100)
	c.set(token.Settings{Deprovisioning: 10})
	var wg sync.WaitGroup
	var gone atomic.Int64
	for _, id := range ids {
		wg.Go(func() {
			if a := c.do("PATCH", "/Users/"+id, deactivation); a.status == 200 {
				gone.Add(1)
			}
		})
	}
	if wg.Wait(); gone.Load() > 10 { // fewer, where those who are too many come before the first has looked
		t.Errorf("%d of 100 users went, 10 may", gone.Load())
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	group := c.create("/Groups", `{"displayName":"g"}`)
	add := `{"Operations":[{"op":"add","path":"members","value":[{"value":"u00000000000000000000000000"}]}]}`
	rename := `{"Operations":[{"op":"replace","path":"externalId","value":"%s"}]}`
	c.want(c.do("PATCH", "/Groups/"+group, add), 200)

	c.set(token.Settings{StrictMembers: true})
	a := c.want(c.do("PATCH", "/Groups/"+group, add), 400, scim.InvalidValue)
	if !strings.Contains(a.text, "u00000000000000000000000000") {
		t.Errorf("the detail names the member: %s", a.text)
	}

	c.set(token.Settings{NoContent: true})
	version := c.do("GET", "/Groups/"+group, "").header.Get("ETag")
	a = c.want(c.do("PATCH", "/Groups/"+group, fmt.Sprintf(rename, "1")), 204)
	if now := c.do("GET", "/Groups/"+group, "").header.Get("ETag"); a.header.Get("ETag") != now || now == version {
		t.Errorf("204 tells the version %s, it is %s and was %s", a.header.Get("ETag"), now, version)
	}
	c.want(c.do("PATCH", "/Groups/"+group+"?attributes=displayName", fmt.Sprintf(rename, "2")), 200)

	c.set(token.Settings{ResourceTypes: []string{"User"}})
	c.want(c.do("GET", "/Groups/"+group, ""), 404)
	c.want(c.do("POST", "/Groups", `{"displayName":"h"}`), 404)
	c.want(c.do("GET", "/Users", ""), 200)
	for path, total := range map[string]string{"/ResourceTypes": "1", "/Schemas": "2", "": "0"} {
		if a := c.want(c.do("GET", path, ""), 200); fmt.Sprint(a.at("totalResults")) != total {
			t.Errorf("%s has %v, want %s", path, a.at("totalResults"), total)
		}
	}
	a = c.do("POST", "/Bulk", `{"Operations":[{"method":"DELETE","path":"/Groups/`+group+`"}]}`)
	if a.at("Operations.0.status") != "404" {
		t.Errorf("by bulk: %s", a.text)
	}
	c.set(token.Settings{})
	c.want(c.do("GET", "/Groups/"+group, ""), 200)
}

// A tenant's types may all be switched off again in the deployment: its root is empty then, however it is asked.
func TestATenantWhoseTypesAreNotServed(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create("/Users", `{"userName":"a"}`)
	c.set(token.Settings{ResourceTypes: []string{"Role"}})
	for _, query := range []string{"", "?startIndex=2", "?count=0", "?cursor=", "?filter=userName+pr", "?sortBy=userName&cursor="} {
		a := c.want(c.do("GET", "/"+query, ""), 200)
		if resources, _ := a.body["Resources"].([]any); fmt.Sprint(a.at("totalResults")) != "0" || len(resources) > 0 || a.body["nextCursor"] != nil {
			t.Errorf("%q gives %s", query, a.text)
		}
	}
	c.want(c.do("POST", "/.search", `{"cursor":""}`), 200)
	c.want(c.do("GET", "/?cursor=x", ""), 400, scim.InvalidCursor)
	if a := c.want(c.do("GET", "/ResourceTypes", ""), 200); a.at("Resources") == nil || fmt.Sprint(a.at("totalResults")) != "0" {
		t.Errorf("/ResourceTypes returns %s, want an empty list", a.text)
	}
	c.want(c.do("GET", "/ResourceTypes/User", ""), 404)
}
