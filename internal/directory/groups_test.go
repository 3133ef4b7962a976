package directory

import (
	"fmt"
	"slices"
	"testing"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// Who is in as many groups as one can be is read, changed, found, moved and deleted like anybody else; one group more is
// refused, alone or among many members, and changes nothing.
func TestAUserInAsManyGroupsAsOneCanBe(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	others := f.newUsers(60)
	u := f.newUser("u")
	var groups []string
	for i := range maxGroupsPerMember {
		groups = append(groups, f.newGroup(fmt.Sprint("g", i), u))
	}
	slices.Sort(groups)
	more := f.newGroup("more")
	for _, members := range [][]string{{u}, append([]string{u}, others...)} {
		_, err := f.patch(f.group, more, `[{"op":"add","path":"members","value":`+list(members)+`}]`)
		if status(err) != 400 {
			t.Errorf("a group more, with %d members: %v, want 400", len(members), err)
		}
	}
	if f.members(more) != nil {
		t.Error("what is refused changes nothing")
	}
	if _, err := f.Create(f.ctx, f.group, withMembers("new", u), scim.Projection{}); status(err) != 400 {
		t.Errorf("a new group more: %v, want 400", err)
	}
	ctx, usage := table.WithUsage(f.ctx)
	r, err := f.Retrieve(ctx, f.user, u, scim.Projection{})
	if shown := values(r, "groups"); err != nil || !slices.Equal(shown, groups) || usage().ItemsRead != 1+maxDisplayNames {
		t.Errorf("%d groups by reading %d items, %v", len(shown), usage().ItemsRead, err)
	}
	named := 0
	for _, g := range r.Object()["groups"].([]any) {
		if g.(scim.Object)["display"] != nil {
			named++
		}
	}
	if named != maxDisplayNames {
		t.Errorf("%d groups are shown with their names, want %d", named, maxDisplayNames)
	}
	if found := f.byIndex(t, Params{Types: only(f.group), Filter: parsed(t, `members.value eq "`+u+`"`), Count: 400,
		Projection: projected(f, "displayName")}); !slices.Equal(found, groups) {
		t.Errorf("%d groups are found by their member, want %d", len(found), maxGroupsPerMember)
	}
	f.must(f.patch(f.user, u, `[{"op":"replace","path":"userName","value":"renamed"},{"op":"add","path":"title","value":"x"}]`))
	f.must(f.patch(f.group, groups[7], `[{"op":"remove","path":"members[value eq \"`+u+`\"]"}]`))
	f.must(f.patch(f.group, more, `[{"op":"add","path":"members","value":`+list([]string{u})+`}]`))
	f.has(more, []string{u})
	if err := f.Delete(f.ctx, f.user, u, nil); err != nil {
		t.Fatal(err)
	}
	f.has(groups[9], nil)
	f.quiet()
}
