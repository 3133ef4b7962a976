package patch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"serverless-scim/internal/scim"
)

// applyTo returns the members that result from applying m to ids.
func (m MemberChanges) applyTo(ids []string) map[string]bool {
	set := map[string]bool{}
	if !m.ReplaceAll {
		for _, id := range ids {
			set[id] = true
		}
	}
	for _, id := range m.Remove {
		delete(set, id)
	}
	for _, id := range m.Add {
		set[id] = true
	}
	return set
}

func memberObjects(ids []string) []any {
	list := make([]any, len(ids))
	for i, id := range ids {
		list[i] = scim.Object{"value": id, "type": "User", "display": "User " + id}
	}
	return list
}

func idsIn(o scim.Object) map[string]bool {
	set := map[string]bool{}
	list, _ := o["members"].([]any)
	for _, e := range list {
		set[e.(scim.Object)["value"].(string)] = true
	}
	return set
}

// The name of each section of testdata/members is the expected result of SplitMembers for the operations in it: the
// number of other operations and the MemberChanges, "all" if all members are needed, or the status and type of an
// error.
func TestSplitMembersReturnsChanges(t *testing.T) {
	t.Parallel()
	for _, s := range readSections(t, "testdata/members") {
		rest, m, ok, err := SplitMembers(types.ByName("Group"), decodeOperations(t, s.body))
		got := fmt.Sprintf("%d; %v", len(rest), m)
		var e *scim.Error
		switch {
		case errors.As(err, &e):
			got = fmt.Sprintf("%d %s", e.Status, e.Type)
		case !ok:
			got = "all"
		}
		if got != s.name {
			t.Errorf("%s\ngot %s, want %s", s.body, got, s.name)
		}
	}
}

func TestSplitMembersIgnoresUsers(t *testing.T) {
	t.Parallel()
	ops := decodeOperations(t, `[{"op": "add", "path": "members", "value": []},
		{"op": "add", "value": {"members": [], "title": "T"}}]`)
	rest, m, ok, err := SplitMembers(types.ByName("User"), ops)
	if !ok || err != nil || len(rest) != 2 || len(m.Add)+len(m.Remove) > 0 || m.ReplaceAll {
		t.Errorf("got %v, %v, %v, %v; want the operations unchanged", rest, m, ok, err)
	}
}

// drawMemberOperation draws an operation on a group, in any form that can change its members.
func drawMemberOperation(t *rapid.T) string {
	id := rapid.SampledFrom([]string{"u1", "u2", "u3", "u4", "U1", "g1"})
	list := func() string {
		var b []string
		for _, id := range rapid.SliceOfN(id, 0, 3).Draw(t, "ids") {
			b = append(b, fmt.Sprintf(rapid.SampledFrom([]string{
				`{"value": %q}`, `{"value": %q, "display": null, "$ref": null}`, `{"VALUE": %q, "type": "User"}`,
			}).Draw(t, "element"), id))
		}
		if b == nil && rapid.Bool().Draw(t, "null") {
			return `null`
		}
		if len(b) == 1 && rapid.Bool().Draw(t, "bare") {
			return b[0]
		}
		return `[` + strings.Join(b, ",") + `]`
	}
	filter := func() string {
		return fmt.Sprintf(rapid.SampledFrom([]string{
			`value eq %[1]s`, `value eq %[1]s or value eq %[2]s`,
			`value eq %[2]s or (VALUE EQ %[1]s or value eq %[2]s)`, `not (value eq %[1]s)`,
			`value eq %[1]s and type eq User`, `display co %[1]s`, `value sw %[1]s`, `value gt %[1]s`,
		}).Draw(t, "filter"), id.Draw(t, "x"), id.Draw(t, "y"))
	}
	name := rapid.SampledFrom([]string{"members", "Members", "urn:ietf:params:scim:schemas:core:2.0:Group:members"})
	change := rapid.SampledFrom([]string{"add", "replace", "Add", "Replace"})
	bad := rapid.SampledFrom([]string{`[{"display": "x"}]`, `"u1"`, `[{"value": 1}]`, `[{"value": " "}]`})
	switch rapid.IntRange(0, 11).Draw(t, "shape") {
	case 0, 1, 2:
		return fmt.Sprintf(`{"op": %q, "path": %q, "value": %s}`, change.Draw(t, "op"), name.Draw(t, "name"), list())
	case 3, 4:
		return fmt.Sprintf(`{"op": %q, "value": {%q: %s, "id": "g", "displayName": "d"}}`,
			change.Draw(t, "op"), name.Draw(t, "name"), list())
	case 5:
		return fmt.Sprintf(`{"op": "remove", "path": %q, "value": %s}`, name.Draw(t, "name"), list())
	case 6:
		return fmt.Sprintf(`{"op": "remove", "path": "members", "value": {"members": %s}}`, list())
	case 7, 8:
		return fmt.Sprintf(`{"op": "remove", "path": %q}`, name.Draw(t, "name")+"["+filter()+"]")
	case 9:
		return fmt.Sprintf(`{"op": %q, "path": %q, "value": {"value": %q}}`,
			change.Draw(t, "op"), "members["+filter()+"]", id.Draw(t, "id"))
	case 10:
		return fmt.Sprintf(`{"op": "replace", "path": "externalId", "value": %q}`, id.Draw(t, "id"))
	}
	if rapid.IntRange(0, 4).Draw(t, "bad") == 0 {
		return fmt.Sprintf(`{"op": %q, "path": "members", "value": %s}`, change.Draw(t, "op"), bad.Draw(t, "value"))
	}
	return `{"op": "remove", "path": "members"}`
}

// SplitMembers and Apply on the whole group must have the same effect for all groups and operations.
func TestSplitMembersAgreesWithApply(t *testing.T) {
	t.Parallel()
	rt := types.ByName("Group")
	rapid.Check(t, func(t *rapid.T) {
		operations := `[` + strings.Join(rapid.SliceOfN(rapid.Custom(drawMemberOperation), 1, 5).Draw(t, "operations"), ",\n") + `]`
		ops, err := Decode([]byte(`{"Operations": `+operations+`}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		id := rapid.SampledFrom([]string{"u1", "u2", "u3", "U1", "g1", "g2"})
		ids := rapid.SliceOfDistinct(id, rapid.ID).Draw(t, "members")
		bare := scim.Object{"displayName": "g"}
		whole := bare.Clone()
		if len(ids) > 0 {
			whole["members"] = memberObjects(ids)
		}
		want, wantErr := Apply(context.Background(), rt, whole, ops)

		before := text(ops)
		rest, m, ok, err := SplitMembers(rt, ops)
		if text(ops) != before {
			t.Fatalf("%s\nSplitMembers modified its argument", operations)
		}
		if !ok && err == nil {
			t.Skip("needs all members")
		}
		var got scim.Object
		if err == nil {
			got, err = Apply(context.Background(), rt, bare, rest)
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%s\nwith members %v: SplitMembers returns %v, Apply %v", operations, ids, err, wantErr)
		}
		if err != nil {
			return
		}
		if set := m.applyTo(ids); !maps.Equal(set, idsIn(want)) {
			t.Fatalf("%s\nwith members %v: %+v results in %v, Apply in %v", operations, ids, m, set, idsIn(want))
		}
		if delete(want, "members"); !scim.Equal(got, want) {
			t.Fatalf("%s\nwithout members: %v, want %v", operations, got, want)
		}
	})
}
