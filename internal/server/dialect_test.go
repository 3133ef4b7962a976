package server

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/token"
)

// Requests that identity providers send succeed, even if they depart from the RFCs.
func TestDialects(t *testing.T) {
	t.Parallel()
	runScripts(t, "dialects.txt", nil)
}

// Known failures of other servers do not happen.
func TestKnownFailuresOfOtherServers(t *testing.T) {
	t.Parallel()
	runScripts(t, "failures.txt", nil)
}

// Concurrent changes of a group keep all members, because a change does not rewrite the member list.
func TestConcurrentAddsKeepAllMembers(t *testing.T) {
	t.Parallel()
	const clients = 8
	c := newClient(t)
	g := c.create("/Groups", `{"displayName":"g"}`)
	var wg sync.WaitGroup
	for i := range clients {
		u := c.create("/Users", fmt.Sprintf(`{"userName":"u%d"}`, i))
		wg.Go(func() {
			c.expect(c.do("PATCH", "/Groups/"+g, `{`+patchSchemas+`,"Operations":[{"op":"add","path":"members","value":[{"value":"`+u+`"}]}]}`), 200)
		})
	}
	wg.Wait()
	if members, _ := c.do("GET", "/Groups/"+g, "").body["members"].([]any); len(members) != clients {
		t.Errorf("the group has %d members, want %d", len(members), clients)
	}
}

func TestResourcesAreInvisibleToOtherTenants(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	u := c.create("/Users", `{"userName":"u","externalId":"x","emails":[{"value":"e"}]}`)
	g := c.create("/Groups", `{"displayName":"g","members":[{"value":"`+u+`"}]}`)
	before := c.dumpTable()
	c.secret = token.New("test")
	if err := c.config.Tokens.ReplaceToken(t.Context(), "other", "test", c.secret); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/Users/" + u, "/Groups/" + g} {
		c.expect(c.do("GET", path, ""), 404)
		c.expect(c.do("PUT", path, `{"userName":"v","displayName":"v"}`), 404)
		c.expect(c.do("PATCH", path, `{`+patchSchemas+`,"Operations":[{"op":"replace","path":"displayName","value":"v"}]}`), 404)
		c.expect(c.do("DELETE", path, ""), 404)
	}
	for _, path := range []string{"/Users", "/Groups", "/", "/Users?filter=id+eq+%22" + u + "%22", "/Users?filter=userName+eq+u", "/Users?filter=externalId+eq+x",
		"/Users?filter=emails+eq+e", "/Users?filter=groups.value+eq+%22" + g + "%22", "/Groups?filter=members+eq+%22" + u + "%22"} {
		if resp := c.expect(c.do("GET", path, ""), 200); fmt.Sprint(resp.value("totalResults")) != "0" {
			t.Errorf("%s finds a resource of another tenant: %s", path, resp.text)
		}
	}
	h := c.expect(c.do("POST", "/Groups", `{"displayName":"g","members":[{"value":"`+u+`"}]}`), 201)
	if h.body["members"] != nil {
		t.Errorf("a user of another tenant became a member: %s", h.text)
	}
	c.expect(c.do("DELETE", "/Groups/"+h.body["id"].(string), ""), 204)
	if after := c.dumpTable(); !strings.Contains(after, u) || strings.Count(after, u) != strings.Count(before, u) {
		t.Error("a request of another tenant changed the items of a user")
	}
}

// Invalid bytes are not replaced, which would make different names equal.
func TestInvalidUTF8IsRejected(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for _, s := range []string{"a\xff", "a\xfe", "a\xed\xa0\x80", `a\ud800`} {
		c.expect(c.do("POST", "/Users", `{"userName":"`+s+`"}`), 400, scim.InvalidSyntax)
	}
	c.expect(c.do("GET", "/Users?filter=userName+eq+%22a%ff%22", ""), 400, scim.InvalidFilter)
}
