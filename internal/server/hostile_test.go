package server

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// hostileValues returns values that have a special meaning in some component or are not valid.
func hostileValues() []string {
	return []string{"../", "../../Users", "%2e%2e", "%2F", "a/b", "//Users", "#", "?", "&x=y", "t#other#User#x", "other#User#u", "@", "\x00", "a\x00b",
		"\r\nX-Evil: 1", "a\nlevel=ERROR msg=request", "\t", `{"a":1}`, `"}]}`, `\`, `\"`, "${jndi:ldap://x}", "$(id)", "`id`", "' OR 1=1 --",
		"attribute_exists(PK)", ":v", "#n", "*", "%", "%25", "\u2028", "\u202etxt", "\ufeff", "é", "é", "ſ", "İ", "𝕏", "<script>", "null", "true", "-1",
		"\xff\xfe", "\xed\xa0\x80", strings.Repeat("k", 2<<10), strings.Repeat("ü", 10<<10), " ", "  a  "}
}

func quoteJSON(v string) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func TestHostileValuesAreStoredUnchangedOrRejected(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create("/Users", `{"userName":"somebody","externalId":"somebody","emails":[{"value":"somebody"}]}`)
	attributes := []struct{ path, attribute, body string }{
		{"/Users", "userName", `{"userName":V}`},
		{"/Users", "externalId", `{"userName":"n","externalId":V}`},
		{"/Users", "emails.value", `{"userName":"n","emails":[{"value":V}]}`},
		{"/Groups", "displayName", `{"displayName":V}`},
		{"/Groups", "externalId", `{"displayName":"n","externalId":V}`},
	}
	requests := 0
	for _, v := range hostileValues() {
		for _, p := range attributes {
			requests++
			raw := quoteJSON(v)
			if strings.ToValidUTF8(v, "") != v {
				raw = `"` + v + `"`
			}
			resp := c.do("POST", p.path, strings.Replace(p.body, "V", raw, 1))
			if resp.status != 201 {
				if resp.status != 400 && resp.status != 413 {
					t.Errorf("%s %.20q: %d %s", p.attribute, v, resp.status, resp.text)
				}
				continue
			}
			id := resp.body["id"].(string)
			if got := c.do("GET", p.path+"/"+id, ""); got.text != resp.text {
				t.Errorf("%s %.20q: GET has %s, POST had %s", p.attribute, v, got.text, resp.text)
			}
			if !strings.Contains(resp.text, strings.Trim(raw, `"`)) && resp.value("userName") != v && resp.value("displayName") != v && resp.value("externalId") != v && resp.value("emails.0.value") != v {
				t.Errorf("%s %.20q is returned as %.200s", p.attribute, v, resp.text)
			}
			found := c.do("GET", p.path+"?filter="+url.QueryEscape(p.attribute+" eq "+quoteJSON(v)), "")
			if found.value("Resources.0.id") != id && len(v) < 10<<10 { // the length limit of a filter
				t.Errorf("the filter does not find %s %.20q: %d %.200s", p.attribute, v, found.status, found.text)
			}
			c.expect(c.do("DELETE", p.path+"/"+id, ""), 204)
		}
	}
	t.Logf("%d requests", requests)
}

func TestHostileRequestsExposeNothing(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	user := c.create("/Users", `{"userName":"somebody"}`)
	group := c.create("/Groups", `{"displayName":"g"}`)
	c.log.Reset()
	requests := 0
	checkHarmless := func(what, v string, resp clientResponse) {
		t.Helper()
		requests++
		if resp.status >= 500 || strings.Contains(resp.text, "somebody") {
			t.Errorf("%s %.30q: %d %.300s", what, v, resp.status, resp.text)
		}
	}
	for _, v := range hostileValues() {
		for _, endpoint := range []string{"/Users/", "/Groups/"} {
			for method, body := range map[string]string{"GET": "", "PUT": `{"userName":"x","displayName":"x"}`, "PATCH": deactivation, "DELETE": ""} {
				r := httptest.NewRequest(method, "/", strings.NewReader(body))
				r.Header.Set("Authorization", "Bearer "+c.secret)
				r.URL.Path = "/v2" + endpoint + v
				resp := c.send(r)
				if strings.HasSuffix(v, "/Users") {
					continue // /Users after a base path
				}
				if checkHarmless("id", v, resp); resp.status < 400 && strings.Trim(v, "/ ") != "" && v != "//Users" && !strings.HasPrefix(v, "..") {
					t.Errorf("%s %s%.30q: %d", method, endpoint, v, resp.status)
				}
			}
		}
		q := url.QueryEscape
		for what, path := range map[string]string{
			"filter": "/Users?filter=" + q(v), "filter value": "/Users?filter=" + q("title co "+quoteJSON(v)), "id value": "/Users?filter=" + q("id eq "+quoteJSON(v)),
			"member value": "/Groups?filter=" + q("members.value eq "+quoteJSON(v)), "sortBy": "/Groups?sortBy=" + q(v), "cursor": "/Groups?cursor=" + q("x"+v),
			"startIndex": "/Groups?startIndex=" + q(v), "count": "/Groups?count=" + q(v), "attributes": "/Groups?attributes=" + q(v), "other": "/Groups?x=" + q(v) + "&" + q(v) + "=1",
		} {
			if what == "filter" && v == " " || strings.HasPrefix(what, "filter") && strings.TrimSpace(v) == "" {
				continue // an empty filter lists all users
			}
			checkHarmless(what, v, c.do("GET", path, ""))
		}
		checkHarmless("member", v, c.do("PATCH", "/Groups/"+group, `{"Operations":[{"op":"add","path":"members","value":[{"value":`+quoteJSON(v)+`}]}]}`))
		checkHarmless("path", v, c.do("PATCH", "/Groups/"+group, `{"Operations":[{"op":"remove","path":`+quoteJSON("members[value eq "+quoteJSON(v)+"]")+`}]}`))
		checkHarmless("path itself", v, c.do("PATCH", "/Groups/"+group, `{"Operations":[{"op":"remove","path":`+quoteJSON(v)+`}]}`))
		checkHarmless("bulk", v, c.do("POST", "/Bulk", `{`+bulkSchemas+`,"Operations":[{"method":"DELETE","path":`+quoteJSON("/Users/"+v)+`},{"method":`+quoteJSON(v)+`,"bulkId":`+quoteJSON(v)+`,"path":"/Users","data":{}}]}`))
		if !strings.ContainsAny(v, "\r\n\x00") {
			checkHarmless("If-Match", v, c.do("DELETE", "/Users/"+user, "", "If-Match", `"x`+strings.ReplaceAll(v, "*", "")+`"`))
			checkHarmless("Content-Type", v, c.do("POST", "/Groups", `{"displayName":"x"}`, "Content-Type", "x"+v))
		}
	}
	c.expect(c.do("GET", "/Users/"+user, ""), 200)
	for line := range strings.Lines(c.log.String()) {
		if !strings.HasPrefix(line, "time=") || strings.Contains(line, "jndi") || strings.Contains(line, "X-Evil") || strings.Contains(line, "kkkk") {
			t.Errorf("the log contains a text of a client: %.200s", line)
		}
	}
	t.Logf("%d requests", requests)
}
