package directory

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/dynamo"
	"serverless-scim/internal/table/tabletest"
)

// polls reads the members of a group again and again until stop is called, and fails the test if it sees any other
// lists than these, or an earlier one again.
func (f *fixture) polls(g string, lists ...[]string) (stop func()) {
	ctx, cancel := context.WithCancel(f.ctx)
	var poller sync.WaitGroup
	poller.Go(func() {
		for at := 0; ctx.Err() == nil; {
			r, err := f.Retrieve(ctx, f.group, g, scim.Projection{})
			if status(err) == 404 && lists[len(lists)-1] == nil {
				at = len(lists) - 1
				continue
			}
			if IsTransient(err) && ctx.Err() != nil {
				return
			}
			if err != nil {
				f.Error(err)
				return
			}
			seen := values(r, "members")
			i := slices.IndexFunc(lists[at:], func(l []string) bool { return slices.Equal(l, seen) })
			if i < 0 {
				f.Errorf("a reader saw %d members, which the group never had after state %d", len(seen), at)
				return
			}
			at += i
		}
	})
	return func() {
		cancel()
		poller.Wait()
	}
}

// A group of 20,000 is made by PUT, changed by PATCH and deleted, and whoever reads it meanwhile sees all or nothing.
func TestTwentyThousandMembersAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, tab table.Table) {
		n := 20_000
		_, partial := tab.(*tabletest.PartialVisibility)
		if _, dynamo := tab.(*dynamo.Table); partial || dynamo && racing() {
			n = 2_000
		}
		f := newFixture(t, tab)
		users := f.newUsers(n)
		g := f.newGroup("g")
		stop := f.polls(g, nil, users)
		f.must(f.Replace(f.ctx, f.group, g, withMembers("g", users...), nil, scim.Projection{}))
		stop()
		f.has(g, users)
		stop = f.polls(g, users, users[256:])
		f.must(f.patch(f.group, g, `[{"op":"remove","path":"members","value":`+list(users[:256])+`}]`))
		stop()
		f.has(g, users[256:])
		ctx, usage := table.WithUsage(f.ctx)
		with := *f
		with.ctx = ctx
		f.must(with.patch(f.group, g, `[{"op":"add","path":"members","value":`+list(users[:256])+`}]`))
		if u := usage(); u.Calls > 4+11+1+17 { // of these, the head beside the members, and the second page in parts, do not wait
			t.Errorf("an add of 256 makes %d calls", u.Calls)
		}
		stop = f.polls(g, users, nil)
		if err := f.Delete(f.ctx, f.group, g, nil); err != nil {
			t.Error(err)
		}
		stop()
		f.quiet()
	})
}

// The calls that wait for each other in a large change of k memberships are 4 + ⌈k/24⌉, and one for each prepare; in a
// delete, 3 and those that drain.
func TestCallsThatWaitInLargeChanges(t *testing.T) {
	t.Parallel()
	parts := func(k int) int { return (k + maxChangeItemMembers - 1) / maxChangeItemMembers }
	for _, k := range []int{50, 256, 2352, 2353, 5000} {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tab := memory(t)
				f := newFixture(t, tab)
				users := f.newUsers(k)
				g := f.newGroup("g")
				f = f.over(slow{tab, time.Millisecond})
				more := (max(0, parts(k)-98) + 98) / 99 // prepares
				f.waits("PUT", 4+parts(k)+more, func(f *fixture) error {
					_, err := f.Replace(f.ctx, f.group, g, withMembers("g", users...), nil, scim.Projection{})
					return err
				})
				f.waits("remove", 4+parts(k)+more, func(f *fixture) error {
					_, err := f.patch(f.group, g, `[{"op":"remove","path":"members","value":`+list(users)+`}]`)
					return err
				})
				f.waits("add", 4+parts(k)+more, func(f *fixture) error {
					_, err := f.patch(f.group, g, `[{"op":"add","path":"members","value":`+list(users)+`}]`)
					return err
				})
				f.waits("delete of a group", 3+2*parts(k), func(f *fixture) error { return f.Delete(f.ctx, f.group, g, nil) })
			})
		})
	}
}

// At 20,000 members, reading them takes two calls that wait, and so does looking at as many new ones.
func TestCallsThatWaitInTheLargest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tab := memory(t)
		f := newFixture(t, tab)
		users := f.newUsers(20_000)
		g := f.newGroup("g")
		f = f.over(slow{tab, time.Millisecond})
		f.waits("PUT", 4+834+8+2, func(f *fixture) error {
			_, err := f.Replace(f.ctx, f.group, g, withMembers("g", users...), nil, scim.Projection{})
			return err
		})
		f.waits("remove of 256", 4+11, func(f *fixture) error {
			_, err := f.patch(f.group, g, `[{"op":"remove","path":"members","value":`+list(users[:256])+`}]`)
			return err
		})
		f.waits("delete", 3+834+2, func(f *fixture) error { return f.Delete(f.ctx, f.group, g, nil) })
	})
}

// waits checks how many calls wait for each other, at most.
func (f *fixture) waits(what string, want int, do func(*fixture) error) {
	f.Helper()
	ctx, usage := table.WithUsage(f.ctx)
	with := *f
	with.ctx = ctx
	if err := do(&with); err != nil {
		f.Fatal(err)
	}
	if u := usage(); u.RoundTrips > want {
		f.Errorf("%s: %d calls wait for each other, want %d", what, u.RoundTrips, want)
	}
}
