package directory_test

import (
	"strings"
	"testing"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/table"
)

// RFC 7644 §3.5.2: operations apply in sequence. A filter finds the type, the display and the $ref of members that an
// earlier operation of the request has added, as if the operations were separate requests.
func TestOperationsSeeMembersOfEarlierOperations(t *testing.T) {
	directorytest.OnEach(t, func(t *testing.T, tab table.Table) {
		f := directorytest.New(t, tab)
		ids := map[string]string{"ada": f.NewUser("ada"), "bob": f.NewUser("bob"), "inner": f.NewGroup("inner"), "deleted": missingID}
		list := func(names ...string) string {
			members := make([]string, len(names))
			for i, name := range names {
				members[i] = ids[name]
			}
			return directorytest.MembersJSON(members)
		}
		remove := func(filter string) string {
			return `{"op":"remove","path":"members[` + strings.ReplaceAll(filter, `"`, `\"`) + `]"}`
		}
		add := `{"op":"add","path":"members","value":` + list("bob", "inner", "deleted") + `}`
		for name, c := range map[string]struct{ operations, want string }{
			"type ne":           {add + `,` + remove(`type ne "Group"`), "inner"},
			"type eq":           {add + `,` + remove(`type eq "group"`), "ada bob"},
			"display":           {add + `,` + remove(`display eq "INNER"`), "ada bob"},
			"$ref":              {add + `,` + remove(`$ref co "/Groups/"`), "ada bob"},
			"of earlier ones":   {remove(`type eq "User"`) + `,` + add + `,` + remove(`type eq "User"`), "inner"},
			"without a path":    {`{"op":"add","value":{"members":` + list("bob", "inner") + `}},` + remove(`type eq "User"`), "inner"},
			"after a replace":   {`{"op":"replace","path":"members","value":` + list("inner", "ada") + `},` + remove(`display eq "inner"`), "ada"},
			"a replaced member": {`{"op":"replace","path":"members[type eq \"User\"]","value":{"value":"` + ids["inner"] + `"}},` + remove(`type eq "User"`), "inner"},
		} {
			g := f.NewGroup(name, ids["ada"])
			f.Must(f.Patch(f.Group, g, `[`+c.operations+`]`))
			var got []string
			for _, member := range []string{"ada", "bob", "inner", "deleted"} {
				for _, id := range f.Members(g) {
					if id == ids[member] {
						got = append(got, member)
					}
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%s: the members are %v, want %s", name, got, c.want)
			}
		}
		strict := f.With(func(c *directory.Config) { c.Store.StrictMembers = true })
		g := strict.NewGroup("strict", ids["ada"])
		if _, err := strict.Patch(f.Group, g, `[`+add+`,`+remove(`type eq "Group"`)+`]`); directorytest.Status(err) != 400 {
			t.Errorf("a missing member with StrictMembers: %v, want 400", err)
		}
		f.CheckInvariants()
	})
}
