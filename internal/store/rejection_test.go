package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

func TestResourceTooLargeForATransactionIs413(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tooLarge := f.Over(tabletest.Faults{Table: f.Config.Store.Table, Before: func(c tabletest.Call) error {
		if c.Method == "Write" {
			return &table.TooLargeError{Reason: "5 MB"}
		}
		return nil
	}})
	_, err := tooLarge.Create(t.Context(), f.User, scim.Object{"userName": "u"}, scim.Projection{})
	if directorytest.Status(err) != 413 {
		t.Errorf("got %v, want 413", err)
	}
}

// The name item of the resource itself is a conflict: it can come from an attempt of the same request whose response
// was lost.
func TestNameTakenOnlyByAnotherResource(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	existing := store.MarshalItem(store.NameItem{Key: f.Store.Keys.Name(f.User, "n"), ResourceID: "u1"})
	if err := store.NameTakenHandler(f.User, "u1")(existing); err != table.ErrConflict {
		t.Errorf("a name item of the resource itself: got %v, want a conflict", err)
	}
	if err := store.NameTakenHandler(f.User, "u2")(existing); directorytest.Status(err) != 409 {
		t.Errorf("a name item of another resource: got %v, want 409", err)
	}
}

func TestMemberOfTooManyGroupsIsRejected(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	u, g := f.NewUser("u"), f.NewGroup("g")
	var groups []string
	for i := range store.MaxGroupsPerMember {
		groups = append(groups, fmt.Sprint("g", i))
	}
	write := table.Update{Key: f.Store.Keys.Head(f.User, u), Add: table.Item{"groups": table.SS(groups...)}}
	if err := f.Store.Table.Write(t.Context(), write); err != nil {
		t.Fatal(err)
	}
	_, err := f.Patch(f.Group, g, addMembers(u))
	if directorytest.Status(err) != 400 || !strings.Contains(err.Error(), u) {
		t.Errorf("got %v, want 400 that names the member", err)
	}
	if f.Members(g) != nil {
		t.Error("the group must not have changed")
	}
}

// A filter in a PATCH path can select members by attributes that the server computes.
func TestMembersAreRemovedByFilter(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	named := scim.Object{"userName": "a", "displayName": "Ada"}
	ada, u := f.Must(f.Create(t.Context(), f.User, named, scim.Projection{})).ID(), f.NewUser("u")
	g := f.NewGroup("g", ada, u)
	f.Must(f.Patch(f.Group, g, `[{"op":"remove","path":"members[display eq \"ada\"]"}]`))
	if got := f.Members(g); !slices.Equal(got, []string{u}) {
		t.Errorf("members are %v, want only %s", got, u)
	}
	f.Must(f.Patch(f.Group, g, `[{"op":"remove","path":"members[type eq \"User\"]"}]`))
	if f.CheckInvariants(); f.Members(g) != nil {
		t.Errorf("members are %v, want none", f.Members(g))
	}
}
