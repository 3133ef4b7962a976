package server

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"serverless-scim/internal/token"
)

func TestAuditLogsEachChangeWithoutValues(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.config.Log = slog.New(slog.NewJSONHandler(c.log, nil))
	c.handler = New(c.config)
	user, group := "", ""
	lines := func() (audit []map[string]any) {
		for line := range strings.Lines(c.log.String()) {
			var m map[string]any
			if json.Unmarshal([]byte(line), &m) == nil && m["msg"] == "audit" {
				audit = append(audit, m)
			}
		}
		c.log.Reset()
		return audit
	}
	for _, step := range []struct {
		do   func()
		want string // verb, type, attributes, versions, status, outcome
	}{
		{func() { user = c.create("/Users", `{"userName":"ada","active":true,"emails":[{"value":"a@b.c"}]}`) },
			`POST User [active emails userName] "" "W/\"1.0\"" 201 done`},
		{func() { c.do("POST", "/Users", `{"userName":"ADA"}`) }, `POST User [] "" "" 409 refused`},
		{func() {
			c.do("PATCH", "/Users/"+user, `{"Operations":[{"op":"replace","value":{"title":"x","name":{"givenName":"Ada"}}}]}`)
		},
			`PATCH User [name title] "W/\"1.0\"" "W/\"2.0\"" 200 done`},
		{func() { c.do("PATCH", "/Users/"+user, `{"Operations":[{"op":"replace","value":{"title":"x"}}]}`) },
			`PATCH User [] "W/\"2.0\"" "W/\"2.0\"" 200 unchanged`},
		{func() { c.do("PUT", "/Users/"+user, `{"userName":"ada","active":false}`) },
			`PUT User [active emails name title] "W/\"2.0\"" "W/\"3.0\"" 200 done deprovisions`},
		{func() { group = c.create("/Groups", `{"displayName":"g"}`) }, `POST Group [displayName] "" "W/\"1\"" 201 done`},
		{func() {
			c.do("PATCH", "/Groups/"+group, `{"Operations":[{"op":"add","path":"members","value":[{"value":"`+user+`"}]}]}`)
		},
			`PATCH Group [members] "W/\"1\"" "W/\"2\"" 200 done`},
		{func() { c.do("DELETE", "/Users/"+user, "", "If-Match", `W/"9"`) }, `DELETE User [] "" "" 412 refused`},
		{func() {
			c.do("POST", "/Bulk", `{`+bulkSchemas+`,"Operations":[{"method":"DELETE","path":"/Users/`+user+`"}]}`)
		},
			`DELETE User [active userName] "W/\"3.1\"" "" 204 done deprovisions`},
		{func() { c.do("DELETE", "/Groups/../../x", "") }, ``},
		{func() { c.do("DELETE", "/Groups/ada@b.c", "") }, `DELETE Group [] "" "" 404 refused`},
		{func() { c.do("GET", "/Users/"+user, "") }, ``},
	} {
		step.do()
		var got []string
		for _, m := range lines() {
			line := fmt.Sprintf("%v %v %v %q %q %v %v", m["verb"], m["resourceType"], attributes(m), m["before"], m["after"], m["status"], m["outcome"])
			if m["deprovisions"] == true {
				line += " deprovisions"
			}
			got = append(got, line)
			id := m["id"] // empty if no resource was created or the client sent an invalid ID
			if m["requestId"] != "request" || m["tenant"] != "test" || m["label"] != "test" || m["token"] == "" || m["time"] == "" ||
				id != user && id != group && id != "" {
				t.Errorf("%v", m)
			}
		}
		if strings.Join(got, "\n") != step.want {
			t.Errorf("got %v, want %s", got, step.want)
		}
	}
}

// A write that the scope of the token does not permit is in the audit log, and the request line has the scope.
func TestAuditLogsWritesBeyondTheScope(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	reader := c.withScope("test", token.ScopeRead)
	reader.expect(reader.do("POST", "/Users", `{"userName":"ada"}`), 403)
	reader.expect(reader.do("GET", "/Users", ""), 200)
	c.expect(c.do("GET", "/Users", ""), 200)
	log := c.log.String()
	for _, want := range []string{"status=403 outcome=refused", "route=/Users status=403", "scope=scim.read"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s:\n%s", want, log)
		}
	}
	if audits, scopes := strings.Count(log, "msg=audit"), strings.Count(log, "scope="); audits != 1 || scopes != 2 {
		t.Errorf("%d audit lines and %d lines with a scope, want 1 and 2:\n%s", audits, scopes, log)
	}
}

// Audit lines and request lines name the client of an access token. Those of another token name none.
func TestLinesNameTheClientOfAnAccessToken(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create("/Users", `{"userName":"ada"}`)
	if strings.Contains(c.log.String(), "client=") {
		t.Errorf("a line names a client: %s", c.log)
	}
	id, access := c.accessToken("test")
	c.secret = access
	c.create("/Users", `{"userName":"bob"}`)
	if log := c.log.String(); strings.Count(log, "client="+id) != 2 || strings.Count(log, "label=entra") != 1 || strings.Contains(log, access) {
		t.Errorf("an audit line and a request line must name the client:\n%s", log)
	}
}

// Audit lines and request lines name the tenant in the same way, so that one filter finds both.
func TestRequestLinesNameTheTenantAsAuditLinesDo(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.config.Log = slog.New(slog.NewJSONHandler(c.log, nil))
	c.handler = New(c.config)
	c.create("/Users", `{"userName":"ada"}`)
	tenants := map[string]string{}
	for line := range strings.Lines(c.log.String()) {
		var m struct{ Msg, Tenant string }
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		tenants[m.Msg] = m.Tenant
	}
	if tenants["request"] != "test" || tenants["audit"] != "test" {
		t.Errorf("the lines name the tenants %v", tenants)
	}
}

func attributes(m map[string]any) any {
	if m["attributes"] == nil {
		return []any{}
	}
	return m["attributes"]
}
