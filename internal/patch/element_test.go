package patch

import (
	"context"
	"slices"
	"strings"
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

// RFC 7644 §3.5.2: operations apply in sequence, so a filter finds the type and display of members that an earlier
// operation of the request has added.
func TestFiltersSeeServerAttributesOfAddedMembers(t *testing.T) {
	t.Parallel()
	group := scim.Object{"displayName": "g", "members": []any{scim.Object{"value": "u1", "type": "User", "display": "One"}}}
	members := map[string]scim.Object{
		"u1": {"value": "u1", "type": "User", "display": "One"},
		"u2": {"value": "u2", "type": "User", "display": "Two"},
		"g2": {"value": "g2", "type": "Group", "display": "Two"},
	}
	const add = `{"op": "add", "path": "members", "value": [{"value": "u2"}, {"value": "g2"}, {"value": "gone"}]}`
	for operations, want := range map[string][]string{
		add + `, {"op": "remove", "path": "members[type ne \"Group\"]"}`:                                               {"g2"},
		add + `, {"op": "remove", "path": "members[type eq \"user\"]"}`:                                                {"g2", "gone"},
		add + `, {"op": "remove", "path": "members[display eq \"two\"]"}`:                                              {"u1", "gone"},
		add + `, {"op": "replace", "path": "members[type eq \"Group\"]", "value": {"value": "g3"}}`:                    {"u1", "u2", "g3", "gone"},
		`{"op": "add", "value": {"members": {"value": "g2"}}}, {"op": "remove", "path": "members[type eq \"Group\"]"}`: {"u1"},
		`{"op": "replace", "value": {"members": [{"value": "g2"}, {"value": "u1"}]}},
		 {"op": "remove", "path": "members[display eq \"One\"]"}`: {"g2"},
		`{"op": "replace", "path": "members[value eq \"u1\"]", "value": {"value": "g2"}}, {"op": "remove", "path": "members[type pr]"}`: nil,
	} {
		ops := decodeOperations(t, "["+operations+"]")
		got, err := ApplyWithMembers(context.Background(), types.ByName("Group"), group, ops, members)
		list, _ := got["members"].([]any)
		if ids := idsOf(list); err != nil || !slices.Equal(ids, want) {
			t.Errorf("%s: %v, %v; want %v", operations, ids, err, want)
		}
	}
	if len(members["u2"]) != 3 || len(group["members"].([]any)) != 1 {
		t.Error("ApplyWithMembers modified its arguments")
	}
}

func TestAddedMembers(t *testing.T) {
	t.Parallel()
	ops := decodeOperations(t, `[{"op": "add", "path": "Members", "value": [{"value": "1"}, {"VALUE": "2"}]},
		{"op": "replace", "value": {"urn:ietf:params:scim:schemas:core:2.0:Group:members": {"value": "3"}, "displayName": "x"}},
		{"op": "replace", "path": "members[type eq \"Group\"]", "value": {"value": "4"}}, {"op": "add", "path": "members.value", "value": "5"},
		{"op": "remove", "path": "members", "value": [{"value": "no"}]}, {"op": "replace", "path": "members", "value": null},
		{"op": "add", "path": "externalId", "value": "no"}, {"op": "add", "path": "members", "value": [{"display": "invalid"}]}]`)
	if got := AddedMembers(types.ByName("Group"), ops); strings.Join(got, "") != "12345" {
		t.Errorf("got %v, want 1 to 5", got)
	}
}
