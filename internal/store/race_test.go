package store_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/dynamo"
)

// rounds returns how many times a race is repeated. DynamoDB emulators are slow.
func rounds(tab table.Table) int {
	_, isDynamo := tab.(*dynamo.Table)
	switch {
	case *long:
		return 100
	case isDynamo:
		return 3
	case testing.Short():
		return 10
	default:
		return 30
	}
}

var long = flag.Bool("long", false, "repeat each race a hundred times, and change groups of 20,000 members")

func TestConcurrentCreatesOfOneNameSucceedOnce(t *testing.T) {
	directorytest.OnEach(t, func(t *testing.T, tab table.Table) {
		f := directorytest.New(t, tab)
		for round := range rounds(tab) {
			errs := directorytest.InParallel(256, func(i int) error {
				name := []byte("racer@example.com")
				for bit := range 5 { // upper case where i has a bit
					if i>>bit&1 == 1 {
						name[bit] -= 'a' - 'A'
					}
				}
				_, err := f.Create(t.Context(), f.User, scim.Object{"userName": fmt.Sprint(string(name), round)}, scim.Projection{})
				return err
			})
			created := 0
			for _, err := range errs {
				if err == nil {
					created++
				} else if e, ok := err.(*scim.Error); !ok || e.Status != 409 || e.Type != scim.Uniqueness {
					t.Errorf("got %v, want 409 uniqueness", err)
				}
			}
			if created != 1 {
				t.Errorf("round %d: %d of 256 creates of one name succeeded, want 1", round, created)
			}
		}
		f.CheckInvariants()
	})
}

// 32 clients each add their user to the same group and remove it again, many times. After each of its own requests, a
// client reads its own write. A client repeats a request after a transient error, as Okta does. There are no other
// errors.
func TestConcurrentChangesOfAGroupLoseNothing(t *testing.T) {
	directorytest.OnEach(t, func(t *testing.T, tab table.Table) {
		f := directorytest.New(t, tab)
		g := f.NewGroup("g")
		users := f.NewUsers(32)
		var repeated atomic.Int32
		patch := func(op, user string) error {
			for {
				ctx, cancel := context.WithTimeout(f.Ctx, 500*time.Millisecond)
				_, err := withContext(ctx, f).Patch(f.Group, g, patchMembers(op, user))
				cancel()
				if !table.IsTransient(err) {
					return err
				}
				repeated.Add(1)
			}
		}
		for _, err := range directorytest.InParallel(len(users), func(i int) error {
			for range rounds(tab) {
				for _, op := range []string{"add", "remove", "add"} {
					if err := patch(op, users[i]); err != nil {
						return err
					}
					_, members, err := f.Store.ReadMemberships(f.Ctx, f.Group, g, users[i:i+1])
					if err != nil || (len(members) == 1) != (op == "add") {
						return fmt.Errorf("after its %s: %v, %w", op, members, err)
					}
				}
			}
			return nil
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		t.Logf("%d requests were repeated after a transient error", repeated.Load())
		f.CheckMembers(g, users)
		f.CheckIdle()
	})
}

// Concurrent requests of all kinds change the same few resources. Each succeeds or returns 404 or 409, and the table
// stays consistent.
func TestConcurrentRequestsOfAllKindsKeepInvariants(t *testing.T) {
	directorytest.OnEach(t, func(t *testing.T, tab table.Table) {
		f := directorytest.New(t, tab)
		var users, groups []string
		for i := range 6 {
			users = append(users, f.NewUser(fmt.Sprint("u", i)))
		}
		for i := range 3 {
			groups = append(groups, f.NewGroup(fmt.Sprint("g", i), users[i], users[i+1]))
		}
		groups = append(groups, f.NewGroup("nested", groups[0]))
		errs := directorytest.InParallel(64, func(i int) error {
			u, g, h := users[i%6], groups[i%4], groups[(i+1)%4]
			var err error
			switch i % 8 {
			case 0, 1:
				_, err = f.Patch(f.Group, g, addMembers(u, h))
			case 2:
				_, err = f.Patch(f.Group, g, `[{"op":"remove","path":"members[value eq \"`+u+`\"]"}]`)
			case 3:
				o := directorytest.WithMembers(fmt.Sprint("g", i%5), users[i%6:]...)
				_, err = f.Replace(t.Context(), f.Group, g, o, nil, scim.Projection{})
			case 4:
				_, err = f.Patch(f.User, u, fmt.Sprintf(`[{"op":"replace","path":"userName","value":"u%d"}]`, i%7))
			case 5:
				_, err = f.Patch(f.Group, g, `[{"op":"replace","value":{"members":[{"value":"`+u+`"}]}}]`)
			case 6:
				o := directorytest.WithMembers(fmt.Sprint("new", i%3), users...)
				_, err = f.Create(t.Context(), f.Group, o, scim.Projection{})
			case 7:
				if i < 32 {
					err = f.Delete(t.Context(), f.User, users[5], nil)
				} else {
					err = f.Delete(t.Context(), f.Group, groups[2], nil)
				}
			}
			return err
		})
		for i, err := range errs {
			if status := directorytest.Status(err); err != nil && status != 404 && status != 409 {
				t.Errorf("request %d: %v", i, err)
			}
		}
		f.CheckInvariants()
	})
}

func TestConcurrentReplacesWithTheSameIfMatchSucceedOnce(t *testing.T) {
	directorytest.OnEach(t, func(t *testing.T, tab table.Table) {
		f := directorytest.New(t, tab)
		id := f.NewUser("u")
		version := f.Must(f.Retrieve(t.Context(), f.User, id, scim.Projection{})).Version
		errs := directorytest.InParallel(16, func(i int) error {
			_, err := f.Replace(t.Context(), f.User, id, scim.Object{"userName": "u", "title": fmt.Sprint(i)},
				func(entityTag string) bool { return entityTag == version }, scim.Projection{})
			return err
		})
		succeeded := slices.IndexFunc(errs, func(err error) bool { return err == nil })
		for i, err := range errs {
			if i != succeeded && directorytest.Status(err) != 412 {
				t.Errorf("a second change with the same If-Match returned %v, want 412", err)
			}
		}
		last := f.Must(f.Retrieve(t.Context(), f.User, id, scim.Projection{})).Version
		if succeeded < 0 || !strings.HasPrefix(last, `W/"2.`) {
			t.Errorf("exactly one change must succeed; the entity tag is %s", last)
		}
	})
}
