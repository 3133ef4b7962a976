package server

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// hostile is values that somewhere mean something.
func hostile() []string {
	return []string{"../", "../../Users", "%2e%2e", "%2F", "a/b", "//Users", "#", "?", "&x=y", "t#other#User#x", "other#User#u", "@", "\x00", "a\x00b",
		"\r\nX-Evil: 1", "a\nlevel=ERROR msg=request", "\t", `{"a":1}`, `"}]}`, `\`, `\"`, "${jndi:ldap://x}", "$(id)", "`id`", "' OR 1=1 --",
		"attribute_exists(PK)", ":v", "#n", "*", "%", "%25", "\u2028", "\u202etxt", "\ufeff", "é", "é", "ſ", "İ", "𝕏", "<script>", "null", "true", "-1",
		"\xff\xfe", "\xed\xa0\x80", strings.Repeat("k", 2<<10), strings.Repeat("ü", 10<<10), " ", "  a  "}
}

func quoted(v string) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func TestHostileValuesAreStoredAsTheyAreOrRefused(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create("/Users", `{"userName":"somebody","externalId":"somebody","emails":[{"value":"somebody"}]}`)
	places := []struct{ path, attribute, body string }{
		{"/Users", "userName", `{"userName":V}`},
		{"/Users", "externalId", `{"userName":"n","externalId":V}`},
		{"/Users", "emails.value", `{"userName":"n","emails":[{"value":V}]}`},
		{"/Groups", "displayName", `{"displayName":V}`},
		{"/Groups", "externalId", `{"displayName":"n","externalId":V}`},
	}
	cells := 0
	for _, v := range hostile() {
		for _, p := range places {
			cells++
			raw := quoted(v)
			if strings.ToValidUTF8(v, "") != v {
				raw = `"` + v + `"`
			}
			a := c.do("POST", p.path, strings.Replace(p.body, "V", raw, 1))
			if a.status != 201 {
				if a.status != 400 && a.status != 413 {
					t.Errorf("%s %.20q: %d %s", p.attribute, v, a.status, a.text)
				}
				continue
			}
			id := a.body["id"].(string)
			if got := c.do("GET", p.path+"/"+id, ""); got.text != a.text {
				t.Errorf("%s %.20q: GET has %s, POST had %s", p.attribute, v, got.text, a.text)
			}
			if !strings.Contains(a.text, strings.Trim(raw, `"`)) && a.at("userName") != v && a.at("displayName") != v && a.at("externalId") != v && a.at("emails.0.value") != v {
				t.Errorf("%s %.20q came back as %.200s", p.attribute, v, a.text)
			}
			found := c.do("GET", p.path+"?filter="+url.QueryEscape(p.attribute+" eq "+quoted(v)), "")
			if found.at("Resources.0.id") != id && len(v) < 10<<10 { // a filter is no longer
				t.Errorf("%s %.20q is not found: %d %.200s", p.attribute, v, found.status, found.text)
			}
			c.want(c.do("DELETE", p.path+"/"+id, ""), 204)
		}
	}
	t.Logf("%d cells", cells)
}

func TestHostileRequestsReachNothing(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	user := c.create("/Users", `{"userName":"somebody"}`)
	group := c.create("/Groups", `{"displayName":"g"}`)
	c.log.Reset()
	cells := 0
	refused := func(what, v string, a answer) {
		t.Helper()
		cells++
		if a.status >= 500 || strings.Contains(a.text, "somebody") {
			t.Errorf("%s %.30q: %d %.300s", what, v, a.status, a.text)
		}
	}
	for _, v := range hostile() {
		for _, endpoint := range []string{"/Users/", "/Groups/"} {
			for method, body := range map[string]string{"GET": "", "PUT": `{"userName":"x","displayName":"x"}`, "PATCH": deactivation, "DELETE": ""} {
				r := httptest.NewRequest(method, "/", strings.NewReader(body))
				r.Header.Set("Authorization", "Bearer "+c.secret)
				r.URL.Path = "/v2" + endpoint + v
				a := c.send(r)
				if strings.HasSuffix(v, "/Users") {
					continue // whatever is before an endpoint is a base path
				}
				if refused("id", v, a); a.status < 400 && strings.Trim(v, "/ ") != "" && v != "//Users" && !strings.HasPrefix(v, "..") {
					t.Errorf("%s %s%.30q: %d", method, endpoint, v, a.status)
				}
			}
		}
		q := url.QueryEscape
		for what, path := range map[string]string{
			"filter": "/Users?filter=" + q(v), "filter value": "/Users?filter=" + q("title co "+quoted(v)), "id value": "/Users?filter=" + q("id eq "+quoted(v)),
			"member value": "/Groups?filter=" + q("members.value eq "+quoted(v)), "sortBy": "/Groups?sortBy=" + q(v), "cursor": "/Groups?cursor=" + q("x"+v),
			"startIndex": "/Groups?startIndex=" + q(v), "count": "/Groups?count=" + q(v), "attributes": "/Groups?attributes=" + q(v), "other": "/Groups?x=" + q(v) + "&" + q(v) + "=1",
		} {
			if what == "filter" && v == " " || strings.HasPrefix(what, "filter") && strings.TrimSpace(v) == "" {
				continue // it asks for everybody
			}
			refused(what, v, c.do("GET", path, ""))
		}
		refused("member", v, c.do("PATCH", "/Groups/"+group, `{"Operations":[{"op":"add","path":"members","value":[{"value":`+quoted(v)+`}]}]}`))
		refused("path", v, c.do("PATCH", "/Groups/"+group, `{"Operations":[{"op":"remove","path":`+quoted("members[value eq "+quoted(v)+"]")+`}]}`))
		refused("path itself", v, c.do("PATCH", "/Groups/"+group, `{"Operations":[{"op":"remove","path":`+quoted(v)+`}]}`))
		refused("bulk", v, c.do("POST", "/Bulk", `{"Operations":[{"method":"DELETE","path":`+quoted("/Users/"+v)+`},{"method":`+quoted(v)+`,"bulkId":`+quoted(v)+`,"path":"/Users","data":{}}]}`))
		if !strings.ContainsAny(v, "\r\n\x00") {
			refused("If-Match", v, c.do("DELETE", "/Users/"+user, "", "If-Match", `"x`+strings.ReplaceAll(v, "*", "")+`"`))
			refused("Content-Type", v, c.do("POST", "/Groups", `{"displayName":"x"}`, "Content-Type", "x"+v))
		}
	}
	c.want(c.do("GET", "/Users/"+user, ""), 200)
	for line := range strings.Lines(c.log.String()) {
		if !strings.HasPrefix(line, "time=") || strings.Contains(line, "jndi") || strings.Contains(line, "X-Evil") || strings.Contains(line, "kkkk") {
			t.Errorf("the log holds what a client made up: %.200s", line)
		}
	}
	t.Logf("%d cells", cells)
}
