package server

import (
	"encoding/json"
	"testing"

	"serverless-scim/internal/scim"
)

// TestOktaEntitlements sends the requests of Okta's discovery, and those of Okta's entitlement test to each entitlement
// endpoint.
func TestOktaEntitlements(t *testing.T) {
	t.Parallel()
	types, err := scim.Open([]string{"okta"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, func(c *Config) { c.Directory.Store.Types = types })
	schemas := map[any]any{}
	for _, rt := range c.expect(c.do("GET", "/ResourceTypes", ""), 200).body["Resources"].([]any) {
		schemas[rt.(scim.Object)["endpoint"]] = rt.(scim.Object)["schema"]
	}
	for endpoint, schema := range map[string]string{"/Roles": "urn:okta:scim:schemas:core:1.0:Role",
		"/Entitlements": "urn:okta:scim:schemas:core:1.0:Entitlement"} {
		if schemas[endpoint] != schema {
			t.Errorf("/ResourceTypes has the schema %v for %s, want %s", schemas[endpoint], endpoint, schema)
		}
		c.expect(c.do("GET", "/Schemas/"+schema, ""), 200)
		id := c.create(endpoint, `{"schemas":["`+schema+`"],"displayName":"Sales Lead"}`)
		c.create(endpoint, `{"schemas":["`+schema+`"],"displayName":"Auditor"}`)
		c.expect(c.do("POST", endpoint, `{"displayName":"sales lead"}`), 409, scim.Uniqueness)
		resp := c.expect(c.do("GET", endpoint+"?count=1&startIndex=1", ""), 200)
		if resp.value("schemas.0") != "urn:ietf:params:scim:api:messages:2.0:ListResponse" || resp.value("Resources.0") == nil {
			t.Errorf("GET %s: %s", endpoint, resp.text)
		}
		for name, want := range map[string]json.Number{"itemsPerPage": "1", "startIndex": "1", "totalResults": "2"} {
			if resp.value(name) != want {
				t.Errorf("%s of %s is %v, want %s", name, endpoint, resp.value(name), want)
			}
		}
		if resp := c.expect(c.do("GET", endpoint+"/"+id, ""), 200); resp.value("meta.resourceType") != endpoint[1:len(endpoint)-1] {
			t.Errorf("the created resource is %s", resp.text)
		}
	}
	c = newClient(t)
	c.expect(c.do("GET", "/Roles", ""), 404)
}
