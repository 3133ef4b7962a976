package server

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/token"
)

// What identity providers send just works.
func TestDialects(t *testing.T) {
	t.Parallel()
	play(t, "dialects.txt", nil)
}

// What went wrong in other servers does not here.
func TestFailuresOfOthers(t *testing.T) {
	t.Parallel()
	play(t, "failures.txt", nil)
}

// Two pushes at once lose nobody: no member list is read in order to be written back.
func TestPushesAtOnceLoseNobody(t *testing.T) {
	t.Parallel()
	const clients = 8
	c := newClient(t)
	g := c.create("/Groups", `{"displayName":"g"}`)
	var wg sync.WaitGroup
	for i := range clients {
		u := c.create("/Users", fmt.Sprintf(`{"userName":"u%d"}`, i))
		wg.Go(func() {
			c.want(c.do("PATCH", "/Groups/"+g, `{`+patchOp+`,"Operations":[{"op":"add","path":"members","value":[{"value":"`+u+`"}]}]}`), 200)
		})
	}
	wg.Wait()
	if members, _ := c.do("GET", "/Groups/"+g, "").body["members"].([]any); len(members) != clients {
		t.Errorf("%d members are left of %d", len(members), clients)
	}
}

// A tenant's ids, names and members are not there for another.
func TestNothingIsFoundAcrossTenants(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	u := c.create("/Users", `{"userName":"u","externalId":"x","emails":[{"value":"e"}]}`)
	g := c.create("/Groups", `{"displayName":"g","members":[{"value":"`+u+`"}]}`)
	before := c.dump()
	c.secret = token.New("test")
	if err := c.config.Tokens.ReplaceToken(t.Context(), "other", "test", c.secret); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/Users/" + u, "/Groups/" + g} {
		c.want(c.do("GET", path, ""), 404)
		c.want(c.do("PUT", path, `{"userName":"v","displayName":"v"}`), 404)
		c.want(c.do("PATCH", path, `{`+patchOp+`,"Operations":[{"op":"replace","path":"displayName","value":"v"}]}`), 404)
		c.want(c.do("DELETE", path, ""), 404)
	}
	for _, path := range []string{"/Users", "/Groups", "/", "/Users?filter=id+eq+%22" + u + "%22", "/Users?filter=userName+eq+u", "/Users?filter=externalId+eq+x",
		"/Users?filter=emails+eq+e", "/Users?filter=groups.value+eq+%22" + g + "%22", "/Groups?filter=members+eq+%22" + u + "%22"} {
		if a := c.want(c.do("GET", path, ""), 200); fmt.Sprint(a.at("totalResults")) != "0" {
			t.Errorf("%s finds another tenant's: %s", path, a.text)
		}
	}
	h := c.want(c.do("POST", "/Groups", `{"displayName":"g","members":[{"value":"`+u+`"}]}`), 201)
	if h.body["members"] != nil {
		t.Errorf("another tenant's user became a member: %s", h.text)
	}
	c.want(c.do("DELETE", "/Groups/"+h.body["id"].(string), ""), 204)
	if after := c.dump(); !strings.Contains(after, u) || strings.Count(after, u) != strings.Count(before, u) {
		t.Error("another tenant's request changed what is stored of a user")
	}
}

// Names that differ only in bytes that are no UTF-8 are not taken for one: they are refused.
func TestInvalidBytesAreRefused(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for _, s := range []string{"a\xff", "a\xfe", "a\xed\xa0\x80", `a\ud800`} {
		c.want(c.do("POST", "/Users", `{"userName":"`+s+`"}`), 400, scim.InvalidSyntax)
	}
	c.want(c.do("GET", "/Users?filter=userName+eq+%22a%ff%22", ""), 400, scim.InvalidFilter)
}
