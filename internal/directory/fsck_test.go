package directory

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// fsck checks the table, and repairs it if it is to, and gives what it reported.
func (f *fixture) fsck(tenant string, repair bool) (lines []string) {
	f.Helper()
	c := f.Config
	c.Backoff = table.Backoff{Base: time.Millisecond, Cap: 4 * time.Millisecond}
	n, err := Checker{c, tenant, repair, func(line string) { lines = append(lines, line) }}.Run(f.ctx)
	if err != nil || n != len(lines) {
		f.Fatalf("fsck tells of %d findings and reports %q: %v", n, lines, err)
	}
	return lines
}

// healthy is a healthy table in which all is that can be: two tenants, nested groups, and of one tenant a change that is
// pending, one that is prepared, one that is aborted, and deletes under way.
type healthy struct {
	*fixture
	alice, bob, dora   string // users; dora is being deleted
	staff, team, large string // staff = alice, team; team = bob, dora; large = alice, and pending: + bob, + staff
	old                string // a group that is being deleted; of bob
}

func newHealthy(t *testing.T) *healthy {
	w := &healthy{fixture: newFixture(t, memory(t))}
	other := w.tenant("other%#")
	other.newGroup("staff", other.newUser("alice"))
	person := scim.Object{"userName": "alice", "externalId": "1", "emails": []any{scim.Object{"value": "a@example.com"}}}
	w.alice = w.must(w.Create(w.ctx, w.user, person, scim.Projection{})).ID()
	person = scim.Object{"userName": "dora", "externalId": "2"}
	w.dora = w.must(w.Create(w.ctx, w.user, person, scim.Projection{})).ID()
	w.bob = w.newUser("bob")
	w.team = w.newGroup("team", w.bob, w.dora)
	w.staff = w.newGroup("staff", w.alice, w.team)
	w.large, w.old = w.newGroup("large", w.alice), w.newGroup("old", w.bob)
	for id, rt := range map[string]*scim.ResourceType{w.dora: w.user, w.old: w.group} {
		h, err := w.ReadHead(w.ctx, rt, id)
		if err != nil {
			t.Fatal(err)
		}
		b := itemRef{Store: w.Store, rt: rt}.newResourceView(id, MarshalItem(h)).IndexEntries
		tx := &Transaction{}
		w.MarkDeleting(tx, rt, h)
		w.WriteIndex(tx, rt, id, &b, nil)
		w.write(append(tx.writes, table.Update{Key: w.keys.Counter(rt, 7), Add: table.Item{"n": table.N(-1)}})...)
	}
	w.write(
		table.Update{Key: w.headOf(w.large), Set: table.Item{"pending": table.S("c1"), "left": table.N(2)}, Add: table.Item{"ver": table.N(1)}},
		table.Put{Item: MarshalItem(IntentMarker{Key: w.marker("c1"), State: StateCommitted, ChangeItems: 2})},
		table.Put{Item: MarshalItem(ChangeItem{Key: w.part("c1", 0), Add: []string{w.bob}})},
		table.Put{Item: MarshalItem(ChangeItem{Key: w.part("c1", 1), Add: []string{w.staff}})},
		table.Put{Item: MarshalItem(IntentMarker{Key: w.marker("c2"), State: StatePrepared, ChangeItems: 1})},
		table.Put{Item: MarshalItem(ChangeItem{Key: w.part("c2", 0), Remove: []string{w.alice}})},
		table.Put{Item: MarshalItem(IntentMarker{Key: w.marker("c3"), State: StateAborted, ChangeItems: 1})},
		table.Put{Item: MarshalItem(ChangeItem{Key: w.part("c3", 0), Add: []string{w.bob}})},
		table.Put{Item: MarshalItem(IntentMarker{Key: w.marker("c4"), State: StateSwept, ChangeItems: 1, ExpiresAt: 1})},
	)
	if _, err := w.cursorAEAD(w.ctx); err != nil {
		t.Fatal(err)
	}
	for _, k := range []table.Key{{PK: "token#x", SK: "@"}, {PK: "test#token", SK: "x"}, {PK: "test#page#x", SK: "1"},
		{PK: "test#counter", SK: "x#1"}, {PK: "tenant", SK: "test"}, {PK: "test#Robot#r1", SK: "@"}, {PK: "unfinished", SK: "x"}} {
		w.write(table.Put{Item: MarshalItem(k)})
	}
	return w
}

func (w *healthy) write(writes ...table.Write) {
	w.Helper()
	if err := w.Table.Write(w.ctx, writes...); err != nil {
		w.Fatal(err)
	}
}

func (w *healthy) headOf(id string) table.Key { return w.keys.Head(w.Types.ByID(id), id) }
func (w *healthy) edge(g, m string) table.Key { return w.keys.Edge(w.group, g, m) }
func (w *healthy) part(change string, n int) table.Key {
	return w.keys.ChangeItem(w.group, w.large, change, n)
}
func (w *healthy) marker(change string) table.Key {
	return w.keys.IntentMarker(w.group, w.large, change)
}
func (w *healthy) userName(folded string) table.Key           { return w.keys.Name(w.user, folded) }
func (w *healthy) set(k table.Key, it table.Item) table.Write { return table.Update{Key: k, Set: it} }
func (w *healthy) counted(rt *scim.ResourceType, by int64) table.Write {
	return table.Update{Key: w.keys.Counter(rt, 9), Add: table.Item{"n": table.N(by)}}
}

// load makes the table hold these items and no others.
func (f *fixture) load(items map[table.Key]table.Item) {
	f.Helper()
	var writes []table.Write
	for k := range f.dump() {
		if items[k] == nil {
			writes = append(writes, table.Delete{Key: k})
		}
	}
	for _, it := range items {
		writes = append(writes, table.Put{Item: it})
	}
	for some := range slices.Chunk(writes, table.MaxTransactionActions) {
		if err := f.Table.Write(f.ctx, some...); err != nil {
			f.Fatal(err)
		}
	}
}

// comparable is the table without what a repair may move: versions and times, and which of the counts has what.
func (f *fixture) comparable() map[table.Key]table.Item {
	f.Helper()
	all := f.dump()
	for k, it := range maps.Clone(all) {
		for _, attribute := range []string{"ver", "gver", "modified", "at", "k"} {
			delete(it, attribute)
		}
		if sum := (table.Key{PK: k.PK, SK: "sum"}); strings.HasSuffix(k.PK, "#count") {
			all[sum] = table.Item{"n": table.N(table.IntValue(all[sum]["n"]) + table.IntValue(it["n"]))}
			delete(all, k)
		}
	}
	return all
}

// Each kind of damage is found and nothing else: one line that tells the item and what is wrong. Without repair nothing
// is written. With repair the table is what it was before, and there is nothing more to find.
func TestFsckFindsAndRepairs(t *testing.T) {
	t.Parallel()
	for n, c := range damages() {
		t.Run(fmt.Sprint(n, " ", c.what), func(t *testing.T) {
			t.Parallel()
			w := newHealthy(t)
			if lines := w.fsck("", true); lines != nil {
				t.Fatalf("findings in a healthy table: %q", lines)
			}
			mended := w.over(memory(t))
			mended.load(w.dump())
			if c.mend != nil {
				(&healthy{fixture: mended}).write(c.mend(w)...)
			}
			w.write(c.plant(w)...)
			broken := w.dump()
			w.finds(c, w.fsck("", false), "")
			if lines := w.fsck("other%#", true); lines != nil || !reflect.DeepEqual(w.dump(), broken) {
				t.Errorf("without repair, or of another tenant, something is written or found: %q", lines)
			}
			if c.open {
				w.finds(c, w.fsck("test", true), ": not repaired: ")
				w.finds(c, w.fsck("", true), ": not repaired: ")
				if !reflect.DeepEqual(w.dump(), broken) {
					t.Error("what is only to be reported was changed")
				}
				return
			}
			w.finds(c, w.fsck("test", true), ": repaired")
			w.versionsMoved(broken)
			if lines := w.fsck("", false); lines != nil {
				t.Errorf("findings after the repair: %q", lines)
			}
			if got, want := w.comparable(), mended.comparable(); !reflect.DeepEqual(got, want) {
				t.Errorf("the repair made of the table %v\nwant %v", got, want)
			}
		})
	}
}

// versionsMoved fails the test if groups or members were changed, and their version was not.
func (w *healthy) versionsMoved(before map[table.Key]table.Item) {
	w.Helper()
	after := w.dump()
	for k, it := range before {
		now, group := after[k], table.Key{PK: k.PK, SK: HeadSortKey}
		if k.SK == HeadSortKey && now != nil && !reflect.DeepEqual(it["groups"], now["groups"]) && table.IntValue(now["gver"]) != table.IntValue(it["gver"])+1 {
			w.Errorf("the groups of %v changed, and gver did not", k)
		}
		if strings.HasPrefix(k.SK, EdgePrefix) && now == nil && after[group] != nil &&
			table.IntValue(after[group]["ver"]) != table.IntValue(before[group]["ver"])+1 {
			w.Errorf("the edge %v is gone, and ver did not move", k)
		}
	}
}

func TestFsckOfOneTenant(t *testing.T) {
	t.Parallel()
	w := newHealthy(t)
	w.write(table.Delete{Key: w.tenant("other%#").keys.Name(w.user, "alice")})
	if here, there := w.fsck("test", true), w.fsck("other%#", true); here != nil || len(there) != 1 {
		t.Errorf("found %q in the one and %q in the other", here, there)
	}
}

func (w *healthy) finds(c damage, lines []string, end string) {
	w.Helper()
	k := c.at(w)
	if len(lines) != 1 || !strings.HasPrefix(lines[0], fmt.Sprintf("%q %q: ", k.PK, k.SK)) ||
		!strings.Contains(lines[0], c.what) || !strings.Contains(lines[0], end) {
		w.Errorf("found %q, want one finding at %v: %s%s", lines, k, c.what, end)
	}
}

// However many members a group has, they are read in pages and batches, and no batch has more than 100 large items.
func TestFsckReadsInBatches(t *testing.T) {
	t.Parallel()
	const members = 20_000
	f := newFixture(t, memory(t))
	g := f.newGroup("g")
	var writes []table.Write
	sum := int64(0)
	for n := range members {
		id, err := f.newID(f.user)
		if err != nil {
			t.Fatal(err)
		}
		o := scim.Object{"userName": fmt.Sprint(n)}
		h, err := f.newHead(f.user, id, o)
		if err != nil {
			t.Fatal(err)
		}
		h.Groups = []string{g}
		sum += MemberHash(id)
		writes = append(writes, table.Put{Item: MarshalItem(h)}, table.Put{Item: MarshalItem(EdgeItem{f.keys.Edge(f.group, g, id), "User"})})
		bears := f.bears(f.user, id, o) // the name first
		if n%10_000 == 0 {
			bears = bears[1:]
		}
		writes = append(writes, bears...)
	}
	writes = append(writes, table.Update{Key: f.keys.Head(f.group, g), Set: table.Item{"n": table.N(1), "sum": table.N(sum)}},
		table.Update{Key: f.keys.Counter(f.user, 0), Set: table.Item{"n": table.N(members)}})
	for some := range slices.Chunk(writes, table.MaxTransactionActions) {
		if err := f.Table.Write(f.ctx, some...); err != nil {
			t.Fatal(err)
		}
	}
	calls := map[string]int{}
	counted := f.over(tabletest.Faults{Table: f.Table, Before: func(c tabletest.Call) error {
		calls[c.Method]++
		heads := slices.DeleteFunc(slices.Clone(c.Keys), func(k table.Key) bool { return k.SK != HeadSortKey })
		if len(heads) > 2*checkBatch || len(c.Keys) > maxReadItems+2 {
			t.Errorf("%s of %d items, %d of them heads", c.Method, len(c.Keys), len(heads))
		}
		return nil
	}})
	lines := counted.fsck("", true)
	if len(lines) != 3 || !strings.Contains(strings.Join(lines, ""), "n=1 and sum of a group with 20000 edges") {
		t.Errorf("found %q, want two names and the number of members", lines)
	}
	if calls["Scan"] < 5 || calls["Query"] > 20 || calls["Get"] > 3*members/50 || calls["Snapshot"] > 10 {
		t.Errorf("the calls were %v, which is not pages and batches", calls)
	}
}
