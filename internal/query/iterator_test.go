package query_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
)

var longWalk = flag.Bool("walk", false, "in the embedded table, walk only over 100,000 users by pages of 100")

// A walkFixture holds users that clients list page by page while writers change them.
type walkFixture struct {
	*directorytest.Fixture
	users    []string // IDs, from before the walks; the names of the even ones begin with w
	allUsers string   // the ID of the group of these users
	removed  sync.Map // IDs that were deleted, or left the group
	writes   atomic.Int64
}

// A writer changes users that no other writer changes.
type writer struct {
	number, names int
	users         []string // IDs
	limitedWrites int      // writes that change the number of matches; then none follow, so that walks end
}

type write func(*walkFixture, *writer) error

// newName returns an unused name that begins with a random letter.
func (w *writer) newName() string {
	w.names++
	return fmt.Sprintf("%c.%d.%d@example.com", 'a'+rand.N('z'-'a'+1), w.number, w.names)
}

func (w *writer) randomUser() string { return w.users[rand.N(len(w.users))] }

func createUser(f *walkFixture, w *writer) error {
	r, err := f.Create(f.Ctx, f.User, scim.Object{"userName": w.newName(), "title": "new"}, scim.Projection{})
	if err == nil {
		w.users = append(w.users, r.ID())
	}
	return err
}

func deleteUser(f *walkFixture, w *writer) error {
	i := rand.N(len(w.users))
	id := w.users[i]
	f.removed.Store(id, true)
	w.users = slices.Delete(w.users, i, i+1)
	return f.Delete(f.Ctx, f.User, id, nil)
}

func createMember(f *walkFixture, w *writer) error {
	if err := createUser(f, w); err != nil {
		return err
	}
	newest := w.users[len(w.users)-1:]
	_, err := f.Patch(f.Group, f.allUsers, `[{"op":"add","path":"members","value":`+directorytest.MembersJSON(newest)+`}]`)
	return err
}

func removeMember(f *walkFixture, w *writer) error {
	id := w.randomUser()
	f.removed.Store(id, true)
	_, err := f.Patch(f.Group, f.allUsers,
		`[{"op":"remove","path":"members","value":`+directorytest.MembersJSON([]string{id})+`}]`)
	return err
}

func renameUser(f *walkFixture, w *writer) error {
	_, err := f.Patch(f.User, w.randomUser(), `[{"op":"replace","path":"userName","value":"`+w.newName()+`"}]`)
	return err
}

func changeTitle(f *walkFixture, w *writer) error {
	_, err := f.Patch(f.User, w.randomUser(), `[{"op":"replace","path":"title","value":"`+w.newName()+`"}]`)
	return err
}

// walkCases are filters with the writes that must not disturb a walk.
var walkCases = []struct {
	name     string
	filter   func(*walkFixture) string
	evenOnly bool    // only the even users match
	write    write   // repeated as long as the walks last
	limited  []write // writes that change the number of matches
}{
	{"all", nil, false, renameUser, []write{createUser, deleteUser}},
	{"title pr", func(*walkFixture) string { return "title pr" }, false, renameUser, []write{createUser, deleteUser}},
	{"userName sw", func(*walkFixture) string { return `userName sw "w"` }, true, changeTitle,
		[]write{createUser, deleteUser}},
	{"groups.value eq", func(f *walkFixture) string { return `groups.value eq "` + f.allUsers + `"` }, false, renameUser,
		[]write{createMember, removeMember, createUser, deleteUser}},
}

// A user that matches from the first page to the last is on exactly one page, even if the user is renamed. No user is
// on two pages. This holds by startIndex, where each client has its own bookmarks, and by cursor in both directions.
func TestWalksMeetEachUserOnce(t *testing.T) {
	directorytest.OnEach(t, func(t *testing.T, tab table.Table) {
		for _, c := range walkCases {
			for count, users := range walkSizes(tab) {
				t.Run(fmt.Sprintf("%s, by %d", c.name, count), func(t *testing.T) {
					f := newWalkFixture(t, tab, t.Name(), users)
					p := directory.ListParams{Types: directorytest.Only(f.User), Count: count}
					if c.filter != nil {
						p.Filter = directorytest.Parse(t, c.filter(f))
					}
					f.runWithWriters(c.write, c.limited, func() { f.runWalks(p, c.evenOnly) })
				})
			}
		}
	})
}

// walkSizes returns the number of users, by page size.
func walkSizes(tab table.Table) map[int]int {
	_, embedded := tab.(*bolt.Table)
	switch {
	case embedded && *longWalk:
		return map[int]int{100: 100_000}
	case embedded && !testing.Short() && !directorytest.RaceEnabled():
		return map[int]int{1: 60, 7: 350, 100: 1500}
	default:
		return map[int]int{1: 40, 7: 100, 100: 300}
	}
}

func newWalkFixture(t *testing.T, tab table.Table, tenant string, n int) *walkFixture {
	t.Helper()
	f := &walkFixture{Fixture: directorytest.New(t, tab).ForTenant(tenant)}
	s := directorytest.NewSeeder(tab, tenant)
	var err error
	f.users, err = s.Users(f.Ctx, n, func(i int) scim.Object {
		letter := 'w'
		if i%2 == 1 {
			letter = 'a' + rand.N('w'-'a')
		}
		return scim.Object{"userName": fmt.Sprintf("%c%06d", letter, i), "title": "old"}
	})
	if err == nil {
		err = s.AddToCounters(f.Ctx, f.User, n)
	}
	if err == nil {
		f.allUsers, err = s.GroupOf(f.Ctx, "all", f.users...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// runWithWriters calls do while eight writers write.
func (f *walkFixture) runWithWriters(repeated write, limited []write, do func()) {
	f.Helper()
	var all sync.WaitGroup
	var stopped atomic.Bool
	for number := range 8 {
		w := &writer{number: number, limitedWrites: len(f.users) / 16}
		for i := number; i < len(f.users); i += 8 {
			w.users = append(w.users, f.users[i])
		}
		all.Go(func() {
			for !stopped.Load() && !f.Failed() {
				next := repeated
				if w.limitedWrites > 0 && rand.N(2) == 0 {
					next = limited[rand.N(len(limited))]
					w.limitedWrites--
				}
				if err := next(f, w); err != nil && !directory.IsTransient(err) {
					f.Errorf("a writer: %v", err)
				}
				f.writes.Add(1)
			}
		})
	}
	do()
	stopped.Store(true)
	all.Wait()
}

// runWalks runs two walks by startIndex and three by cursor at the same time. The walks by cursor then go back.
func (f *walkFixture) runWalks(p directory.ListParams, evenOnly bool) {
	var all sync.WaitGroup
	for i := range 5 {
		p, name := p, "by cursor"
		if p.Client = fmt.Sprint("client ", i); i < 2 {
			p.StartIndex, name = 1, "by startIndex"
		}
		all.Go(func() {
			listed, last := f.walkForward(p)
			f.checkListed(name, evenOnly, listed)
			if p.StartIndex == 0 && last != nil {
				f.checkListed(name+", backward", evenOnly, f.walkBackward(p, last))
			}
		})
	}
	all.Wait()
}

// walkForward pages as Okta does. It returns the listed IDs and the last page.
func (f *walkFixture) walkForward(p directory.ListParams) (listed []string, last *directory.ListResult) {
	for more := true; more && f.waitForWrites(listed); more = directorytest.NextPage(&p, last) {
		if last = f.readPage(p); last == nil {
			return nil, nil
		}
		listed = append(listed, directorytest.IDs(last)...)
	}
	return listed, last
}

// walkBackward pages from the last page to the first.
func (f *walkFixture) walkBackward(p directory.ListParams, last *directory.ListResult) []string {
	listed := directorytest.IDs(last)
	for p.Cursor = last.PreviousCursor; p.Cursor != "" && f.waitForWrites(listed); p.Cursor = last.PreviousCursor {
		if last = f.readPage(p); last == nil {
			return nil
		}
		listed = append(listed, directorytest.IDs(last)...)
	}
	return listed
}

// waitForWrites waits for a few writes, and reports whether the walk continues. It fails the test if the walk does not
// end.
func (f *walkFixture) waitForWrites(listed []string) bool {
	if len(listed) > 2*len(f.users) {
		f.Errorf("a walk over %d users has listed %d and has not ended", len(f.users), len(listed))
	}
	for begin := f.writes.Load(); f.writes.Load() < begin+4 && !f.Failed(); {
		time.Sleep(100 * time.Microsecond)
	}
	return !f.Failed()
}

// readPage returns a page, or nil if the test has failed.
func (f *walkFixture) readPage(p directory.ListParams) *directory.ListResult {
	l, err := f.List(f.Ctx, p)
	if err != nil {
		f.Errorf("%s at %d, %q: %v", p.Client, p.StartIndex, p.Cursor, err)
		return nil
	}
	if len(l.Resources) > p.Count {
		f.Errorf("%s: a page of %d resources, want %d at most", p.Client, len(l.Resources), p.Count)
	}
	return l
}

// checkListed fails the test unless a walk has listed each user at most once, and every matching user that was not
// removed.
func (f *walkFixture) checkListed(name string, evenOnly bool, listed []string) {
	if f.Failed() {
		return
	}
	times := map[string]int{}
	for _, id := range listed {
		if times[id]++; times[id] == 2 {
			f.Errorf("%s: %s is listed twice", name, id)
		}
	}
	missed := 0
	for i, id := range f.users {
		_, removed := f.removed.Load(id)
		if times[id] == 0 && !removed && (!evenOnly || i%2 == 0) {
			missed++
		}
	}
	if missed > 0 {
		f.Errorf("%s: of %d users, %d matched all the time and are not listed; %d are listed", name, len(f.users), missed,
			len(listed))
	}
}
