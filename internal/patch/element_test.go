package patch

import (
	"context"
	"testing"

	"serverless-scim/internal/scim"
)

// The sub-attributes that the server adds to members (type, display) are not part of their identity. Filters can use
// them.
func TestIdentityIgnoresServerAttributesOfMembers(t *testing.T) {
	t.Parallel()
	rt := types.ByName("Group")
	group := scim.Object{"displayName": "g", "members": []any{
		scim.Object{"value": "u1", "type": "User", "display": "One"},
		scim.Object{"value": "g2", "type": "Group", "display": "Two"},
	}}
	added, err := Apply(context.Background(), rt, group, decodeOperations(t, `[{"op": "add", "path": "members", "value": [{"value": "u1", "type": "x"}]}]`))
	if err != nil || !scim.Equal(added, group) {
		t.Errorf("add of an existing member: %s, %v; want no change", text(added), err)
	}
	for _, operations := range []string{
		`[{"op": "remove", "path": "members", "value": [{"value": "u1"}]}]`,
		`[{"op": "remove", "path": "members[display sw \"on\"]"}]`,
		`[{"op": "remove", "path": "members[type eq \"user\"]"}]`,
	} {
		got, err := Apply(context.Background(), rt, group, decodeOperations(t, operations))
		if !scim.Equal(got["members"], group["members"].([]any)[1:]) {
			t.Errorf("%s: %s, %v; want only the other member, unchanged", operations, text(got), err)
		}
	}
}
