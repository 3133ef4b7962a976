package server

import (
	"encoding/json"
	"testing"

	"serverless-scim/internal/scim"
)

// TestOktaEntitlements asks of each entitlement endpoint what Okta's entitlement test asks, after Okta's discovery.
func TestOktaEntitlements(t *testing.T) {
	t.Parallel()
	types, err := scim.Open([]string{"okta"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, func(c *Config) { c.Directory.Types = types })
	found := map[any]any{}
	for _, rt := range c.want(c.do("GET", "/ResourceTypes", ""), 200).body["Resources"].([]any) {
		found[rt.(scim.Object)["endpoint"]] = rt.(scim.Object)["schema"]
	}
	for endpoint, schema := range map[string]string{"/Roles": "urn:okta:scim:schemas:core:1.0:Role",
		"/Entitlements": "urn:okta:scim:schemas:core:1.0:Entitlement"} {
		if found[endpoint] != schema {
			t.Errorf("/ResourceTypes gives %v for %s, want %s", found[endpoint], endpoint, schema)
		}
		c.want(c.do("GET", "/Schemas/"+schema, ""), 200)
		id := c.create(endpoint, `{"schemas":["`+schema+`"],"displayName":"Sales Lead"}`)
		c.create(endpoint, `{"schemas":["`+schema+`"],"displayName":"Auditor"}`)
		c.want(c.do("POST", endpoint, `{"displayName":"sales lead"}`), 409, scim.Uniqueness)
		a := c.want(c.do("GET", endpoint+"?count=1&startIndex=1", ""), 200)
		if a.at("schemas.0") != "urn:ietf:params:scim:api:messages:2.0:ListResponse" || a.at("Resources.0") == nil {
			t.Errorf("GET %s: %s", endpoint, a.text)
		}
		for name, want := range map[string]json.Number{"itemsPerPage": "1", "startIndex": "1", "totalResults": "2"} {
			if a.at(name) != want {
				t.Errorf("%s of %s is %v, want %s", name, endpoint, a.at(name), want)
			}
		}
		if a := c.want(c.do("GET", endpoint+"/"+id, ""), 200); a.at("meta.resourceType") != endpoint[1:len(endpoint)-1] {
			t.Errorf("the new one is %s", a.text)
		}
	}
	c = newClient(t)
	c.want(c.do("GET", "/Roles", ""), 404)
}
