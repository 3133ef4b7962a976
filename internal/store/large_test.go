package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// Small limits. The names say from which number of members on a change is a large change.
var (
	largeFromFiveMembers = store.Limits{
		TransactionActions: 10, ChangeItemMembers: 2, ChangeItemsPerTransaction: 9, SnapshotEdges: 4, SnapshotMembers: 4,
	}
	largeFromTenMembers = store.Limits{
		TransactionActions: 20, ChangeItemMembers: 3, ChangeItemsPerTransaction: 20, SnapshotEdges: 7, SnapshotMembers: 7,
	}
)

// A change can be a small change, a large change without prepares, or a large change with prepares. Near both limits,
// every way to change members has the same result, and leaves nothing unfinished.
func TestChangesOfAnySize(t *testing.T) {
	directorytest.OnEach(t, func(t *testing.T, tab table.Table) {
		f := directorytest.New(t, tab)
		setLimits(f, largeFromTenMembers) // with prepares from about 55
		users := f.NewUsers(70)
		for _, n := range []int{8, 9, 10, 11, 48, 60, 70} {
			members := users[:n]
			g := f.NewGroup("g", members...)
			f.CheckMembers(g, members)
			f.Must(f.Patch(f.Group, g, `[{"op":"remove","path":"members","value":`+directorytest.MembersJSON(members)+`},
				{"op":"replace","path":"displayName","value":"h"}]`))
			f.CheckMembers(g, nil)
			f.Must(f.Patch(f.Group, g, addMembers(members...)))
			f.CheckMembers(g, members)
			f.Must(f.Replace(f.Ctx, f.Group, g, directorytest.WithMembers("g", users[n/2:]...), nil, scim.Projection{}))
			f.CheckMembers(g, users[n/2:])
			f.Must(f.Patch(f.Group, g, patchMembers("replace", members...)))
			f.CheckMembers(g, members)
			if err := f.Delete(f.Ctx, f.Group, g, nil); err != nil {
				t.Error(err)
			}
			if f.CheckInvariants(); len(f.Groups(users[0])) > 0 {
				t.Errorf("after the delete, %s is in %v", users[0], f.Groups(users[0]))
			}
		}
		var groups []string
		for i := range 30 {
			groups = append(groups, f.NewGroup(fmt.Sprint("g", i), users[0]))
		}
		if err := f.Delete(f.Ctx, f.User, users[0], nil); err != nil {
			t.Error(err)
		}
		for _, g := range groups {
			f.CheckMembers(g, nil)
		}
		f.CheckIdle()
	})
}

// A sweep finishes a committed change and a delete that their requests left at the deadline, and aborts a prepared
// change.
func TestSweepFinishesIntents(t *testing.T) {
	directorytest.OnEach(t, func(t *testing.T, tab table.Table) {
		f := directorytest.New(t, tab)
		setLimits(f, largeFromFiveMembers)
		users := f.NewUsers(9)
		g, h := f.NewGroup("g"), f.NewGroup("h", users...)
		ctx, cancel := context.WithTimeout(f.Ctx, store.DeadlineReserve-time.Second)
		defer cancel()
		f.Must(withContext(ctx, f).Patch(f.Group, g, addMembers(users...)))
		if err := f.Delete(ctx, f.Group, h, nil); err != nil {
			t.Fatal(err)
		}
		m := &store.Mutation{Type: f.Group, ID: g, Add: users, AttemptState: store.NewAttemptState()}
		if err := f.Store.PrepareChange(f.Ctx, m, 3); err != nil {
			t.Fatal(err)
		}
		c := f.Config.Store
		early := f.Sweep(c)
		if early.Unfinished != 3 || early.Changes+early.Deletes+early.Aborted != 0 {
			t.Errorf("a sweep must leave young intents unfinished, got %+v", early)
		}
		if _, err := f.Retrieve(f.Ctx, f.Group, h, scim.Projection{}); directorytest.Status(err) != 404 {
			t.Errorf("a group that is being deleted: %v, want 404", err)
		}
		c.Now = func() time.Time { return time.Now().Add(time.Hour) }
		if result := f.Sweep(c); result != (store.SweepResult{Changes: 1, Deletes: 1, Aborted: 1}) {
			t.Errorf("the sweep returned %+v", result)
		}
		f.CheckIdle()
		f.CheckMembers(g, users)
		if result := f.Sweep(c); result != (store.SweepResult{}) {
			t.Errorf("a second sweep returned %+v", result)
		}
	})
}

// A group whose delete is unfinished is deleted for every reader. No filter finds users by it, although their head
// items still list it.
func TestFiltersIgnoreAGroupThatIsBeingDeleted(t *testing.T) {
	directorytest.OnEach(t, func(t *testing.T, tab table.Table) {
		f := directorytest.New(t, tab)
		setLimits(f, largeFromFiveMembers)
		users := f.NewUsers(9)
		g, h := f.NewGroup("g", users[8]), f.NewGroup("h", users...)
		ctx, cancel := context.WithTimeout(f.Ctx, store.DeadlineReserve-time.Second)
		defer cancel()
		if err := f.Delete(ctx, f.Group, h, nil); err != nil {
			t.Fatal(err)
		}
		if head, err := f.Store.ReadHead(f.Ctx, f.User, users[0]); err != nil || !slices.Contains(head.Groups, h) {
			t.Fatal("the delete is finished already", err)
		}
		isUser := func(i int) string { return `id eq "` + users[i] + `" and ` }
		for text, want := range map[string]int{
			`groups pr`: 1, `not (groups pr)`: 8, `groups.value pr`: 1,
			`groups.type eq "direct"`: 1, `groups[type eq "direct"]`: 1,
			`groups.value eq "` + h + `"`: 0, `title pr or groups.value eq "` + h + `"`: 0, `groups.value ne "` + h + `"`: 9,
			isUser(0) + `groups.value eq "` + h + `"`: 0, isUser(0) + `groups eq "` + h + `"`: 0,
			isUser(0) + `groups[value eq "` + h + `"]`: 0, isUser(8) + `groups[value eq "` + h + `"]`: 0,
			isUser(8) + `groups.value eq "` + g + `"`: 1, isUser(8) + `groups.value ne "` + g + `"`: 0,
			isUser(0) + `urn:ietf:params:scim:schemas:core:2.0:User:groups pr`: 0, `groups.display eq "h"`: 0,
		} {
			if l := f.Find(f.User, text); l.TotalResults != want || len(l.Resources) != want {
				t.Errorf("%s finds %d users and says %d, want %d", text, len(l.Resources), l.TotalResults, want)
			}
		}
		p := directory.ListParams{
			Types: directorytest.Only(f.User), SortBy: filter.Attr{Name: "groups", Sub: "value"}, StartIndex: 1, Count: 1,
		}
		l, err := f.List(f.Ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		if first := directorytest.IDs(l); !slices.Equal(first, users[8:]) {
			t.Errorf("sorted by groups, %v is first, want the user that is in a group: %v", first, users[8:])
		}
	})
}

// A user in 500 groups is deleted while other requests add members to these groups, this user among them. Afterward no
// item of the user remains.
func TestDeleteFromManyGroupsDuringAdds(t *testing.T) {
	directorytest.OnEach(t, func(t *testing.T, tab table.Table) {
		f := directorytest.New(t, tab)
		users := f.NewUsers(5)
		user := users[0]
		groups := make([]string, 500)
		for _, err := range directorytest.InParallel(4, func(part int) error {
			for i := part; i < len(groups); i += 4 {
				groups[i] = f.NewGroup(fmt.Sprint("g", i), user)
			}
			return nil
		}) {
			if err != nil {
				t.Fatal(err)
			}
		}
		deleted := make(chan struct{})
		addUntilDeleted := func(i int) (err error) {
			for n := i; err == nil; n += 3 {
				select {
				case <-deleted:
					return nil
				default:
					_, err = f.Patch(f.Group, groups[n%len(groups)], addMembers(users...))
				}
			}
			return err
		}
		for _, err := range directorytest.InParallel(4, func(i int) error {
			if i < 3 {
				return addUntilDeleted(i)
			}
			defer close(deleted)
			return f.Delete(f.Ctx, f.User, user, nil)
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		for k := range f.Dump() {
			if strings.Contains(k.PK+k.SK, user) {
				t.Errorf("%v remains", k)
			}
		}
		f.CheckIdle()
	})
}

// A reader of a read-only table waits until another process has finished the pending change of a group, or until the
// deadline.
func TestReadOnlyReaderWaitsForAPendingChange(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	setLimits(f, largeFromFiveMembers)
	users := f.NewUsers(9)
	g := f.NewGroup("g")
	ctx, cancel := context.WithTimeout(f.Ctx, store.DeadlineReserve-time.Second)
	defer cancel()
	f.Must(withContext(ctx, f).Patch(f.Group, g, addMembers(users...)))
	finished := 0
	readOnly := f.With(func(c *directory.Config) {
		c.Store.Table = table.ReadOnly{Table: c.Store.Table}
		c.Store.Backoff.Sleep = func(context.Context, time.Duration) error {
			finished++
			f.CheckMembers(g, users) // finishes the change
			return nil
		}
	})
	if readOnly.CheckMembers(g, users); finished != 1 {
		t.Errorf("the reader waited %d times, want 1", finished)
	}
	f.CheckIdle()
}
