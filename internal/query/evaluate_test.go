package query_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// By cursor, the next page continues after the groups whose members were read.
func TestLoadedMembersCountTowardTheScanBudget(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	users := f.NewUsers(60)
	for i := range 40 {
		f.NewGroup(fmt.Sprint("g", i), users...)
	}
	inner := f.NewGroup("inner")
	outer := f.NewGroup("outer", inner)
	setScanBudget(f, 500)
	p := directory.ListParams{Types: directorytest.Only(f.Group), Filter: directorytest.Parse(t, `members.type eq "Group"`),
		StartIndex: 1, Count: 10}
	if _, err := f.List(f.Ctx, p); directorytest.Status(err) != 400 {
		t.Errorf("reading 40 groups of 60 members with a budget of 500: %v, want 400", err)
	}
	forward, backward := listByCursor(t, f, p)
	if !slices.Equal(forward, []string{outer}) || !slices.Equal(backward, forward) {
		t.Errorf("by cursor %v, and backward %v", forward, backward)
	}
}

func TestFiltersByMemberIDDoNotReadTheWholeMemberList(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	users := f.NewUsers(300)
	g := f.NewGroup("g", users...)
	for _, text := range []string{
		`members[value eq "` + users[7] + `" and type eq "User"]`, `members[type eq "User" and value eq "` + users[7] + `"]`,
		`members.value eq "` + users[7] + `" and displayName sw "g"`,
		`id eq "` + g + `" and not (members[value eq "` + g + `"])`,
	} {
		projection, err := scim.NewProjection(directorytest.Only(f.Group), "displayName", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, usage := table.WithUsage(f.Ctx)
		p := directory.ListParams{Types: directorytest.Only(f.Group), Filter: directorytest.Parse(t, text), StartIndex: 1, Count: 10,
			Projection: projection}
		l, err := f.List(ctx, p)
		if err != nil || len(l.Resources) != 1 {
			t.Fatal(text, l, err)
		}
		if n := usage().ItemsRead; n > 10 {
			t.Errorf("%s: %d items are read", text, n)
		}
	}
}

// While a group is renamed, plain reads can find it by both names.
func TestAGroupWithTwoNameItemsMatchesOnce(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	u, v := f.NewUser("u"), f.NewUser("v")
	g := f.NewGroup("g1", u)
	f.NewGroup("g2", v)
	secondName := table.Put{Item: store.MarshalItem(store.NameItem{Key: f.Store.Keys.Name(f.Group, "g0"), ResourceID: g})}
	if err := f.Store.Table.Write(f.Ctx, secondName); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`displayName sw "g" and members.value eq "` + u + `"`, `displayName sw "g" and members.value ne "` + v + `"`,
		`displayName sw "g0" or displayName sw "g1"`,
	} {
		if got := directorytest.IDs(f.Find(f.Group, text)); !slices.Equal(got, []string{g}) {
			t.Errorf("%s finds %v, want %s", text, got, g)
		}
	}
}

// A member that is being deleted still has edge items. No filter may find a group by that member.
func TestAMemberThatIsBeingDeletedDoesNotMatch(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	h := f.NewGroup("h")
	g := f.NewGroup("g", h)
	deleting := table.Item{"deleting": table.BOOL(true)}
	if err := f.Store.Table.Write(f.Ctx, table.Update{Key: f.Store.Keys.Head(f.Group, h), Set: deleting}); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`members.value eq "` + h + `"`, `displayName eq "g" and members.value eq "` + h + `"`, `members pr`,
		`members.type eq "Group"`,
		`displayName eq "g" and members[value eq "` + h + `"]`,
		`displayName eq "g" and members[value eq "` + h + `" and type eq "Group"]`,
		`displayName eq "g" and not (members.value ne "` + h + `")`,
	} {
		if got := directorytest.IDs(f.Find(f.Group, text)); len(got) > 0 {
			t.Errorf("%s finds %v", text, got)
		}
	}
	if got := directorytest.IDs(f.Find(f.Group, `members.value ne "`+h+`"`)); !slices.Equal(got, []string{g}) {
		t.Errorf("the groups without the member are %v, want %s", got, g)
	}
}

// A filter that names more members than a snapshot read can hold loads the whole member lists, within the scan budget.
func TestAFilterWithManyMemberIDsCountsTowardTheScanBudget(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	users := f.NewUsers(150)
	for i := range 20 {
		f.NewGroup(fmt.Sprint("g", i), users...)
	}
	setScanBudget(f, 500)
	p := directory.ListParams{Types: directorytest.Only(f.Group), StartIndex: 1, Count: 10,
		Filter: directorytest.Parse(t, `members eq "`+strings.Join(users[:120], `" or members eq "`)+`"`)}
	if _, err := f.List(f.Ctx, p); directorytest.Status(err) != 400 {
		t.Errorf("reading 20 groups of 150 members with a budget of 500: %v, want 400", err)
	}
	if forward, _ := listByCursor(t, f, p); len(forward) != 20 {
		t.Errorf("by cursor there are %d groups, want 20", len(forward))
	}
}

// A snapshot read returns at most 4 MB. Groups with head items of the maximum size need several snapshot reads.
func TestLargeHeadItemsAreReadWithEdgeItems(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	u := f.NewUser("u")
	for i := range 60 {
		g := f.NewGroup(fmt.Sprintf("g%02d", i), u)
		filler := table.Item{"filler": table.S(strings.Repeat("x", 104<<10))} // a document of 64 KB and 1,500 groups
		if err := f.Store.Table.Write(f.Ctx, table.Update{Key: f.Store.Keys.Head(f.Group, g), Set: filler}); err != nil {
			t.Fatal(err)
		}
	}
	if l := f.Find(f.Group, `displayName sw "g" and not (members.value ne "`+u+`")`); l.TotalResults != 60 {
		t.Errorf("%d groups, want 60", l.TotalResults)
	}
}

func TestAGroupThatChangesAfterItsTestIsTestedAgain(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	u := f.NewUser("u")
	g := f.NewGroup("g", u, f.NewUser("v"))
	var remove sync.Once
	removed := false
	interrupted := f.Over(tabletest.Faults{Table: f.Config.Store.Table, Before: func(c tabletest.Call) error {
		if c.Method == "Query" && strings.HasSuffix(c.Keys[0].PK, g) { // the query reads the members of the matching group
			remove.Do(func() {
				f.Must(f.Patch(f.Group, g, `[{"op":"remove","path":"members[value eq \"`+u+`\"]"}]`))
				removed = true
			})
		}
		return nil
	}})
	p := directory.ListParams{Types: directorytest.Only(f.Group), Filter: directorytest.Parse(t, `members.value eq "`+u+`"`),
		StartIndex: 1, Count: 10}
	if l := list(t, interrupted, p); len(l.Resources) != 0 || !removed {
		t.Errorf("%d resources, want none; the member is removed: %t", len(l.Resources), removed)
	}
}
