package store_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/dynamo"
	"serverless-scim/internal/table/tabletest"
)

// pollMembers reads the members of a group repeatedly until stop is called. It fails the test if a response shows a
// list that is not among the given ones, or an earlier one again. A last list of nil also means that the group is
// deleted.
func pollMembers(f *directorytest.Fixture, group string, lists ...[]string) (stop func()) {
	ctx, cancel := context.WithCancel(f.Ctx)
	var poller sync.WaitGroup
	poller.Go(func() {
		for current := 0; ctx.Err() == nil; {
			r, err := f.Retrieve(ctx, f.Group, group, scim.Projection{})
			if directorytest.Status(err) == 404 && lists[len(lists)-1] == nil {
				current = len(lists) - 1
				continue
			}
			if table.IsTransient(err) && ctx.Err() != nil {
				return
			}
			if err != nil {
				f.Error(err)
				return
			}
			shown := directorytest.Values(r, "members")
			i := slices.IndexFunc(lists[current:], func(l []string) bool { return slices.Equal(l, shown) })
			if i < 0 {
				f.Errorf("a response shows %d members, which the group did not have after list %d", len(shown), current)
				return
			}
			current += i
		}
	})
	return func() {
		cancel()
		poller.Wait()
	}
}

// A group gets thousands of members by PUT, is changed by PATCH, and is deleted. Concurrent readers see all or nothing of
// each change.
func TestLargeChangesAreAtomicForReaders(t *testing.T) {
	directorytest.OnEach(t, func(t *testing.T, tab table.Table) {
		n := 5_000 // with prepares
		if *long {
			n = 20_000
		}
		_, partial := tab.(*tabletest.PartialVisibility)
		if _, isDynamo := tab.(*dynamo.Table); partial || testing.Short() || isDynamo && directorytest.RaceEnabled() {
			n = 2_000
		}
		f := directorytest.New(t, tab)
		users := f.NewUsers(n)
		g := f.NewGroup("g")
		stop := pollMembers(f, g, nil, users)
		f.Must(f.Replace(f.Ctx, f.Group, g, directorytest.WithMembers("g", users...), nil, scim.Projection{}))
		stop()
		f.CheckMembers(g, users)
		stop = pollMembers(f, g, users, users[256:])
		f.Must(f.Patch(f.Group, g, removeMembers(users[:256]...)))
		stop()
		f.CheckMembers(g, users[256:])
		ctx, usage := table.WithUsage(f.Ctx)
		f.Must(withContext(ctx, f).Patch(f.Group, g, addMembers(users[:256]...)))
		if u := usage(); u.Calls > 4+11+1+17 { // 1 for the first members with the head item, 17 for the second page in ranges
			t.Errorf("an add of 256 members makes %d calls", u.Calls)
		}
		stop = pollMembers(f, g, users, nil)
		if err := f.Delete(f.Ctx, f.Group, g, nil); err != nil {
			t.Error(err)
		}
		stop()
		f.CheckIdle()
	})
}

// A large change of k memberships takes 4 + ⌈k/24⌉ round trips, and one for each prepare. A delete takes 3 round trips,
// and those that remove the memberships.
func TestRoundTripsOfLargeChanges(t *testing.T) {
	t.Parallel()
	changeItems := func(k int) int { return (k + store.MaxChangeItemMembers - 1) / store.MaxChangeItemMembers }
	for _, k := range []int{50, 256, 2352, 2353, 5000} {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tab := directorytest.NewTable(t)
				f := directorytest.New(t, tab)
				users := f.NewUsers(k)
				g := f.NewGroup("g")
				f = f.Over(directorytest.Slow(tab, time.Millisecond))
				prepares := (max(0, changeItems(k)-98) + 98) / 99
				checkRoundTrips(f, "PUT", 4+changeItems(k)+prepares, func(f *directorytest.Fixture) error {
					_, err := f.Replace(f.Ctx, f.Group, g, directorytest.WithMembers("g", users...), nil, scim.Projection{})
					return err
				})
				checkRoundTrips(f, "remove", 4+changeItems(k)+prepares, func(f *directorytest.Fixture) error {
					_, err := f.Patch(f.Group, g, removeMembers(users...))
					return err
				})
				checkRoundTrips(f, "add", 4+changeItems(k)+prepares, func(f *directorytest.Fixture) error {
					_, err := f.Patch(f.Group, g, addMembers(users...))
					return err
				})
				checkRoundTrips(f, "delete", 3+2*changeItems(k), func(f *directorytest.Fixture) error {
					return f.Delete(f.Ctx, f.Group, g, nil)
				})
			})
		})
	}
}

// At 20,000 members, reading them takes two round trips, and so does checking that as many new members exist.
func TestRoundTripsOfTheLargestChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tab := directorytest.NewTable(t)
		f := directorytest.New(t, tab)
		users := f.NewUsers(20_000)
		g := f.NewGroup("g")
		f = f.Over(directorytest.Slow(tab, time.Millisecond))
		checkRoundTrips(f, "PUT", 4+834+8+2, func(f *directorytest.Fixture) error {
			_, err := f.Replace(f.Ctx, f.Group, g, directorytest.WithMembers("g", users...), nil, scim.Projection{})
			return err
		})
		checkRoundTrips(f, "remove of 256", 4+11, func(f *directorytest.Fixture) error {
			_, err := f.Patch(f.Group, g, removeMembers(users[:256]...))
			return err
		})
		checkRoundTrips(f, "delete", 3+834+2, func(f *directorytest.Fixture) error {
			return f.Delete(f.Ctx, f.Group, g, nil)
		})
	})
}

// checkRoundTrips fails the test if do takes more than limit round trips.
func checkRoundTrips(f *directorytest.Fixture, name string, limit int, do func(*directorytest.Fixture) error) {
	f.Helper()
	ctx, usage := table.WithUsage(f.Ctx)
	if err := do(withContext(ctx, f)); err != nil {
		f.Fatal(err)
	}
	if u := usage(); u.RoundTrips > limit {
		f.Errorf("%s: %d round trips, want at most %d", name, u.RoundTrips, limit)
	}
}
