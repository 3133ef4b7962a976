package console

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// A request can be changed and sent again. Both responses are compared, and the new exchange is in the list.
func TestRequestIsSentAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme", "other")
	s.user("other", "ada")
	form := url.Values{"method": {"POST"}, "target": {"/Users"}, "type": {"application/scim+json"}, "body": {`{"userName":"ada"}`}}
	for _, part := range []string{`action="/console/traffic/1"`, `value="POST"`, `value="/Users"`, "&#34;userName&#34;:&#34;ada&#34;"} {
		if page := s.page("/console/traffic/1", 200); !strings.Contains(page, part) {
			t.Errorf("the page of the exchange has no %s: %s", part, page)
		}
	}
	page := s.post("/console/traffic/1", form)
	for _, part := range []string{">201<", ">409<", "There is a User with this userName already.", "the console cannot create the user ada"} {
		if !strings.Contains(page, part) {
			t.Errorf("the comparison has no %q: %s", part, page)
		}
	}
	if e := s.console.Traffic.Find(2); e == nil || e.Tenant != "other" || e.Client != "console" || e.Status != 409 {
		t.Errorf("the new exchange is %+v", e)
	}
	form.Set("body", `{"userName":"grace"}`)
	if page := s.post("/console/traffic/1", form); strings.Contains(page, ">409<") || !strings.Contains(page, "the console creates the user grace") {
		t.Errorf("with another body: %s", page)
	}
	get := url.Values{"method": {"GET"}, "target": {"/Users?filter=userName eq \"ada\""}}
	if page := s.post("/console/traffic/1", get); !strings.Contains(page, "&#34;totalResults&#34;: 1") {
		t.Errorf("with a filter that is not encoded: %s", page)
	}
}

// A request that cannot be sent again is refused with a reason, and nothing is sent.
func TestRequestIsNotSentAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme")
	s.user("acme", "ada")
	s.handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/scim/v2/Users", nil)) // without a token
	valid := url.Values{"method": {"GET"}, "target": {"/Users"}}
	for _, c := range []struct {
		exchange string
		form     url.Values
		status   int
	}{
		{"1", url.Values{"method": {"GET"}, "target": {"Users"}}, 400}, {"1", url.Values{"method": {"G T"}, "target": {"/Users"}}, 400},
		{"1", url.Values{"method": {"GET"}, "target": {""}}, 400}, {"1", url.Values{"method": {"GET"}, "target": {"@evil.example/"}}, 400},
		{"2", valid, 400}, {"3", valid, 404}, {"x", valid, 404},
	} {
		if w := post(t, s.handler, Root+"traffic/"+c.exchange, c.form); w.Code != c.status {
			t.Errorf("%s %v: %d, want %d", c.exchange, c.form, w.Code, c.status)
		}
	}
	if s.console.Traffic.Find(3) != nil {
		t.Error("a request was sent")
	}
	if w := post(t, s.handler, Root+"traffic/1", valid); w.Code != http.StatusOK {
		t.Errorf("a valid request: %d", w.Code)
	}
}
