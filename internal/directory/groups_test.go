package directory_test

import (
	"fmt"
	"slices"
	"testing"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// listAll lists all pages by startIndex, as Okta does, and returns the IDs.
func listAll(f *directorytest.Fixture, p directory.ListParams) (ids []string) {
	f.Helper()
	for p.StartIndex = 1; ; {
		l, err := f.List(f.Ctx, p)
		if err != nil {
			f.Fatalf("%+v: %v", p, err)
		}
		ids = append(ids, directorytest.IDs(l)...)
		if !directorytest.NextPage(&p, l) {
			return ids
		}
	}
}

// A user in as many groups as a member can be in is read, changed, found and deleted like any other user. Another group
// is rejected, also if it gets many members at once, and changes nothing.
func TestUserInTheMaximumNumberOfGroups(t *testing.T) {
	t.Parallel()
	const maxGroupsPerMember = 1500 // of package store
	f := directorytest.New(t, directorytest.NewTable(t))
	others := f.NewUsers(60)
	u := f.NewUser("u")
	var groups []string
	for i := range maxGroupsPerMember {
		groups = append(groups, f.NewGroup(fmt.Sprint("g", i), u))
	}
	slices.Sort(groups)
	extra := f.NewGroup("extra")
	for _, members := range [][]string{{u}, append([]string{u}, others...)} {
		if _, err := f.Patch(f.Group, extra, addMembers(members...)); directorytest.Status(err) != 400 {
			t.Errorf("another group, which gets %d members: %v, want 400", len(members), err)
		}
	}
	if f.Members(extra) != nil {
		t.Error("a rejected request has added members")
	}
	_, err := f.Create(f.Ctx, f.Group, directorytest.WithMembers("new", u), scim.Projection{})
	if directorytest.Status(err) != 400 {
		t.Errorf("another group, which is created with the user: %v, want 400", err)
	}

	ctx, usage := table.WithUsage(f.Ctx)
	r, err := f.Retrieve(ctx, f.User, u, scim.Projection{})
	shown, read := directorytest.Values(r, "groups"), usage().ItemsRead
	if err != nil || !slices.Equal(shown, groups) || read != 1+directory.MaxDisplayNames {
		t.Errorf("a response shows %d groups and reads %d items, %v", len(shown), read, err)
	}
	names := 0
	for _, g := range directorytest.Object(r)["groups"].([]any) {
		if g.(scim.Object)["display"] != nil {
			names++
		}
	}
	if names != directory.MaxDisplayNames {
		t.Errorf("a response shows the names of %d groups, want %d", names, directory.MaxDisplayNames)
	}
	found := listAll(f, directory.ListParams{
		Types: directorytest.Only(f.Group), Filter: directorytest.Parse(t, `members.value eq "`+u+`"`), Count: 400,
		Projection: project(f, f.User, "displayName", ""),
	})
	if !slices.Equal(found, groups) {
		t.Errorf("%d groups are found by their member, want %d", len(found), maxGroupsPerMember)
	}

	f.Must(f.Patch(f.User, u, `[{"op":"replace","path":"userName","value":"renamed"},{"op":"add","path":"title","value":"x"}]`))
	f.Must(f.Patch(f.Group, groups[7], removeMemberByPath(u)))
	f.Must(f.Patch(f.Group, extra, addMembers(u)))
	f.CheckMembers(extra, []string{u})
	if err := f.Delete(f.Ctx, f.User, u, nil); err != nil {
		t.Fatal(err)
	}
	f.CheckMembers(groups[9], nil)
	f.CheckIdle()
}
