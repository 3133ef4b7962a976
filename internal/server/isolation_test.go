package server

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/table"
	"serverless-scim/internal/token"
)

// tenantSecrets are IDs and other values that only their tenant can know.
type tenantSecrets struct{ user, group, cursor, changesCursor, version, access string }

// requestsWithSecrets returns requests that contain secrets of another tenant: method, path, body, and If-Match.
func requestsWithSecrets(secrets tenantSecrets) (all [][4]string) {
	add := func(method, path, body string) { all = append(all, [4]string{method, path, body, ""}) }
	filter := func(path, f string) {
		add("GET", path+"?filter="+url.QueryEscape(f), "")
		add("GET", path+"?cursor&filter="+url.QueryEscape(f), "")
		add("GET", path+"?startIndex=2&count=1&filter="+url.QueryEscape(f), "")
		text, _ := json.Marshal(map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:SearchRequest"}, "filter": f})
		add("POST", path+"/.search", string(text))
	}
	for _, one := range []string{"/Users/" + secrets.user, "/Groups/" + secrets.group} {
		for _, match := range []string{secrets.version, `W/"1"`, "*"} {
			all = append(all, [4]string{"PATCH", one, `{"Operations":[{"op":"remove","path":"externalId"}]}`, match},
				[4]string{"PUT", one, `{"userName":"new","displayName":"new"}`, match}, [4]string{"DELETE", one, "", match}, [4]string{"GET", one, "", match})
		}
	}
	for _, own := range [][2]string{{"/Users", secrets.user}, {"/Groups", secrets.group}} {
		endpoint, id := own[0], own[1]
		for _, one := range []string{secrets.user, secrets.group} { // also on the endpoint of the other type
			for _, method := range []string{"GET", "HEAD", "DELETE"} {
				add(method, endpoint+"/"+one, "")
			}
			add("GET", endpoint+"/"+one+"?attributes=meta", "")
			add("PUT", endpoint+"/"+one, `{"userName":"new","displayName":"new"}`)
			for _, op := range []string{"add", "replace", "remove"} {
				for _, path := range []string{"externalId", "displayName", "members", `members[value eq \"` + secrets.user + `\"]`, `groups[value eq \"` + secrets.group + `\"]`} {
					add("PATCH", endpoint+"/"+one, fmt.Sprintf(`{"Operations":[{"op":%q,"path":"%s","value":"x"}]}`, op, path))
				}
			}
			for _, method := range []string{"PUT", "PATCH", "DELETE"} {
				add("POST", "/Bulk", fmt.Sprintf(`{`+bulkSchemas+`,"Operations":[{"method":%q,"path":"%s/%s","data":{"userName":"x","displayName":"x","Operations":[{"op":"remove","path":"title"}]}}]}`, method, endpoint, one))
			}
			add("POST", "/Bulk", fmt.Sprintf(`{`+bulkSchemas+`,"Operations":[{"method":"PATCH","path":"%s/bulkId:%s","data":{"Operations":[]}}]}`, endpoint, one))
		}
		for _, f := range []string{"id eq", "externalId eq", "externalId co", "members.value eq", "members eq", "groups.value eq", "groups eq",
			"meta.location ew", "userName eq", "displayName sw", "not (id eq", "externalId ne"} {
			end := ""
			if strings.Contains(f, "(") {
				end = ")"
			}
			for _, more := range []string{"", ` and userName sw "u"`, ` or id eq "x"`, ` and not (externalId pr)`} {
				filter(endpoint, fmt.Sprintf("%s %q%s%s", f, id, end, more))
			}
		}
		for _, count := range []string{"", "&count=1", "&count=100", "&sortBy=userName"} {
			add("GET", endpoint+"?cursor="+secrets.cursor+count, "")
		}
	}
	for _, more := range []string{"", "&count=1", "&attributes=members", "&resourceTypes=User,Group"} {
		add("GET", "/Changes?cursor="+secrets.changesCursor+more, "")
	}
	return all
}

// ownRequestsWithSecrets returns requests on resources of the tenant itself that refer to resources of another tenant.
func ownRequestsWithSecrets(secrets tenantSecrets, user, group string) (all [][4]string) {
	for _, one := range []string{secrets.user, secrets.group} {
		value := `[{"value":"` + one + `"}]`
		for _, op := range []string{"add", "replace", "remove"} {
			all = append(all, [4]string{"PATCH", "/Groups/" + group, `{"Operations":[{"op":"` + op + `","path":"members","value":` + value + `}]}`},
				[4]string{"PATCH", "/Users/" + user, `{"Operations":[{"op":"` + op + `","path":"groups","value":` + value + `}]}`})
		}
		all = append(all, [4]string{"PATCH", "/Groups/" + group, `{"Operations":[{"op":"remove","path":"members[value eq \"` + one + `\"]"}]}`},
			[4]string{"PUT", "/Groups/" + group, `{"displayName":"g0","members":` + value + `}`},
			[4]string{"GET", "/Groups/" + group, ""}, [4]string{"GET", "/Users/" + user, ""},
			[4]string{"POST", "/Bulk", `{` + bulkSchemas + `,"Operations":[{"method":"PATCH","path":"/Groups/` + group + `","data":{"Operations":[{"op":"add","path":"members","value":` + value + `}]}}]}`})
	}
	return all
}

var variableText = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z|W/\\?"[0-9.]+\\?"|"nextCursor":"[^"]*"`)

// normalize returns a response as text. It replaces times, versions, and cursors, and the secrets of the request.
func normalize(resp clientResponse, secrets tenantSecrets) string {
	text := fmt.Sprint(resp.status, resp.header.Get("Location"), resp.header.Get("Retry-After"), resp.text)
	for _, id := range []string{secrets.user, secrets.group, secrets.cursor, secrets.changesCursor} {
		text = strings.ReplaceAll(text, id, "ID")
	}
	return variableText.ReplaceAllString(text, "…")
}

// dumpTenant returns the items of a tenant as text.
func (c *client) dumpTenant(tenant string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.ReplaceAll(c.dumpTable(), `{"PK"`, "\n"+`{"PK"`), "\n") {
		if strings.Contains(line, `"Value":"`+table.EscapeKeyPart(tenant)+`#`) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// A request with secrets of another tenant gets the same response, and causes the same number of table calls, as a
// request with values that never existed.
func TestOtherTenantsResourcesLookNonexistent(t *testing.T) {
	t.Parallel()
	for _, names := range [][2]string{{"acme", "acme-2"}, {"a#b", "a"}, {"t%23", "t#"}} {
		t.Run(names[1], func(t *testing.T) {
			t.Parallel()
			c, _ := newClientWithClock(t) // cached tokens do not expire during the test
			tenants := [2]client{*c, *c}
			var own [2]tenantSecrets
			for i := range tenants {
				own[i] = tenants[i].createTenant(t, names[i])
			}
			a, b := own[0], own[1]
			tenants[1].secret = b.access
			never := tenantSecrets{user: "u" + strings.Repeat("7", 26), group: "g" + strings.Repeat("7", 26), cursor: strings.Repeat("A", len(a.cursor)), changesCursor: strings.Repeat("A", len(a.changesCursor)), version: "9"}
			before, requests := tenants[0].dumpTenant(names[0]), 0
			foreign, nonexistent := append(requestsWithSecrets(a), ownRequestsWithSecrets(a, b.user, b.group)...), append(requestsWithSecrets(never), ownRequestsWithSecrets(never, b.user, b.group)...)
			for i, r := range foreign {
				tenants[1].sendAndCountCalls(nonexistent[i]) // so that the next two requests start from the same state
				got, gotCalls := tenants[1].sendAndCountCalls(r)
				want, wantCalls := tenants[1].sendAndCountCalls(nonexistent[i])
				requests++
				if x, y := normalize(got, a), normalize(want, never); x != y {
					t.Errorf("%v returns %.300s, and for values that never existed %.300s", r, x, y)
				}
				if gotCalls != wantCalls {
					t.Errorf("%v makes the table calls %s, and for values that never existed %s", r, gotCalls, wantCalls)
				}
			}
			if tenants[0].dumpTenant(names[0]) != before {
				t.Error("a request changed items of the other tenant")
			}
			if part := tenants[1].dumpTenant(names[1]); strings.Contains(part, a.user) || strings.Contains(part, a.group) {
				t.Error("a request stored an ID of the other tenant")
			}
			if t.Logf("%d requests", requests); requests < 400 {
				t.Error("too few requests")
			}
		})
	}
}

// createTenant creates a tenant with the same resources as every other tenant, and returns its secrets.
func (c *client) createTenant(t *testing.T, tenant string) (secrets tenantSecrets) {
	c.TB, c.secret = t, token.New(tenant)
	if err := c.config.Tokens.ReplaceToken(t.Context(), tenant, "test", c.secret); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		user := c.create("/Users", fmt.Sprintf(`{"userName":"u%d","externalId":"e%d","displayName":"U","emails":[{"value":"u%d@x"}]}`, i, i, i))
		secrets.user, secrets.group = user, c.create("/Groups", fmt.Sprintf(`{"displayName":"g%d","members":[{"value":%q}]}`, i, user))
	}
	_, secrets.access = c.accessToken(tenant)
	secrets.version = c.do("GET", "/Users/"+secrets.user, "").header.Get("ETag")
	secrets.cursor, _ = c.do("GET", "/Users?cursor&count=2", "").body["nextCursor"].(string)
	secrets.changesCursor, _ = c.do("GET", "/Changes?count=2", "").body["nextCursor"].(string)
	for start := 1; start < 5; start += 2 { // stores bookmarks
		c.do("GET", fmt.Sprintf("/Users?startIndex=%d&count=2", start), "")
	}
	return secrets
}

// accessToken creates a client of a tenant, and returns its ID and an access token. The token is in the cache.
func (c *client) accessToken(tenant string) (id, secret string) {
	c.Helper()
	oauth, err := c.config.Tokens.CreateClient(c.Context(),
		token.Client{Tenant: tenant, Label: "entra", Scope: token.ScopeAll, TokenLifetime: time.Hour})
	secret = token.New(tenant)
	if err == nil {
		_, err = c.config.Tokens.IssueAccessToken(c.Context(), oauth, secret, token.ScopeAll, nil)
	}
	if err == nil {
		_, err = c.config.Tokens.Authenticate(c.Context(), []string{secret})
	}
	if err != nil {
		c.Fatal(err)
	}
	return oauth.ID, secret
}

var tableCalls = regexp.MustCompile(`table\.calls=(\d+)`)

// sendAndCountCalls sends a request and returns the response and the number of table calls in the log.
func (c *client) sendAndCountCalls(r [4]string) (clientResponse, string) {
	c.log.mu.Lock()
	c.log.Reset()
	c.log.mu.Unlock()
	var header []string
	if r[3] != "" {
		header = []string{"If-Match", r[3]}
	}
	resp := c.do(r[0], r[1], r[2], header...)
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	return resp, fmt.Sprint(tableCalls.FindAllString(c.log.String(), -1))
}
