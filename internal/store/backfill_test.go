package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/fsck"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// An indexing is a directory of people before and after phoneNumbers becomes an indexed attribute of users.
type indexing struct {
	old, new *directorytest.Fixture
	people   []string
	phones   []string // the telephone number of each of the people
	clock    *atomic.Int64
}

func newIndexing(t *testing.T, tab table.Table, n int) *indexing {
	x := &indexing{old: directorytest.New(t, tab), clock: &atomic.Int64{}}
	s := directorytest.NewSeeder(tab, "test")
	var err error
	if x.people, err = s.Users(t.Context(), n, directorytest.NewPerson); err == nil {
		err = s.AddToCounters(t.Context(), x.old.User, n)
	}
	if err != nil {
		t.Fatal(err)
	}
	for i := range x.people {
		phones := directorytest.NewPerson(i)["phoneNumbers"].([]any)
		x.phones = append(x.phones, phones[0].(scim.Object)["value"].(string))
	}
	types := scim.StandardTypes()
	user := types.ByName("User")
	user.Storage.IndexedAttributes = append(slices.Clone(user.Storage.IndexedAttributes), "phoneNumbers")
	begin := time.Now()
	x.new = x.old.With(func(c *directory.Config) {
		c.Store.Types = types
		c.Store.Now = func() time.Time { return begin.Add(time.Duration(x.clock.Load())) }
	})
	x.new.User, x.new.Group = user, types.ByName("Group")
	return x
}

// restarted returns the directory of another process, whose caches are empty.
func (x *indexing) restarted() *directorytest.Fixture { return x.new.With(func(*directory.Config) {}) }

// check fails the test unless filters by telephone number find exactly the right people.
func (x *indexing) check(f *directorytest.Fixture, when string) {
	f.Helper()
	for _, i := range []int{0, 1, len(x.people) - 1} {
		x.checkPhone(f, when, i)
		eq := fmt.Sprintf("phoneNumbers.value eq %q", x.phones[i])
		checkFound(f, when, fmt.Sprintf("phoneNumbers[value eq %q and type eq \"work\"]", x.phones[i]), x.people[i])
		checkFound(f, when, fmt.Sprintf("%s or id eq %q", eq, x.people[2]), x.people[i], x.people[2])
	}
	checkFound(f, when, `phoneNumbers.value eq "+1 555 none"`)
}

// checkPhone checks the filter by the telephone number of one of the people.
func (x *indexing) checkPhone(f *directorytest.Fixture, when string, i int) {
	f.Helper()
	checkFound(f, when, fmt.Sprintf("phoneNumbers.value eq %q", x.phones[i]), x.people[i])
}

func checkFound(f *directorytest.Fixture, when, text string, want ...string) {
	f.Helper()
	list := f.Find(f.User, text)
	got := directorytest.IDs(list)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) || list.TotalResults != len(want) {
		f.Errorf("%s: %s returns %v, total %d, want %v", when, text, got, list.TotalResults, want)
	}
}

// setPhone changes the telephone number of one of the people.
func (x *indexing) setPhone(f *directorytest.Fixture, i int, phone string) {
	f.Helper()
	f.Must(f.Patch(f.User, x.people[i], `[{"op":"replace","path":"phoneNumbers","value":[{"value":"`+phone+`","type":"work"}]}]`))
	x.phones[i] = phone
}

// usesIndex reports whether a filter by telephone number reads a few items only.
func (x *indexing) usesIndex(f *directorytest.Fixture) bool {
	f.Helper()
	ctx, usage := table.WithUsage(f.Ctx)
	p := directory.ListParams{Types: directorytest.Only(f.User), StartIndex: 1, Count: 10,
		Filter: directorytest.Parse(f, fmt.Sprintf("phoneNumbers.value eq %q", x.phones[7]))}
	if _, err := f.List(ctx, p); err != nil {
		f.Fatal(err)
	}
	return usage().ItemsRead < 10
}

func (x *indexing) sync(f *directorytest.Fixture) {
	f.Helper()
	if err := f.SyncIndexes(f.Ctx); err != nil {
		f.Fatal(err)
	}
}

// requireClean fails the test if fsck finds anything.
func (x *indexing) requireClean() {
	x.new.Helper()
	check := fsck.Checker{Config: x.new.Config.Store, Report: func(f fsck.Finding) { x.new.Errorf("fsck: %s", f) }}
	if _, err := check.Run(x.new.Ctx); err != nil {
		x.new.Fatal(err)
	}
}

// An attribute becomes indexed while 1,000 users have it. Filters by the attribute are right before, during and after the
// backfill, which sweeps run in steps while requests change the values.
func TestAttributeBecomesIndexed(t *testing.T) {
	directorytest.OnEach(t, func(t *testing.T, tab table.Table) {
		x := newIndexing(t, tab, 1000)
		x.check(x.new, "before")
		x.sync(x.new)
		if x.new.Sweep(x.new.Config.Store); x.usesIndex(x.restarted()) {
			t.Error("the backfill begins while an earlier deployment may serve requests")
		}
		x.setPhone(x.old, 0, "+1 555 changed by the earlier deployment")
		x.clock.Store(int64(time.Hour))

		steps := 0
		failing := x.new.Over(tabletest.Faults{Table: tab, Before: func(c tabletest.Call) error {
			if c.Method == "Query" && c.Keys[0].PK == x.new.Store.Keys.AllPartition(x.new.User) {
				if steps++; steps%2 == 0 {
					return &table.TransientError{Err: errors.New("throttled")} // the sweep ends, and the next one continues
				}
			}
			return nil
		}})
		sweeps := 0
		for ; sweeps < 50 && !x.usesIndex(x.restarted()); sweeps++ {
			f := x.restarted()
			x.setPhone(f, 1, fmt.Sprint("+1 555 changed in step ", sweeps))
			x.setPhone(f, len(x.people)-1, fmt.Sprint("+1 555 changed at the end in step ", sweeps))
			for _, i := range []int{0, 1, len(x.people) - 1} {
				x.checkPhone(f, "during", i)
			}
			f.Sweep(failing.Config.Store)
		}
		if sweeps < 5 || sweeps == 50 {
			t.Errorf("the backfill took %d sweeps", sweeps)
		}
		x.check(x.restarted(), "after")
		x.check(x.new, "after, in a process that started before")
		x.requireClean()
	})
}

// Concurrent updates and deletes leave no outdated index item behind, and none is missing.
func TestBackfillDuringUpdates(t *testing.T) {
	directorytest.OnEach(t, func(t *testing.T, tab table.Table) {
		x := newIndexing(t, tab, 200)
		x.sync(x.new)
		x.clock.Store(int64(time.Hour))
		errs := directorytest.InParallel(5, func(n int) error {
			if n == 0 {
				_, err := store.Sweep(t.Context(), x.new.Config.Store)
				return err
			}
			for i := n; i < len(x.people); i += 4 {
				phone := fmt.Sprint("+1 555 changed ", i)
				_, err := x.new.Patch(x.new.User, x.people[i], `[{"op":"replace","path":"phoneNumbers","value":[{"value":"`+phone+`","type":"work"}]}]`)
				if x.phones[i] = phone; err == nil && i%10 == 5 {
					err = x.new.Delete(t.Context(), x.new.User, x.people[i], nil)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		for range 3 { // a conflict that lasts until its deadline leaves the rest to the next sweep
			x.new.Sweep(x.new.Config.Store)
		}
		if !x.usesIndex(x.restarted()) {
			t.Error("the backfill is not completed")
		}
		x.check(x.restarted(), "after")
		x.requireClean()
	})
}

// An attribute that is no longer indexed is not maintained, so its index must not be used when it is indexed again.
func TestAttributeIsIndexedAgain(t *testing.T) {
	t.Parallel()
	x := newIndexing(t, directorytest.NewTable(t), 50)
	x.sync(x.new)
	x.clock.Store(int64(time.Hour))
	if x.new.Sweep(x.new.Config.Store); !x.usesIndex(x.restarted()) {
		t.Fatal("the backfill is not completed")
	}
	x.sync(x.old)
	x.setPhone(x.old, 1, "+1 555 not indexed")
	if x.usesIndex(x.restarted()) {
		t.Error("an index is used that was not maintained")
	}
	x.check(x.restarted(), "indexed again")
	x.sync(x.new)
	x.clock.Store(int64(2 * time.Hour))
	if x.new.Sweep(x.new.Config.Store); !x.usesIndex(x.restarted()) {
		t.Error("the second backfill is not completed")
	}
	x.check(x.restarted(), "after the second backfill")
}

// While a backfill is unfinished, fsck finds nothing. With repair it writes the index items itself, and ends the backfill.
func TestFsckEndsABackfill(t *testing.T) {
	t.Parallel()
	x := newIndexing(t, directorytest.NewTable(t), 50)
	x.sync(x.new)
	x.requireClean()
	check := fsck.Checker{Config: x.new.Config.Store, Repair: true, Report: func(fsck.Finding) {}}
	if sum, err := check.Run(t.Context()); err != nil || sum.Findings != len(x.people) {
		t.Errorf("%d findings: %v", sum.Findings, err)
	}
	if x.usesIndex(x.restarted()) {
		t.Error("the index is used while an earlier deployment may serve requests")
	}
	x.clock.Store(int64(time.Hour))
	if sum, err := check.Run(t.Context()); err != nil || sum.Findings != 0 {
		t.Errorf("the second run: %d findings: %v", sum.Findings, err)
	}
	if !x.usesIndex(x.restarted()) {
		t.Error("the repair did not end the backfill")
	}
	x.check(x.restarted(), "after the repair")
}

// The index of a new tenant is complete from the beginning.
func TestNewTenantUsesItsIndexes(t *testing.T) {
	t.Parallel()
	x := newIndexing(t, directorytest.NewTable(t), 0)
	if err := x.new.InitializeIndexes(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := x.restarted()
	for i := range 20 {
		x.people = append(x.people, f.Must(f.Create(t.Context(), f.User, directorytest.NewPerson(i), scim.Projection{})).ID())
		x.phones = append(x.phones, fmt.Sprintf("+1 555 %07d", i))
	}
	if x.check(f, "new tenant"); !x.usesIndex(f) {
		t.Error("the index is not used")
	}
}

// A stored resource with more values than an index allows keeps the index from completing. It can still be changed and
// deleted, and filters are right.
func TestTooManyValuesForAnIndex(t *testing.T) {
	t.Parallel()
	x := newIndexing(t, directorytest.NewTable(t), 10)
	var phones []any
	for i := range 1000 {
		phones = append(phones, scim.Object{"value": fmt.Sprint("+1 555 many ", i)})
	}
	id := x.old.Must(x.old.Create(t.Context(), x.old.User, scim.Object{"userName": "many", "phoneNumbers": phones}, scim.Projection{})).ID()
	x.sync(x.new)
	x.clock.Store(int64(time.Hour))
	if x.new.Sweep(x.new.Config.Store); x.usesIndex(x.restarted()) {
		t.Error("the index is complete without the resource")
	}
	check := fsck.Checker{Config: x.new.Config.Store, Repair: true, Report: func(fsck.Finding) {}}
	if _, err := check.Run(t.Context()); err != nil || x.usesIndex(x.restarted()) {
		t.Errorf("fsck ended the backfill without the resource: %v", err)
	}
	if got := directorytest.IDs(x.new.Find(x.new.User, `phoneNumbers.value eq "+1 555 many 999"`)); !slices.Equal(got, []string{id}) {
		t.Errorf("found %v", got)
	}
	x.new.Must(x.new.Patch(x.new.User, id, `[{"op":"replace","path":"active","value":false}]`))
	if _, err := x.new.Patch(x.new.User, id, `[{"op":"add","path":"phoneNumbers","value":[{"value":"one more"}]}]`); directorytest.Status(err) != 400 && directorytest.Status(err) != 413 {
		t.Errorf("a value beyond the limit: %v", err)
	}
	if err := x.new.Delete(t.Context(), x.new.User, id, nil); err != nil {
		t.Error(err)
	}
	if x.new.Sweep(x.new.Config.Store); !x.usesIndex(x.restarted()) {
		t.Error("the backfill is not completed without the resource")
	}
}
