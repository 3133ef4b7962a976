package server

import (
	"encoding/json"
	"strings"
	"testing"

	"serverless-scim/internal/scim"
)

// TestOktaSpecification sends the requests of Okta's specification test of a SCIM 2.0 server, in the same order. The
// test requires that a user exists.
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
	get := func(path string, status int, schema string, wanted ...string) clientResponse {
		t.Helper()
		resp := c.expect(c.do("GET", path, ""), status)
		if schemas, _ := resp.value("schemas").([]any); len(schemas) == 0 || schemas[0] != schema {
			t.Errorf("GET %s: schemas is %v, want %s", path, schemas, schema)
		}
		for _, w := range wanted {
			if v := resp.value(w); v == nil || v == "" {
				t.Errorf("GET %s: %s is empty", path, w)
			}
		}
		return resp
	}
	filterByUserName := func(userName string) string { return `/Users?filter=userName%20eq%20%22` + userName + `%22` }
	getEmptyList := func(path string) {
		t.Helper()
		if n := get(path, 200, listResponse).value("totalResults"); n != json.Number("0") {
			t.Errorf("GET %s finds %v users, want 0", path, n)
		}
	}

	first := get("/Users?count=1&startIndex=1", 200, listResponse, "Resources.0.id", "Resources.0.name.familyName", "Resources.0.name.givenName",
		"Resources.0.userName", "Resources.0.active", "Resources.0.emails.0.value")
	for _, number := range []string{"itemsPerPage", "startIndex", "totalResults"} {
		if _, ok := first.value(number).(json.Number); !ok {
			t.Errorf("%s must be a number", number)
		}
	}
	id := first.value("Resources.0.id").(string)
	if one := get("/Users/"+id, 200, userSchema, "name.familyName", "name.givenName", "userName", "active", "emails.0.value"); one.value("id") != id {
		t.Errorf("GET of %s returns %v", id, one.value("id"))
	}
	getEmptyList(filterByUserName("abcdefgh@atko.com"))
	get("/Users/010101001010101011001010101011", 404, failed, "detail")
	getEmptyList(filterByUserName(name))
	created := c.expect(c.do("POST", "/Users", body, "Content-Type", "application/json", "Accept", "application/scim+json; charset=utf-8"), 201)
	for path, want := range map[string]any{"active": true, "name.familyName": "Test", "name.givenName": "Runscope", "userName": name, "schemas.0": userSchema} {
		if got := created.value(path); got != want {
			t.Errorf("%s of the new user is %v, want %v", path, got, want)
		}
	}
	again := get("/Users/"+created.value("id").(string), 200, userSchema)
	if !scim.Equal(again.body, created.body) {
		t.Errorf("GET returns %s, POST returned %s", again.text, created.text)
	}
	c.expect(c.do("POST", "/Users", body, "Content-Type", "application/json"), 409, scim.Uniqueness)
	if n := get(filterByUserName(strings.ToUpper(name)), 200, listResponse).value("totalResults"); n != json.Number("1") {
		t.Errorf("a filter by userName must ignore case: %v", n)
	}
	get("/Groups", 200, listResponse)
	resp := c.expect(c.do("GET", filterByUserName(name), "", "Authorization", "non-token"), 401)
	if resp.value("status") != "401" || resp.value("schemas.0") != failed || resp.value("detail") == "" {
		t.Errorf("a wrong token: %s", resp.text)
	}
	get("/Users/00919288221112222", 404, failed, "detail")
}

const userSchema = "urn:ietf:params:scim:schemas:core:2.0:User"
