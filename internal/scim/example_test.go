package scim_test

import (
	"fmt"
	"io/fs"
	"testing/fstest"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
)

// A resource type is data: a folder with its schemas and a resource_types.json.
func ExampleOpen() {
	badges := fstest.MapFS{
		"badge.json": {Data: []byte(`{
			"id": "urn:example:Badge",
			"name": "Badge",
			"attributes": [{"name": "number", "required": true}, {"name": "color"}]
		}`)},
		"resource_types.json": {Data: []byte(`[{
			"id": "Badge",
			"name": "Badge",
			"endpoint": "/Badges",
			"schema": "urn:example:Badge",
			"storage": {"letter": "b", "name": "number", "lookups": ["color"]}
		}]`)},
	}
	types, err := scim.Open([]string{"badges"}, func(string) fs.FS { return badges })
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, rt := range types.ResourceTypes {
		fmt.Println(rt.Endpoint, rt.Storage.NameAttribute, rt.Storage.IndexedAttributes)
	}
	// Output:
	// /Users userName [externalId emails]
	// /Groups displayName [externalId]
	// /Badges number [color]
}

// Decode returns the canonical form of a body: names as in the schema, and no attributes that the schema does not have.
func ExampleResourceType_Decode() {
	user := scim.StandardTypes().ByName("User")
	o, err := user.Decode([]byte(`{"USERNAME": "ada", "active": "True", "shoeSize": 38, "title": null}`), nil)
	fmt.Println(o, err)

	_, err = user.Decode([]byte(`{"active": true}`), nil)
	fmt.Println(err.(*scim.Error).Detail)
	// Output:
	// map[active:true userName:ada] <nil>
	// The attribute userName is required. Send a value that is not empty.
}

// A Matcher is a compiled filter. Strings are compared without regard to case, unless the attribute is caseExact.
func ExampleResourceType_Matcher() {
	f, err := filter.Parse(`userName sw "ADA"`, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	matches, err := scim.StandardTypes().ByName("User").Matcher(f)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(matches(nil, scim.Object{"userName": "ada@example.com"}))
	// Output: true
}
