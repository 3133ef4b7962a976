package directory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// interrupted is the same directory with something that happens before the n-th call of a method.
func (w *healthy) interrupted(method string, n int32, happens func()) *fixture {
	var calls atomic.Int32
	return w.over(tabletest.Faults{Table: w.Table, Before: func(c tabletest.Call) error {
		if c.Method == method && calls.Add(1) == n {
			happens()
		}
		return nil
	}})
}

// A repair depends on all that it was decided by: what another has done in the meantime it neither spoils nor repeats.
func TestFsckMeetsAnother(t *testing.T) {
	t.Parallel()
	for n, c := range damages() {
		if c.open {
			continue
		}
		t.Run(fmt.Sprint(n, " ", c.what), func(t *testing.T) {
			t.Parallel()
			w := newHealthy(t)
			w.write(c.plant(w)...)
			var mended map[table.Key]table.Item
			f := w.interrupted("Write", 1, func() {
				w.finds(c, w.fsck("", true), ": repaired")
				mended = w.dump()
			})
			if lines := f.fsck("", true); lines != nil || !reflect.DeepEqual(w.dump(), mended) {
				t.Errorf("what is repaired is repaired once more: %q", lines)
			}
		})
	}
}

// A request that comes between the look and the repair is not undone.
func TestFsckMeetsARequest(t *testing.T) {
	t.Parallel()
	mail := func(w *healthy, id, value string) table.Key {
		return table.Key{PK: w.keys.IndexPartition(w.user, "emails", value), SK: id}
	}
	for what, c := range map[string]struct {
		plant   func(w *healthy) table.Write
		happens func(w *healthy) error
	}{
		"sum is wrong | a change is applied": {
			func(w *healthy) table.Write {
				return table.Update{Key: w.headOf(w.large), Add: table.Item{"sum": table.N(-1)}}
			},
			func(w *healthy) error {
				return w.applyChangeItem(w.ctx, w.group, w.large, "c1", ChangeItem{Key: w.part("c1", 0), Add: []string{w.bob}})
			}},
		"a marker is missing | its change is finished": {
			func(w *healthy) table.Write { return table.Delete{Key: w.marker("c1")} },
			func(w *healthy) error { return w.FinishChange(w.ctx, w.group, w.large, "c1") }},
		"a lookup item is missing | the value goes": {
			func(w *healthy) table.Write { return table.Delete{Key: mail(w, w.alice, "a@example.com")} },
			func(w *healthy) error {
				_, err := w.patch(w.user, w.alice, `[{"op":"remove","path":"emails"}]`)
				return err
			}},
		"a lookup item is left over | the value comes": {
			func(w *healthy) table.Write { return table.Put{Item: MarshalItem(mail(w, w.bob, "b@example.com"))} },
			func(w *healthy) error {
				_, err := w.patch(w.user, w.bob, `[{"op":"add","path":"emails","value":[{"value":"b@example.com"}]}]`)
				return err
			}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newHealthy(t)
			w.write(c.plant(w))
			w.interrupted("Write", 1, func() {
				if err := c.happens(w); err != nil {
					t.Error(err)
				}
			}).fsck("", true)
			if lines := w.fsck("", true); lines != nil {
				t.Errorf("the repair has left or made damage: %q", lines)
			}
		})
	}
}

// behind is a table whose Query does not yet show the first of the members, as often as left says.
type behind struct {
	table.Table
	left int
}

func (t *behind) Query(ctx context.Context, r table.Range) (table.Page, error) {
	page, err := t.Table.Query(ctx, r)
	if t.left--; t.left >= 0 && len(page.Items) > 0 {
		page.Items = page.Items[1:]
	}
	return page, err
}

// What a Query shows of a transaction in part, even when its head can be seen already, is no damage.
func TestFsckMeetsATransaction(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	f.newGroup("g", f.newUser("u"), f.newUser("v"))
	if lines := f.over(&behind{f.Table, 2}).fsck("", true); lines != nil {
		t.Errorf("found %q", lines)
	}
	f.consistent()
}

// One repair does not hide what another has still to repair: here n fits the edges when one of them is gone.
func TestFsckOnceIsEnough(t *testing.T) {
	t.Parallel()
	w := newHealthy(t)
	w.write(table.Put{Item: MarshalItem(EdgeItem{w.edge(w.staff, nobody), "User"})})
	first := w.fsck("", true)
	if second := w.fsck("", true); len(first) != 2 || second != nil {
		t.Errorf("found %q, and then %q", first, second)
	}
}

// Counts that move during the scan are not judged by it.
func TestFsckMeetsACreate(t *testing.T) {
	t.Parallel()
	w := newHealthy(t)
	w.write(w.counted(w.user, -1))
	f := w.interrupted("Scan", 2, func() { w.newUser("new") })
	if lines := f.fsck("", true); lines != nil {
		t.Errorf("found %q while a user is created", lines)
	}
	if lines := w.fsck("", true); len(lines) != 1 {
		t.Errorf("found %q, want the counts", lines)
	}
}

// Several at once do together what one would have done.
func TestFscksAtOnce(t *testing.T) {
	t.Parallel()
	for range 5 {
		w := newHealthy(t)
		for _, c := range slices.Backward(damages()) { // a head is damaged before it is taken away
			if !c.open {
				w.write(c.plant(w)...)
			}
		}
		f := w.over(&tabletest.PartialVisibility{Table: w.Table})
		inParallel(4, func(int) error { f.fsck("", true); return nil })
		if lines := f.fsck("", true); lines != nil {
			t.Errorf("there is still %s", strings.Join(lines, "\n"))
		}
	}
}

// Beside requests that change all that fsck looks at, it finds nothing: what a transaction shows in part is no damage.
func TestFsckBesideRequests(t *testing.T) {
	t.Parallel()
	f := newFixture(t, &tabletest.PartialVisibility{Table: memory(t)})
	f.sizes = batchLimits{transactionActions: 10, changeItemMembers: 2, changeItemsPerTransaction: 9, snapshotEdges: 4, snapshotMembers: 4}
	var users []string
	for n := range 8 {
		users = append(users, f.newUser(fmt.Sprint("u", n)))
	}
	g, h := f.newGroup("g"), f.newGroup("h", users[:2]...)
	var all sync.WaitGroup
	var requests atomic.Int32
	for n, request := range []func(n int) error{
		func(n int) error {
			_, err := f.patch(f.group, g, `[{"op":"add","path":"members","value":`+list(users)+`}]`)
			return err
		},
		func(n int) error {
			_, err := f.patch(f.group, g, `[{"op":"remove","path":"members","value":`+list(users[n%4:])+`}]`)
			return err
		},
		func(n int) error {
			_, err := f.patch(f.group, h, `[{"op":"add","path":"members","value":`+list([]string{g, users[n%8]})+`}]`)
			return err
		},
		func(n int) error {
			_, err := f.patch(f.group, h, `[{"op":"replace","path":"members","value":[]}]`)
			return err
		},
		func(n int) error {
			_, err := f.patch(f.user, users[0], fmt.Sprintf(`[{"op":"replace","value":{"userName":"v%d","externalId":"%d"}}]`, n%2, n%3))
			return err
		},
		func(n int) error {
			r, err := f.Create(f.ctx, f.group, withMembers(fmt.Sprint("new", n), users...), scim.Projection{})
			if err != nil {
				return err
			}
			return f.Delete(f.ctx, f.group, r.ID(), nil)
		},
	} {
		all.Go(func() {
			for n := n; requests.Add(1) <= 1000; n++ {
				if err := request(n); err != nil && !IsTransient(err) {
					t.Error(err)
					return
				}
			}
		})
	}
	var lines []string
	for requests.Load() < 1000 {
		lines = append(lines, f.fsck("", true)...)
	}
	all.Wait()
	if lines = append(lines, f.fsck("", true)...); lines != nil {
		t.Errorf("found %s", strings.Join(lines, "\n"))
	}
	f.consistent()
}

// A restore may bring back each item as it was after any of the last transactions. One repair makes the table one that
// a sweep can finish. Only of several resources that then have one name a person must decide.
func TestFsckAfterARestore(t *testing.T) {
	t.Parallel()
	tab := memory(t)
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(t, tab)
		f.load(nil)
		history := f.history(rt)
		last := rapid.IntRange(1, len(history)).Draw(rt, "last")
		f.load(restored(rt, history[max(0, last-rapid.IntRange(2, 8).Draw(rt, "tables")):last]))
		found := strings.Join(f.fsck("", false), "\n")
		if repaired := strings.Join(f.fsck("", true), "\n"); slices.ContainsFunc(f.fsck("", false), decidable) {
			rt.Fatalf("after\n%s\n\n%s\n\nthere is still %q", found, repaired, f.fsck("", false))
		}
		c := f.Config
		c.Now = func() time.Time { return time.Now().Add(time.Hour) }
		if did := f.sweep(c); did.Unfinished > 0 {
			rt.Fatalf("the sweep leaves something: %+v", did)
		}
		if left := f.fsck("", false); slices.ContainsFunc(left, decidable) {
			rt.Fatalf("after the sweep there is %q", left)
		} else if left == nil {
			f.quiet()
		}
	})
}

// history is the table before and after each transaction of random requests, most of which change memberships.
func (f *fixture) history(rt *rapid.T) (tables []map[table.Key]table.Item) {
	f.sizes = batchLimits{transactionActions: 10, changeItemMembers: 2, changeItemsPerTransaction: 9, snapshotEdges: 4, snapshotMembers: 4}
	in := f.over(tabletest.Faults{Table: f.Table, After: func(c tabletest.Call) error {
		if c.Method == "Write" {
			tables = append(tables, f.dump())
		}
		return nil
	}})
	in.Runner = func(calls ...func() error) (err error) {
		for _, call := range calls {
			err = cmp.Or(err, call())
		}
		return err
	}
	in.Random = rand.NewChaCha8([32]byte{})
	var ids []string
	for n := range 6 {
		ids = append(ids, in.newUser(fmt.Sprint("u", n)))
	}
	ids = append(ids, in.newGroup("g", ids[:3]...), in.newGroup("h"))
	for n := range rapid.IntRange(1, 8).Draw(rt, "requests") {
		some := rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 0, len(ids), rapid.ID[string]).Draw(rt, "members")
		id := rapid.SampledFrom(ids).Draw(rt, "id")
		group := rapid.SampledFrom(ids[6:]).Draw(rt, "group")
		switch rapid.SampledFrom([]string{"add", "remove", "put", "create", "rename", "delete"}).Draw(rt, "request") {
		case "add":
			in.patch(f.group, group, `[{"op":"add","path":"members","value":`+list(some)+`}]`)
		case "remove":
			in.patch(f.group, group, `[{"op":"remove","path":"members"}]`)
		case "put":
			in.Replace(f.ctx, f.group, group, withMembers("g", some...), nil, scim.Projection{})
		case "create":
			if r, err := in.Create(f.ctx, f.group, withMembers(fmt.Sprint("new", n), some...), scim.Projection{}); err == nil {
				ids = append(ids, r.ID())
			}
		case "rename":
			in.patch(f.user, id, fmt.Sprintf(`[{"op":"replace","value":{"userName":"v%d","externalId":"%d"}}]`, n, n))
		case "delete":
			in.Delete(f.ctx, f.Types.ByID(id), id, nil)
		}
	}
	return tables
}

// decidable tells whether a finding is one that can be repaired.
func decidable(line string) bool { return !strings.Contains(line, "taken by") }

// restored is a table in which each item is as in one of some tables.
func restored(rt *rapid.T, tables []map[table.Key]table.Item) map[table.Key]table.Item {
	all := map[table.Key]table.Item{}
	for _, t := range tables {
		maps.Copy(all, t)
	}
	keys := map[table.Key]bool{}
	for k := range all {
		keys[k] = true
	}
	for _, k := range SortedKeys(keys) {
		var versions []table.Item
		for _, t := range tables {
			if len(versions) == 0 || !reflect.DeepEqual(t[k], versions[len(versions)-1]) {
				versions = append(versions, t[k])
			}
		}
		if all[k] = versions[0]; len(versions) > 1 {
			all[k] = rapid.SampledFrom(versions).Draw(rt, k.PK+" "+k.SK)
		}
		if all[k] == nil {
			delete(all, k)
		}
	}
	return all
}
