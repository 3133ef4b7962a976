package console

import (
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"serverless-scim/internal/console/capture"
)

// attempt sends a request that may fail.
func (s *site) attempt(tenant, method, path, body string) {
	r := httptest.NewRequest(method, "/scim/v2"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+s.tokens[tenant])
	r.Header.Set("Content-Type", "application/scim+json")
	s.handler.ServeHTTP(httptest.NewRecorder(), r)
}

// The page of an exchange that was refused because of a name leads to the resource that has the name now.
func TestRefusedNamesLeadToTheirOwner(t *testing.T) {
	t.Parallel()
	const name, lost = `Ada "A" <b>`, "The console has not kept the part"
	s := newSite(t, "acme", "other")
	s.user("other", name)
	ada, grace := s.user("acme", name), s.user("acme", "grace")
	engineers := s.group("acme", "Engineers")
	owns := func(attribute, typ, id string) string {
		return "The resource that has this " + attribute + " now: " + typ + ` <a class="personal" href="/console/directory/resource?tenant=acme&amp;type=` + typ + "&amp;id=" + id
	}
	for _, c := range []struct{ method, path, body, want string }{
		{"POST", "/Users", `{"USERNAME":"ada \"a\" <B>"}`, owns("userName", "User", ada)},
		{"PUT", "/Users/" + grace, `{"userName":"ADA \"A\" <b>"}`, owns("userName", "User", ada)},
		{"PATCH", "/Users/" + grace, `{"Operations":[{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:userName","value":"ada \"A\" <b>"}]}`, owns("userName", "User", ada)},
		{"PATCH", "/Users/" + grace, `{"Operations":[{"op":"Replace","value":{"userName":"ada \"A\" <b>"}}]}`, owns("userName", "User", ada)},
		{"POST", "/groups", `{"displayName":"engineers"}`, owns("displayName", "Group", engineers)},
		{"POST", "/Users", `{"userName":"ada \"a\" <b>"` + strings.Repeat(" ", capture.MaxBodyBytes) + "}", lost},
		{"POST", "/Users", `{"displayName":"no name"}`, ""},
		{"POST", "/Users", `{"userName":"free"}`, ""},
	} {
		s.attempt("acme", c.method, c.path, c.body)
		e := s.console.Traffic.Exchanges()[0]
		body := s.page("/console/traffic/"+strconv.Itoa(e.ID), 200)
		explained := strings.Contains(body, "The resource that has this") || strings.Contains(body, lost)
		if refused := c.want != ""; refused != (e.Status == 409) || refused != explained || !strings.Contains(body, c.want) {
			t.Errorf("%s %s %.80s: %d %.2000s", c.method, c.path, c.body, e.Status, body)
		}
	}
	s.scim("acme", "DELETE", "/Users/"+ada, nil)
	if body := s.page("/console/traffic/5", 200); !strings.Contains(body, "Now, no resource has this userName.") || strings.Contains(body, "The resource that has this") {
		t.Error(body)
	}
}
