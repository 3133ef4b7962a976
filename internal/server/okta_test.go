package server

import (
	"encoding/json"
	"strings"
	"testing"

	"serverless-scim/internal/scim"
)

// TestOktaSpecification asks what Okta's specification test of a SCIM 2.0 server asks, in its order. A user is there
// before it begins.
func TestOktaSpecification(t *testing.T) {
	t.Parallel()
	const (
		listResponse = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
		failed       = "urn:ietf:params:scim:api:messages:2.0:Error"
		name         = "runscope300qqwerty@atko.com"
		body         = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"` + name + `","name":{"givenName":"Runscope",` +
			`"familyName":"Test"},"emails":[{"primary":true,"value":"` + name + `","type":"work"}],"displayName":"Runscope Test","active":true}`
	)
	c := newClient(t)
	c.create("/Users", strings.ReplaceAll(body, name, "seed@example.com"))
	get := func(path string, status int, schema string, wanted ...string) answer {
		t.Helper()
		a := c.want(c.do("GET", path, ""), status)
		if schemas, _ := a.at("schemas").([]any); len(schemas) == 0 || schemas[0] != schema {
			t.Errorf("GET %s: schemas is %v, want %s", path, schemas, schema)
		}
		for _, w := range wanted {
			if v := a.at(w); v == nil || v == "" {
				t.Errorf("GET %s: %s is empty", path, w)
			}
		}
		return a
	}
	probe := func(userName string) string { return `/Users?filter=userName%20eq%20%22` + userName + `%22` }
	none := func(path string) {
		t.Helper()
		if n := get(path, 200, listResponse).at("totalResults"); n != json.Number("0") {
			t.Errorf("GET %s finds %v", path, n)
		}
	}

	first := get("/Users?count=1&startIndex=1", 200, listResponse, "Resources.0.id", "Resources.0.name.familyName", "Resources.0.name.givenName",
		"Resources.0.userName", "Resources.0.active", "Resources.0.emails.0.value")
	for _, number := range []string{"itemsPerPage", "startIndex", "totalResults"} {
		if _, ok := first.at(number).(json.Number); !ok {
			t.Errorf("%s must be a number", number)
		}
	}
	id := first.at("Resources.0.id").(string)
	if one := get("/Users/"+id, 200, user, "name.familyName", "name.givenName", "userName", "active", "emails.0.value"); one.at("id") != id {
		t.Errorf("GET of %s gives %v", id, one.at("id"))
	}
	none(probe("abcdefgh@atko.com"))
	get("/Users/010101001010101011001010101011", 404, failed, "detail")
	none(probe(name))
	created := c.want(c.do("POST", "/Users", body, "Content-Type", "application/json", "Accept", "application/scim+json; charset=utf-8"), 201)
	for path, want := range map[string]any{"active": true, "name.familyName": "Test", "name.givenName": "Runscope", "userName": name, "schemas.0": user} {
		if got := created.at(path); got != want {
			t.Errorf("%s of the new user is %v, want %v", path, got, want)
		}
	}
	again := get("/Users/"+created.at("id").(string), 200, user)
	if !scim.Equal(again.body, created.body) {
		t.Errorf("the user is read as %s, and was created as %s", again.text, created.text)
	}
	c.want(c.do("POST", "/Users", body, "Content-Type", "application/json"), 409, scim.Uniqueness)
	if n := get(probe(strings.ToUpper(name)), 200, listResponse).at("totalResults"); n != json.Number("1") {
		t.Errorf("userName is compared with its case: %v", n)
	}
	get("/Groups", 200, listResponse)
	a := c.want(c.do("GET", probe(name), "", "Authorization", "non-token"), 401)
	if a.at("status") != "401" || a.at("schemas.0") != failed || a.at("detail") == "" {
		t.Errorf("a wrong token: %s", a.text)
	}
	get("/Users/00919288221112222", 404, failed, "detail")
}

const user = "urn:ietf:params:scim:schemas:core:2.0:User"
