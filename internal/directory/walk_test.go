package directory

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
)

var longWalk = flag.Bool("walk", false, "walk over 100,000 users in the embedded table by pages of 100, and over no fewer")

// throng is users that are walked over while others write.
type throng struct {
	*fixture
	ids      []string // of those who were there before; every other has a name in w
	everyone string   // the group of them all
	gone     sync.Map // who were deleted, or left the group
	written  atomic.Int64
}

// writer has users that no other writes.
type writer struct {
	number, names int
	own           []string
	room          int // users that may come, go, and leave the group; then it is over, so that walks come to an end
}

type deed func(*throng, *writer) error

// name is one in any place.
func (w *writer) name() string {
	w.names++
	return fmt.Sprintf("%c.%d.%d@example.com", 'a'+rand.N('z'-'a'+1), w.number, w.names)
}

func (w *writer) any() string { return w.own[rand.N(len(w.own))] }

func comes(c *throng, w *writer) error {
	r, err := c.Create(c.ctx, c.user, scim.Object{"userName": w.name(), "title": "new"}, scim.Projection{})
	if err == nil {
		w.own = append(w.own, r.ID())
	}
	return err
}

func goes(c *throng, w *writer) error {
	i := rand.N(len(w.own))
	id := w.own[i]
	c.gone.Store(id, true)
	w.own = slices.Delete(w.own, i, i+1)
	return c.Delete(c.ctx, c.user, id, nil)
}

func joins(c *throng, w *writer) error {
	if err := comes(c, w); err != nil {
		return err
	}
	_, err := c.patch(c.group, c.everyone, `[{"op":"add","path":"members","value":`+list(w.own[len(w.own)-1:])+`}]`)
	return err
}

func leaves(c *throng, w *writer) error {
	id := w.any()
	c.gone.Store(id, true)
	_, err := c.patch(c.group, c.everyone, `[{"op":"remove","path":"members","value":`+list([]string{id})+`}]`)
	return err
}

func renamed(c *throng, w *writer) error {
	_, err := c.patch(c.user, w.any(), `[{"op":"replace","path":"userName","value":"`+w.name()+`"}]`)
	return err
}

func promoted(c *throng, w *writer) error {
	_, err := c.patch(c.user, w.any(), `[{"op":"replace","path":"title","value":"`+w.name()+`"}]`)
	return err
}

// walks are what is walked over, while what is done: some of it as long as the walk lasts, some as often as there is room.
var walks = []struct {
	name    string
	filter  func(*throng) string
	half    bool // every other user is meant
	always  deed
	limited []deed
}{
	{"all", nil, false, renamed, []deed{comes, goes}},
	{"title pr", func(*throng) string { return "title pr" }, false, renamed, []deed{comes, goes}},
	{"userName sw", func(*throng) string { return `userName sw "w"` }, true, promoted, []deed{comes, goes}},
	{"groups.value eq", func(c *throng) string { return `groups.value eq "` + c.everyone + `"` }, false, renamed,
		[]deed{joins, leaves, comes, goes}},
}

// Who is there before a walk begins and still after it has ended is met exactly once, renamed or not, and nobody is met
// twice: by startIndex, where each reader walks for itself, and by cursors, forth and back.
func TestWalksMeetEachUserOnce(t *testing.T) {
	onEach(t, func(t *testing.T, tab table.Table) {
		for _, w := range walks {
			for size, n := range walkSizes(tab) {
				t.Run(fmt.Sprintf("%s, by %d", w.name, size), func(t *testing.T) {
					c := newThrong(t, tab, t.Name(), n)
					q := Params{Types: only(c.user), Count: size}
					if w.filter != nil {
						var err error
						if q.Filter, err = filter.Parse(w.filter(c)); err != nil {
							t.Fatal(err)
						}
					}
					c.meanwhile(w.always, w.limited, func() { c.walkers(q, w.half) })
				})
			}
		}
	})
}

// walkSizes is over how many users a walk goes, by the size of its pages.
func walkSizes(tab table.Table) map[int]int {
	_, embedded := tab.(*bolt.Table)
	switch {
	case embedded && *longWalk:
		return map[int]int{100: 100_000}
	case embedded && !racing():
		return map[int]int{1: 100, 7: 700, 100: 3000}
	default:
		return map[int]int{1: 40, 7: 100, 100: 300}
	}
}

func newThrong(t *testing.T, tab table.Table, tenant string, n int) *throng {
	t.Helper()
	c := &throng{fixture: newFixture(t, tab).tenant(tenant)}
	s := seeder{c.Store, c.user, c.group}
	var err error
	c.ids, err = s.users(c.ctx, n, func(i int) scim.Object {
		letter := 'w'
		if i%2 == 1 {
			letter = 'a' + rand.N('w'-'a')
		}
		return scim.Object{"userName": fmt.Sprintf("%c%06d", letter, i), "title": "old"}
	})
	if err == nil {
		err = s.counted(c.ctx, c.user, n)
	}
	if err == nil {
		c.everyone, err = s.groupOf(c.ctx, "all", c.ids...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// meanwhile lets eight writers do their deeds while it does something.
func (c *throng) meanwhile(always deed, limited []deed, do func()) {
	c.Helper()
	var all sync.WaitGroup
	var over atomic.Bool
	for number := range 8 {
		w := &writer{number: number, room: len(c.ids) / 16}
		for i := number; i < len(c.ids); i += 8 {
			w.own = append(w.own, c.ids[i])
		}
		all.Go(func() {
			for !over.Load() && !c.Failed() {
				next := always
				if w.room > 0 && rand.N(2) == 0 {
					next = limited[rand.N(len(limited))]
					w.room--
				}
				if err := next(c, w); err != nil && !IsTransient(err) {
					c.Errorf("a writer: %v", err)
				}
				c.written.Add(1)
			}
		})
	}
	do()
	over.Store(true)
	all.Wait()
}

// walkers are two by startIndex and three by cursor, who then go back.
func (c *throng) walkers(q Params, half bool) {
	var all sync.WaitGroup
	for i := range 5 {
		q, what := q, "by cursor"
		if q.Client = fmt.Sprint("reader ", i); i < 2 {
			q.StartIndex, what = 1, "by startIndex"
		}
		all.Go(func() {
			met, last := c.forth(q)
			c.once(what, half, met)
			if q.StartIndex == 0 && last != nil {
				c.once(what+", back", half, c.back(q, last))
			}
		})
	}
	all.Wait()
}

// forth walks as Okta does and gives the ids that it met, and the last page.
func (c *throng) forth(q Params) (met []string, last *ListResult) {
	for more := true; more && c.goesOn(met); more = following(&q, last) {
		if last = c.ask(q); last == nil {
			return nil, nil
		}
		met = append(met, idsOf(last)...)
	}
	return met, last
}

// back walks from the last page to the first.
func (c *throng) back(q Params, last *ListResult) []string {
	met := idsOf(last)
	for q.Cursor = last.PreviousCursor; q.Cursor != "" && c.goesOn(met); q.Cursor = last.PreviousCursor {
		if last = c.ask(q); last == nil {
			return nil
		}
		met = append(met, idsOf(last)...)
	}
	return met
}

// goesOn lets the writers write something, and ends a walk that has no end.
func (c *throng) goesOn(met []string) bool {
	if len(met) > 2*len(c.ids) {
		c.Errorf("a walk over %d users has met %d and is not at its end", len(c.ids), len(met))
	}
	for at := c.written.Load(); c.written.Load() < at+4 && !c.Failed(); {
		time.Sleep(100 * time.Microsecond)
	}
	return !c.Failed()
}

func (c *throng) ask(q Params) *ListResult {
	l, err := c.List(c.ctx, q)
	if err != nil {
		c.Errorf("%s at %d, %q: %v", q.Client, q.StartIndex, q.Cursor, err)
		return nil
	}
	if len(l.Resources) > q.Count {
		c.Errorf("%s: a page of %d resources, want %d at most", q.Client, len(l.Resources), q.Count)
	}
	return l
}

func idsOf(l *ListResult) (ids []string) {
	for _, r := range l.Resources {
		ids = append(ids, r.ID())
	}
	return ids
}

// once checks whom a walk has met.
func (c *throng) once(what string, half bool, met []string) {
	if c.Failed() {
		return
	}
	times := map[string]int{}
	for _, id := range met {
		if times[id]++; times[id] == 2 {
			c.Errorf("%s: %s was met twice", what, id)
		}
	}
	missed := 0
	for i, id := range c.ids {
		_, gone := c.gone.Load(id)
		if times[id] == 0 && !gone && (!half || i%2 == 0) {
			missed++
		}
	}
	if missed > 0 {
		c.Errorf("%s: of %d users, who were there all the time, %d were missed; it met %d", what, len(c.ids), missed, len(met))
	}
}
