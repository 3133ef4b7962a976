package server

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"serverless-scim/internal/table"
	"serverless-scim/internal/token"
)

// loot is what a tenant would like to reach of another: ids and what it was told. One that never existed has the same
// form, and tells nothing.
type loot struct{ user, group, cursor, version string }

// attempts is every request that hands in something that is another's, by what it hands in: method,
// path, body and If-Match.
func attempts(l loot) (all [][4]string) {
	add := func(method, path, body string) { all = append(all, [4]string{method, path, body, ""}) }
	filter := func(path, f string) {
		add("GET", path+"?filter="+url.QueryEscape(f), "")
		add("GET", path+"?cursor&filter="+url.QueryEscape(f), "")
		add("GET", path+"?startIndex=2&count=1&filter="+url.QueryEscape(f), "")
		text, _ := json.Marshal(map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:SearchRequest"}, "filter": f})
		add("POST", path+"/.search", string(text))
	}
	for _, one := range []string{"/Users/" + l.user, "/Groups/" + l.group} {
		for _, match := range []string{l.version, `W/"1"`, "*"} {
			all = append(all, [4]string{"PATCH", one, `{"Operations":[{"op":"remove","path":"externalId"}]}`, match},
				[4]string{"PUT", one, `{"userName":"new","displayName":"new"}`, match}, [4]string{"DELETE", one, "", match}, [4]string{"GET", one, "", match})
		}
	}
	for _, own := range [][2]string{{"/Users", l.user}, {"/Groups", l.group}} {
		endpoint, id := own[0], own[1]
		for _, one := range []string{l.user, l.group} { // also where the type is another
			for _, method := range []string{"GET", "HEAD", "DELETE"} {
				add(method, endpoint+"/"+one, "")
			}
			add("GET", endpoint+"/"+one+"?attributes=meta", "")
			add("PUT", endpoint+"/"+one, `{"userName":"new","displayName":"new"}`)
			for _, op := range []string{"add", "replace", "remove"} {
				for _, path := range []string{"externalId", "displayName", "members", `members[value eq \"` + l.user + `\"]`, `groups[value eq \"` + l.group + `\"]`} {
					add("PATCH", endpoint+"/"+one, fmt.Sprintf(`{"Operations":[{"op":%q,"path":"%s","value":"x"}]}`, op, path))
				}
			}
			for _, method := range []string{"PUT", "PATCH", "DELETE"} {
				add("POST", "/Bulk", fmt.Sprintf(`{"Operations":[{"method":%q,"path":"%s/%s","data":{"userName":"x","displayName":"x","Operations":[{"op":"remove","path":"title"}]}}]}`, method, endpoint, one))
			}
			add("POST", "/Bulk", fmt.Sprintf(`{"Operations":[{"method":"PATCH","path":"%s/bulkId:%s","data":{"Operations":[]}}]}`, endpoint, one))
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
			add("GET", endpoint+"?cursor="+l.cursor+count, "")
		}
	}
	return all
}

// changes is requests on what is one's own that name another's.
func changes(l loot, user, group string) (all [][4]string) {
	for _, one := range []string{l.user, l.group} {
		value := `[{"value":"` + one + `"}]`
		for _, op := range []string{"add", "replace", "remove"} {
			all = append(all, [4]string{"PATCH", "/Groups/" + group, `{"Operations":[{"op":"` + op + `","path":"members","value":` + value + `}]}`},
				[4]string{"PATCH", "/Users/" + user, `{"Operations":[{"op":"` + op + `","path":"groups","value":` + value + `}]}`})
		}
		all = append(all, [4]string{"PATCH", "/Groups/" + group, `{"Operations":[{"op":"remove","path":"members[value eq \"` + one + `\"]"}]}`},
			[4]string{"PUT", "/Groups/" + group, `{"displayName":"g0","members":` + value + `}`},
			[4]string{"GET", "/Groups/" + group, ""}, [4]string{"GET", "/Users/" + user, ""},
			[4]string{"POST", "/Bulk", `{"Operations":[{"method":"PATCH","path":"/Groups/` + group + `","data":{"Operations":[{"op":"add","path":"members","value":` + value + `}]}}]}`})
	}
	return all
}

var moving = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z|W/\\?"[0-9.]+\\?"|"nextCursor":"[^"]*"`)

// told is an answer without what differs from one request to the next, and in which what was asked for has one name.
func told(a answer, l loot) string {
	text := fmt.Sprint(a.status, a.header.Get("Location"), a.header.Get("Retry-After"), a.text)
	for _, id := range []string{l.user, l.group, l.cursor} {
		text = strings.ReplaceAll(text, id, "ID")
	}
	return moving.ReplaceAllString(text, "…")
}

// partOf is what the table holds of a tenant.
func (c *client) partOf(tenant string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.ReplaceAll(c.dump(), `{"PK"`, "\n"+`{"PK"`), "\n") {
		if strings.Contains(line, `"Value":"`+table.EscapeKeyPart(tenant)+`#`) {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestTenantsAreStrangers(t *testing.T) {
	t.Parallel()
	for _, names := range [][2]string{{"acme", "acme-2"}, {"a#b", "a"}, {"t%23", "t#"}} {
		t.Run(names[1], func(t *testing.T) {
			t.Parallel()
			c := newClient(t)
			tenants := [2]client{*c, *c}
			var own [2]loot
			for i := range tenants {
				own[i] = tenants[i].settle(t, names[i])
			}
			a, b := own[0], own[1]
			never := loot{user: "u" + strings.Repeat("7", 26), group: "g" + strings.Repeat("7", 26), cursor: strings.Repeat("A", len(a.cursor)), version: "9"}
			before, cells := tenants[0].partOf(names[0]), 0
			theirs, none := append(attempts(a), changes(a, b.user, b.group)...), append(attempts(never), changes(never, b.user, b.group)...)
			for i, r := range theirs {
				tenants[1].counted(none[i]) // whatever it leaves is there for both
				got, gotCalls := tenants[1].counted(r)
				want, wantCalls := tenants[1].counted(none[i])
				cells++
				if x, y := told(got, a), told(want, never); x != y {
					t.Errorf("%v tells %.300s, and of what never was %.300s", r, x, y)
				}
				if gotCalls != wantCalls {
					t.Errorf("%v made calls %s, and of what never was %s", r, gotCalls, wantCalls)
				}
			}
			if tenants[0].partOf(names[0]) != before {
				t.Error("something of the other was changed")
			}
			if part := tenants[1].partOf(names[1]); strings.Contains(part, a.user) || strings.Contains(part, a.group) {
				t.Error("an id of the other was kept")
			}
			if t.Logf("%d cells", cells); cells < 400 {
				t.Error("too few")
			}
		})
	}
}

// settle makes a tenant with the same names as any other, and gives what another would like to have.
func (c *client) settle(t *testing.T, tenant string) (l loot) {
	c.TB, c.secret = t, token.New(tenant)
	if err := c.config.Tokens.ReplaceToken(t.Context(), tenant, "test", c.secret); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		user := c.create("/Users", fmt.Sprintf(`{"userName":"u%d","externalId":"e%d","displayName":"U","emails":[{"value":"u%d@x"}]}`, i, i, i))
		l.user, l.group = user, c.create("/Groups", fmt.Sprintf(`{"displayName":"g%d","members":[{"value":%q}]}`, i, user))
	}
	l.version = c.do("GET", "/Users/"+l.user, "").header.Get("ETag")
	l.cursor, _ = c.do("GET", "/Users?cursor&count=2", "").body["nextCursor"].(string)
	for start := 1; start < 5; start += 2 { // which leaves bookmarks
		c.do("GET", fmt.Sprintf("/Users?startIndex=%d&count=2", start), "")
	}
	return l
}

var callsOf = regexp.MustCompile(`table\.calls=(\d+)`)

// counted sends a request, and tells how many calls to the table it made, as the log has it.
func (c *client) counted(r [4]string) (answer, string) {
	c.log.mu.Lock()
	c.log.Reset()
	c.log.mu.Unlock()
	var header []string
	if r[3] != "" {
		header = []string{"If-Match", r[3]}
	}
	a := c.do(r[0], r[1], r[2], header...)
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	return a, fmt.Sprint(callsOf.FindAllString(c.log.String(), -1))
}
