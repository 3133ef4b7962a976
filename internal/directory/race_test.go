package directory

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/dynamo"
)

// inParallel runs n calls at once and gives their errors.
func inParallel(n int, call func(i int) error) []error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = call(i) })
	}
	all.Wait()
	return errs
}

// rounds is how often a race is run: often where a call costs little.
func rounds(tab table.Table) int {
	if _, dynamo := tab.(*dynamo.Table); dynamo && !*long {
		return 3
	}
	return 100
}

var long = flag.Bool("long", false, "as many rounds of races on DynamoDB as on the embedded table")

func TestOneOfManyCreatorsOfANameWins(t *testing.T) {
	onEach(t, func(t *testing.T, tab table.Table) {
		f := newFixture(t, tab)
		for round := range rounds(tab) {
			errs := inParallel(256, func(i int) error {
				name := []byte("racer@example.com") // in one of many spellings
				for bit := range 5 {
					if i>>bit&1 == 1 {
						name[bit] -= 'a' - 'A'
					}
				}
				_, err := f.Create(t.Context(), f.user, scim.Object{"userName": fmt.Sprint(string(name), round)}, scim.Projection{})
				return err
			})
			created := 0
			for _, err := range errs {
				if err == nil {
					created++
				} else if e, ok := err.(*scim.Error); !ok || e.Status != 409 || e.Type != scim.Uniqueness {
					t.Errorf("a loser must get 409 uniqueness, got %v", err)
				}
			}
			if created != 1 {
				t.Errorf("round %d: %d of 256 creators of one name won, want 1", round, created)
			}
		}
		f.consistent()
	})
}

// Whoever adds itself to a group and removes itself, round after round beside 31 others, finds itself there and not
// there. A client that is told to come back does, as Okta: nothing is lost, and nothing else is ever answered.
func TestManyChangesOfOneGroupLoseNothing(t *testing.T) {
	onEach(t, func(t *testing.T, tab table.Table) {
		f := newFixture(t, tab)
		g := f.newGroup("g")
		users := f.newUsers(32)
		var turnedAway atomic.Int32
		patch := func(op, user string) error {
			for {
				ctx, cancel := context.WithTimeout(f.ctx, 500*time.Millisecond)
				with := *f
				with.ctx = ctx
				_, err := with.patch(f.group, g, `[{"op":"`+op+`","path":"members","value":`+list([]string{user})+`}]`)
				cancel()
				if !IsTransient(err) {
					return err
				}
				turnedAway.Add(1)
			}
		}
		for _, err := range inParallel(len(users), func(i int) error {
			for range rounds(tab) {
				for _, op := range []string{"add", "remove", "add"} {
					if err := patch(op, users[i]); err != nil {
						return err
					}
					_, has, err := f.ReadMemberships(f.ctx, f.group, g, users[i:i+1])
					if err != nil || (len(has) == 1) != (op == "add") {
						return fmt.Errorf("after its %s: %v, %w", op, has, err)
					}
				}
			}
			return nil
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		t.Logf("%d requests were turned away and repeated", turnedAway.Load())
		f.has(g, users)
		f.quiet()
	})
}

// Adds, removes, renames, deletes and replaces of the same few resources, all at once: whatever the order, the table
// is consistent, and every answer is a success or says 404, 409 or 412.
func TestAnythingAtOnceStaysConsistent(t *testing.T) {
	onEach(t, func(t *testing.T, tab table.Table) {
		f := newFixture(t, tab)
		var users, groups []string
		for i := range 6 {
			users = append(users, f.newUser(fmt.Sprint("u", i)))
		}
		for i := range 3 {
			groups = append(groups, f.newGroup(fmt.Sprint("g", i), users[i], users[i+1]))
		}
		groups = append(groups, f.newGroup("nested", groups[0]))
		errs := inParallel(64, func(i int) error {
			u, g, h := users[i%6], groups[i%4], groups[(i+1)%4]
			var err error
			switch i % 8 {
			case 0, 1:
				_, err = f.patch(f.group, g, `[{"op":"add","path":"members","value":[{"value":"`+u+`"},{"value":"`+h+`"}]}]`)
			case 2:
				_, err = f.patch(f.group, g, `[{"op":"remove","path":"members[value eq \"`+u+`\"]"}]`)
			case 3:
				_, err = f.Replace(t.Context(), f.group, g, withMembers(fmt.Sprint("g", i%5), users[i%6:]...), nil, scim.Projection{})
			case 4:
				_, err = f.patch(f.user, u, fmt.Sprintf(`[{"op":"replace","path":"userName","value":"u%d"}]`, i%7))
			case 5:
				_, err = f.patch(f.group, g, `[{"op":"replace","value":{"members":[{"value":"`+u+`"}]}}]`)
			case 6:
				_, err = f.Create(t.Context(), f.group, withMembers(fmt.Sprint("new", i%3), users...), scim.Projection{})
			case 7:
				if i < 32 {
					err = f.Delete(t.Context(), f.user, users[5], nil)
				} else {
					err = f.Delete(t.Context(), f.group, groups[2], nil)
				}
			}
			return err
		})
		for i, err := range errs {
			if s := status(err); err != nil && s != 404 && s != 409 {
				t.Errorf("request %d: %v", i, err)
			}
		}
		f.consistent()
	})
}

func TestIfMatchLetsOneOfManyThrough(t *testing.T) {
	onEach(t, func(t *testing.T, tab table.Table) {
		f := newFixture(t, tab)
		id := f.newUser("u")
		version := f.must(f.Retrieve(t.Context(), f.user, id, scim.Projection{})).Version
		errs := inParallel(16, func(i int) error {
			_, err := f.Replace(t.Context(), f.user, id, scim.Object{"userName": "u", "title": fmt.Sprint(i)},
				func(v string) bool { return v == version }, scim.Projection{})
			return err
		})
		passed := slices.IndexFunc(errs, func(err error) bool { return err == nil })
		for i, err := range errs {
			if i != passed && status(err) != 412 {
				t.Errorf("a second change under the same If-Match must be 412, got %v", err)
			}
		}
		if passed < 0 || !strings.HasPrefix(f.must(f.Retrieve(t.Context(), f.user, id, scim.Projection{})).Version, `W/"2.`) {
			t.Error("exactly one change must get through")
		}
	})
}
