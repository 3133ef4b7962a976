package patch_test

import (
	"context"
	"fmt"

	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
)

// Decode reads the body of a PATCH request, and Apply returns the changed resource. The argument stays as it was.
func ExampleApply() {
	ops, err := patch.Decode([]byte(`{
		"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
		"Operations": [
			{"op": "replace", "path": "active", "value": false},
			{"op": "add", "path": "name.givenName", "value": "Ada"}
		]
	}`), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	user := scim.StandardTypes().ByName("User")
	before := scim.Object{"userName": "ada@example.com", "active": true}
	after, err := patch.Apply(context.Background(), user, before, ops)
	fmt.Println(after, err)
	fmt.Println(before)
	// Output:
	// map[active:false name:map[givenName:Ada] userName:ada@example.com] <nil>
	// map[active:true userName:ada@example.com]
}

// The members of a large group need not be read: SplitMembers returns which memberships the operations add and remove.
func ExampleSplitMembers() {
	ops, err := patch.Decode([]byte(`{
		"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
		"Operations": [
			{"op": "add", "path": "members", "value": [{"value": "u1"}]},
			{"op": "remove", "path": "members[value eq \"u2\"]"},
			{"op": "replace", "path": "displayName", "value": "Engineers"}
		]
	}`), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	rest, members, ok, err := patch.SplitMembers(scim.StandardTypes().ByName("Group"), ops)
	fmt.Println(members.Add, members.Remove, ok, err)
	fmt.Println(rest[0].Path, rest[0].Value)
	// Output:
	// [u1] [u2] true <nil>
	// displayName Engineers
}
