package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// newUsers makes users straight in the table, as many as are wanted in a moment, and gives their ids in order.
func (f *fixture) newUsers(n int) []string {
	f.Helper()
	s := seeder{f.Store, f.user, f.group}
	ids, err := s.users(f.ctx, n, func(i int) scim.Object { return scim.Object{"userName": fmt.Sprintf("member%06d", i)} })
	if err == nil {
		err = s.counted(f.ctx, f.user, n)
	}
	if err != nil {
		f.Fatal(err)
	}
	return ids
}

// bears is the writes by which a resource is found.
func (f *fixture) bears(rt *scim.ResourceType, id string, o scim.Object) []table.Write {
	f.Helper()
	b, err := f.NewIndexEntries(rt, id, o)
	if err != nil {
		f.Fatal(err)
	}
	t := &Transaction{}
	f.WriteIndex(t, rt, id, nil, &b)
	return t.writes
}

// Around the size at which one transaction has no room, and a commit none without prepares, every way of changing
// members does the same, and nothing is left over.
func TestChangesOfAnySize(t *testing.T) {
	onEach(t, func(t *testing.T, tab table.Table) {
		f := newFixture(t, tab)
		f.sizes = batchLimits{transactionActions: 20, changeItemMembers: 3, changeItemsPerTransaction: 20, snapshotEdges: 7, snapshotMembers: 7} // large from 9 or 10, with prepares from 55 or so
		users := f.newUsers(70)
		for _, n := range []int{8, 9, 10, 11, 48, 60, 70} {
			some := users[:n]
			g := f.newGroup("g", some...)
			f.has(g, some)
			f.must(f.patch(f.group, g, `[{"op":"remove","path":"members","value":`+list(some)+`},{"op":"replace","path":"displayName","value":"h"}]`))
			f.has(g, nil)
			f.must(f.patch(f.group, g, `[{"op":"add","path":"members","value":`+list(some)+`}]`))
			f.has(g, some)
			f.must(f.Replace(f.ctx, f.group, g, withMembers("g", users[n/2:]...), nil, scim.Projection{}))
			f.has(g, users[n/2:])
			f.must(f.patch(f.group, g, `[{"op":"replace","path":"members","value":`+list(some)+`}]`))
			f.has(g, some)
			if err := f.Delete(f.ctx, f.group, g, nil); err != nil {
				t.Error(err)
			}
			if f.consistent(); len(f.groups(users[0])) > 0 {
				t.Errorf("after the delete %s is in %v", users[0], f.groups(users[0]))
			}
		}
		var groups []string
		for i := range 30 {
			groups = append(groups, f.newGroup(fmt.Sprint("g", i), users[0]))
		}
		if err := f.Delete(f.ctx, f.user, users[0], nil); err != nil {
			t.Error(err)
		}
		for _, g := range groups {
			f.has(g, nil)
		}
		f.quiet()
	})
}

func (f *fixture) has(g string, want []string) {
	f.Helper()
	if got := f.members(g); !slices.Equal(got, want) {
		f.Errorf("the group has %d members, want %d: %v", len(got), len(want), got)
	}
}

// quiet fails the test if the table is not what it must be when nothing goes on.
func (f *fixture) quiet() {
	f.Helper()
	f.consistent()
	for k, it := range f.dump() {
		m := IntentMarker{}
		if err := UnmarshalItem(it, &m); err != nil {
			f.Fatal(err)
		}
		if k.PK == IntentPartition && m.State != StateSwept || it["pending"] != nil || it["deleting"] != nil {
			f.Errorf("%v is left over: %v", k, it)
		}
	}
}

// What a request leaves at its deadline a sweep finishes: a change that is committed, one that is not, and a delete.
func TestSweepFinishes(t *testing.T) {
	onEach(t, func(t *testing.T, tab table.Table) {
		f := newFixture(t, tab)
		f.sizes = batchLimits{transactionActions: 10, changeItemMembers: 2, changeItemsPerTransaction: 9, snapshotEdges: 4, snapshotMembers: 4}
		users := f.newUsers(9)
		g, h := f.newGroup("g"), f.newGroup("h", users...)
		ctx, cancel := context.WithTimeout(f.ctx, deadlineReserve-time.Second)
		defer cancel()
		in := *f
		in.ctx = ctx
		f.must(in.patch(f.group, g, `[{"op":"add","path":"members","value":`+list(users)+`}]`))
		if err := in.Delete(ctx, f.group, h, nil); err != nil {
			t.Fatal(err)
		}
		e := &Mutation{rt: f.group, id: g, add: users, AttemptState: NewAttemptState()}
		l, err := f.newRedoLog(e)
		if err != nil || f.prepare(f.ctx, l, 3) != nil {
			t.Fatal("no prepare", err)
		}
		c := f.Config
		young := f.sweep(c)
		if want := (SweepResult{Unfinished: 3}); young.Unfinished != want.Unfinished || young.Changes+young.Deletes+young.Aborted != 0 {
			t.Errorf("what is young is left alone, but %+v", young)
		}
		if _, err := f.Retrieve(f.ctx, f.group, h, scim.Projection{}); status(err) != 404 {
			t.Errorf("what is latched is gone, got %v", err)
		}
		c.Now = func() time.Time { return time.Now().Add(time.Hour) }
		if did := f.sweep(c); did != (SweepResult{Changes: 1, Deletes: 1, Aborted: 1}) {
			t.Errorf("the sweep did %+v", did)
		}
		f.quiet()
		f.has(g, users)
		if did := f.sweep(c); did != (SweepResult{}) {
			t.Errorf("a second sweep did %+v", did)
		}
	})
}

// A group whose delete is not finished is gone: no filter finds anybody by it, although users' heads still list it.
func TestNobodyIsFoundByAGroupThatIsGone(t *testing.T) {
	onEach(t, func(t *testing.T, tab table.Table) {
		f := newFixture(t, tab)
		f.sizes = batchLimits{transactionActions: 10, changeItemMembers: 2, changeItemsPerTransaction: 9, snapshotEdges: 4, snapshotMembers: 4}
		users := f.newUsers(9)
		g, h := f.newGroup("g", users[8]), f.newGroup("h", users...)
		ctx, cancel := context.WithTimeout(f.ctx, deadlineReserve-time.Second)
		defer cancel()
		if err := f.Delete(ctx, f.group, h, nil); err != nil {
			t.Fatal(err)
		}
		if head, err := f.ReadHead(f.ctx, f.user, users[0]); err != nil || !slices.Contains(head.Groups, h) {
			t.Fatal("the delete has come to its end", err)
		}
		of := func(i int) string { return `id eq "` + users[i] + `" and ` }
		for text, want := range map[string]int{
			`groups pr`: 1, `not (groups pr)`: 8, `groups.value pr`: 1, `groups.type eq "direct"`: 1, `groups[type eq "direct"]`: 1,
			`groups.value eq "` + h + `"`: 0, `title pr or groups.value eq "` + h + `"`: 0, `groups.value ne "` + h + `"`: 9,
			of(0) + `groups.value eq "` + h + `"`: 0, of(0) + `groups eq "` + h + `"`: 0, of(0) + `groups[value eq "` + h + `"]`: 0,
			of(8) + `groups[value eq "` + h + `"]`: 0, of(8) + `groups.value eq "` + g + `"`: 1, of(8) + `groups.value ne "` + g + `"`: 0,
			of(0) + `urn:ietf:params:scim:schemas:core:2.0:User:groups pr`: 0, `groups.display eq "h"`: 0,
		} {
			if l := f.find(f.user, text); l.TotalResults != want || len(l.Resources) != want {
				t.Errorf("%s finds %d users of %d, want %d", text, len(l.Resources), l.TotalResults, want)
			}
		}
		q := Params{Types: only(f.user), SortBy: filter.Attr{Name: "groups", Sub: "value"}, StartIndex: 1, Count: 1}
		if first := idsOf(f.query(t, q)); !slices.Equal(first, users[8:]) {
			t.Errorf("sorted by groups, %v is first, want the one who is in a group: %v", first, users[8:])
		}
	})
}

func (f *fixture) sweep(c Config) SweepResult {
	f.Helper()
	did, err := Sweep(f.ctx, c)
	if err != nil {
		f.Fatal(err)
	}
	return did
}

// A user in 500 groups goes while others push members into these, and it among them: afterwards no group has it, and
// nothing of it is left.
func TestDeletedFromManyGroupsWhileTheyArePushed(t *testing.T) {
	onEach(t, func(t *testing.T, tab table.Table) {
		f := newFixture(t, tab)
		users := f.newUsers(5)
		leaver := users[0]
		groups := make([]string, 500)
		for _, err := range inParallel(4, func(part int) error {
			for i := part; i < len(groups); i += 4 {
				groups[i] = f.newGroup(fmt.Sprint("g", i), leaver)
			}
			return nil
		}) {
			if err != nil {
				t.Fatal(err)
			}
		}
		left := make(chan struct{})
		push := func(i int) (err error) {
			for n := i; err == nil; n += 3 {
				select {
				case <-left:
					return nil
				default:
					_, err = f.patch(f.group, groups[n%len(groups)], `[{"op":"add","path":"members","value":`+list(users)+`}]`)
				}
			}
			return err
		}
		for _, err := range inParallel(4, func(i int) error {
			if i < 3 {
				return push(i)
			}
			defer close(left)
			return f.Delete(f.ctx, f.user, leaver, nil)
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		for k := range f.dump() {
			if strings.Contains(k.PK+k.SK, leaver) {
				t.Errorf("%v is left", k)
			}
		}
		f.quiet()
	})
}
