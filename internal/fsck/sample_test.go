package fsck_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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

// runFsck runs fsck on the table of a fixture and returns the reported lines. An empty tenant means all tenants.
func runFsck(f *directorytest.Fixture, tenant string, repair bool) (lines []string) {
	f.Helper()
	c := f.Config.Store
	c.Backoff = table.Backoff{Base: time.Millisecond, Cap: 4 * time.Millisecond}
	report := func(found fsck.Finding) { lines = append(lines, found.String()) }
	summary, err := fsck.Checker{Config: c, Tenant: tenant, Repair: repair, Report: report}.Run(f.Ctx)
	if err != nil || summary.Findings != len(lines) {
		f.Errorf("fsck returned %d findings, and reported %q: %v", summary.Findings, lines, err)
	}
	return lines
}

// A sample is a consistent table with items of every kind. It holds two tenants. One of them has nested groups, two
// unfinished deletes, and the following changes of the group large: c1 is pending, c2 is prepared, c3 is aborted, and
// c4 is swept.
type sample struct {
	*directorytest.Fixture
	alice, bob, dora string // users; dora is being deleted
	team             string // group with the members bob and dora
	staff            string // group with the members alice and team
	large            string // group with the member alice; c1 adds bob and staff
	old              string // group with the member bob, which is being deleted
}

func newSample(t *testing.T) *sample {
	s := &sample{Fixture: directorytest.New(t, directorytest.NewTable(t))}
	other := s.ForTenant("other%#")
	other.NewGroup("staff", other.NewUser("alice"))
	s.alice = s.createUser(scim.Object{
		"userName": "alice", "externalId": "1", "emails": []any{scim.Object{"value": "a@example.com"}},
	})
	s.dora = s.createUser(scim.Object{"userName": "dora", "externalId": "2"})
	s.bob = s.NewUser("bob")
	s.team = s.NewGroup("team", s.bob, s.dora)
	s.staff = s.NewGroup("staff", s.alice, s.team)
	s.large, s.old = s.NewGroup("large", s.alice), s.NewGroup("old", s.bob)
	s.beginDelete(s.User, s.dora)
	s.beginDelete(s.Group, s.old)
	s.writeChanges()
	s.writeForeignItems()
	l, err := s.List(s.Ctx, directory.ListParams{Types: directorytest.Only(s.User), Count: 1})
	if err != nil || l.NextCursor == "" { // a cursor needs a cursor key
		t.Fatal(l, err)
	}
	return s
}

func (s *sample) createUser(o scim.Object) string {
	s.Helper()
	return s.Must(s.Create(s.Ctx, s.User, o, scim.Projection{})).ID()
}

// beginDelete writes the first transaction of a delete, which leaves the memberships to a sweep.
func (s *sample) beginDelete(rt *scim.ResourceType, id string) {
	s.Helper()
	h, err := s.Store.ReadHead(s.Ctx, rt, id)
	if err != nil {
		s.Fatal(err)
	}
	o, err := store.DecodeDocument(h.Document)
	if err != nil {
		s.Fatal(err)
	}
	entries, err := s.Store.NewIndexEntries(rt, id, o)
	if err != nil {
		s.Fatal(err)
	}
	t := s.Store.MarkDeleting(&store.Transaction{}, rt, h)
	s.Store.WriteIndex(t, rt, id, &entries, nil)
	s.write(append(t.Writes, table.Update{Key: s.Store.Keys.Counter(rt, 7), Add: table.Item{"n": table.N(-1)}})...)
}

// writeChanges writes the changes of the group large.
func (s *sample) writeChanges() {
	s.Helper()
	s.write(table.Update{
		Key: s.head(s.large),
		Set: table.Item{"pending": table.S("c1"), "left": table.N(2)}, Add: table.Item{"ver": table.N(1)},
	})
	for _, v := range []any{
		store.IntentMarker{Key: s.marker("c1"), State: store.StateCommitted, ChangeItems: 2},
		store.ChangeItem{Key: s.changeItem("c1", 0), Add: []string{s.bob}},
		store.ChangeItem{Key: s.changeItem("c1", 1), Add: []string{s.staff}},
		store.IntentMarker{Key: s.marker("c2"), State: store.StatePrepared, ChangeItems: 1},
		store.ChangeItem{Key: s.changeItem("c2", 0), Remove: []string{s.alice}},
		store.IntentMarker{Key: s.marker("c3"), State: store.StateAborted, ChangeItems: 1},
		store.ChangeItem{Key: s.changeItem("c3", 0), Add: []string{s.bob}},
		store.IntentMarker{Key: s.marker("c4"), State: store.StateSwept, ChangeItems: 1, ExpiresAt: 1},
	} {
		s.write(table.Put{Item: store.MarshalItem(v)})
	}
}

// writeForeignItems writes items that fsck does not check.
func (s *sample) writeForeignItems() {
	s.Helper()
	for _, k := range []table.Key{
		{PK: "token#x", SK: "@"}, {PK: "test#token", SK: "x"}, {PK: "test#page#x", SK: "1"}, {PK: "test#counter", SK: "x#1"},
		{PK: "test#client", SK: "client_test_x"}, {PK: "test#access", SK: "client_test_x#x"}, {PK: "test#access", SK: "client_test_x#x#used"},
		{PK: "tenant", SK: "test"}, {PK: "format", SK: "@"}, {PK: "test#Robot#r1", SK: "@"}, {PK: "unfinished", SK: "x"},
	} {
		s.write(table.Put{Item: store.MarshalItem(k)})
	}
}

func (s *sample) write(writes ...table.Write) {
	s.Helper()
	if err := s.Config.Store.Table.Write(s.Ctx, writes...); err != nil {
		s.Fatal(err)
	}
}

func (s *sample) head(id string) table.Key { return s.Store.Keys.Head(s.Store.Types.ByID(id), id) }
func (s *sample) edge(group, member string) table.Key {
	return s.Store.Keys.Edge(s.Group, group, member)
}
func (s *sample) userName(folded string) table.Key { return s.Store.Keys.Name(s.User, folded) }
func (s *sample) marker(changeID string) table.Key {
	return s.Store.Keys.IntentMarker(s.Group, s.large, changeID)
}
func (s *sample) userDeleteMarker(id string) table.Key {
	return s.Store.Keys.IntentMarker(s.User, id, "")
}

func (s *sample) changeItem(changeID string, n int) table.Key {
	return s.Store.Keys.ChangeItem(s.Group, s.large, changeID, n)
}

// emailIndex returns the key of an index item. The sort key is the ID of a resource.
func (s *sample) emailIndex(value, sortKey string) table.Key {
	return table.Key{PK: s.Store.Keys.IndexPartition(s.User, "emails", value), SK: sortKey}
}

// checkFinding fails the test unless the lines are one finding of this inconsistency, with this result of the repair.
func (s *sample) checkFinding(c inconsistency, lines []string, result string) {
	s.Helper()
	k := c.key
	if len(lines) != 1 || !strings.HasPrefix(lines[0], fmt.Sprintf("%q %q: ", k.PK, k.SK)) ||
		!strings.Contains(lines[0], c.problem) || !strings.Contains(lines[0], result) {
		s.Errorf("found %q, want one finding at %v: %s%s", lines, k, c.problem, result)
	}
}

// interrupt returns the fixture with a table that calls do before the n-th call of a method.
func (s *sample) interrupt(method string, n int32, do func()) *directorytest.Fixture {
	var calls atomic.Int32
	return s.Over(tabletest.Faults{Table: s.Config.Store.Table, Before: func(c tabletest.Call) error {
		if c.Method == method && calls.Add(1) == n {
			do()
		}
		return nil
	}})
}

// failWrite returns the fixture with a table whose n-th Write fails.
func failWrite(f *directorytest.Fixture, n int32, err error) *directorytest.Fixture {
	var calls atomic.Int32
	return f.Over(tabletest.Faults{Table: f.Config.Store.Table, Before: func(c tabletest.Call) error {
		if c.Method == "Write" && calls.Add(1) == n {
			return err
		}
		return nil
	}})
}

// replaceItems deletes all items of the table and writes these.
func replaceItems(f *directorytest.Fixture, items map[table.Key]table.Item) {
	f.Helper()
	var writes []table.Write
	for k := range f.Dump() {
		if items[k] == nil {
			writes = append(writes, table.Delete{Key: k})
		}
	}
	for _, it := range items {
		writes = append(writes, table.Put{Item: it})
	}
	for batch := range slices.Chunk(writes, table.MaxTransactionActions) {
		if err := f.Config.Store.Table.Write(f.Ctx, batch...); err != nil {
			f.Fatal(err)
		}
	}
}

// comparableItems returns the items without the attributes that a repair may change: versions and times. The counter
// items of one type are replaced by their sum.
func comparableItems(f *directorytest.Fixture) map[table.Key]table.Item {
	f.Helper()
	all := f.Dump()
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
