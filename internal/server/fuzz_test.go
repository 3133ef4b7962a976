package server

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// Every query string and every SearchRequest gets a list or a 400 error.
func FuzzQuery(f *testing.F) {
	for _, query := range []string{"startIndex=1&count=2", "filter=userName+eq+%22a%22&", "filter=a%zz", "filter=emails[type eq \"work\"].value pr",
		"sortBy=emails.value&sortOrder=descending&attributes=name.givenName,meta", "filter=not (members.value eq \"x\" or groups pr)&count=-1"} {
		f.Add(query, `{"filter":"userName sw \"a\"","count":1}`)
	}
	c := newClient(f)
	for _, name := range []string{"a", "b"} {
		c.create("/Users", `{"userName":"`+name+`","emails":[{"value":"a@x","type":"work"}]}`)
	}
	f.Fuzz(func(t *testing.T, query, body string) {
		c := *c
		c.TB = t
		r := httptest.NewRequest("GET", "/v2/Users", nil)
		r.URL = &url.URL{Path: "/v2/Users", RawQuery: query}
		r.Header.Set("Authorization", "Bearer "+c.secret)
		if resp := c.send(r); resp.status != 200 && resp.status != 400 {
			t.Fatalf("%q: %d %s", query, resp.status, resp.text)
		}
		r = httptest.NewRequest("POST", "/v2/.search", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+c.secret)
		if resp := c.send(r); resp.status != 200 && resp.status != 400 {
			t.Fatalf("%q: %d %s", body, resp.status, resp.text)
		}
	})
}
