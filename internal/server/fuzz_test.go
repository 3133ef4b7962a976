package server

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// Whatever stands in a query string or a SearchRequest, the answer is a list or says what is wrong with the request.
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
		if a := c.send(r); a.status != 200 && a.status != 400 {
			t.Fatalf("%q: %d %s", query, a.status, a.text)
		}
		r = httptest.NewRequest("POST", "/v2/.search", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+c.secret)
		if a := c.send(r); a.status != 200 && a.status != 400 {
			t.Fatalf("%q: %d %s", body, a.status, a.text)
		}
	})
}
