package fsck_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// A journal is a table that records, for each transaction, its items after the transaction.
type journal struct {
	table.Table
	mu      sync.Mutex
	entries []map[table.Key]table.Item // nil: the item was deleted
}

func (j *journal) Write(ctx context.Context, writes ...table.Write) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.Table.Write(ctx, writes...); err != nil {
		return err
	}
	entry, keys := map[table.Key]table.Item{}, []table.Key(nil)
	for _, w := range writes {
		entry[w.Target()], keys = nil, append(keys, w.Target())
	}
	items, err := j.Table.Get(context.Background(), nil, keys...)
	for _, it := range items {
		entry[it.Key()] = it
	}
	j.entries = append(j.entries, entry)
	return err
}

// restore writes the items after a random number of transactions, and some items of the next transaction.
func (j *journal) restore(rt *rapid.T, into table.Table) {
	n := rapid.IntRange(0, len(j.entries)-1).Draw(rt, "transactions")
	state := map[table.Key]table.Item{}
	for i, entry := range j.entries[:n+1] {
		for _, k := range sortedKeys(entry) {
			if i < n || rapid.Bool().Draw(rt, "restored") {
				state[k] = entry[k]
			}
		}
	}
	for _, it := range state {
		if it == nil {
			continue
		}
		if err := into.Write(context.Background(), table.Put{Item: it}); err != nil {
			rt.Fatal(err)
		}
	}
}

func sortedKeys(items map[table.Key]table.Item) []table.Key {
	keys := map[table.Key]bool{}
	for k := range items {
		keys[k] = true
	}
	return store.IndexEntries{Keys: keys}.SortedKeys()
}

// A restore can contain part of any transaction: of a small change, a prepare, a commit, an apply, a delete, or a
// rename. After fsck with repair and a sweep, the table is consistent.
func TestRepairAfterRestoreThatCutsATransaction(t *testing.T) {
	t.Parallel()
	j := &journal{Table: directorytest.NewTable(t)}
	f := directorytest.New(t, j)
	f.Configure(func(c *directory.Config) {
		c.Store.Limits = store.Limits{
			TransactionActions: 12, ChangeItemMembers: 2, ChangeItemsPerTransaction: 5,
			SnapshotEdges: 3, SnapshotMembers: 3, QueryEdgesPerSnapshotEdge: 80, ApplyConcurrency: 1,
		}
	})
	writeHistory(f)
	rapid.Check(t, func(rt *rapid.T) {
		restored := f.Over(directorytest.NewTable(t))
		j.restore(rt, restored.Config.Store.Table)
		runFsck(restored, "", true)
		sweepLater(restored)
		if lines := runFsck(restored, "", false); lines != nil {
			rt.Fatal(lines)
		}
		if found := restored.Violations(); found != nil {
			rt.Fatal(found)
		}
	})
}

// writeHistory makes small and large changes, deletes, and renames, and sweeps.
func writeHistory(f *directorytest.Fixture) {
	f.Helper()
	users := f.NewUsers(12)
	for i := range 6 {
		f.NewGroup(fmt.Sprint("other", i), users[0])
	}
	g := f.NewGroup("g", users...)
	outer := f.NewGroup("outer", g, users[1])
	f.Must(f.Patch(f.Group, g, `[{"op":"remove","path":"members","value":`+directorytest.MembersJSON(users[:9])+`},`+
		`{"op":"replace","path":"displayName","value":"h"}]`))
	f.Must(f.Patch(f.Group, g, `[{"op":"add","path":"members","value":`+directorytest.MembersJSON(users[:1])+`}]`))
	members := append(slices.Clip(users[3:]), outer)
	f.Must(f.Replace(f.Ctx, f.Group, g, directorytest.WithMembers("g", members...), nil, scim.Projection{}))
	renamed := scim.Object{"userName": "renamed", "externalId": "e"}
	f.Must(f.Replace(f.Ctx, f.User, users[2], renamed, nil, scim.Projection{}))
	prepareAndEnd(f, g, append(slices.Clip(users[:3]), outer))
	for _, id := range []string{users[0], users[2]} {
		if err := f.Delete(f.Ctx, f.User, id, nil); err != nil {
			f.Fatal(err)
		}
	}
	if err := f.Delete(f.Ctx, f.Group, g, nil); err != nil {
		f.Fatal(err)
	}
	sweepLater(f)
	f.CheckIdle()
}

// prepareAndEnd begins a large change of a group's members as a process does that ends before the commit.
func prepareAndEnd(f *directorytest.Fixture, group string, members []string) {
	f.Helper()
	const prepares = 2
	before := f.Members(group)
	writer := failWrite(f, prepares+1, &table.TransientError{Err: errors.New("the process ended")})
	writer.Configure(func(c *directory.Config) { c.Store.Limits.ChangeItemMembers = 1 })
	_, err := writer.Replace(f.Ctx, f.Group, group, directorytest.WithMembers("g", members...), nil, scim.Projection{})
	if !table.IsTransient(err) {
		f.Fatalf("the commit fails, but the request returned %v", err)
	}
	f.CheckMembers(group, before)
	for k, it := range f.Dump() {
		if k.PK == store.IntentPartition && table.StringValue(it["state"]) == store.StatePrepared {
			return
		}
	}
	f.Fatal("no change is prepared")
}

// sweepLater runs a sweep at a time when all intents are old enough.
func sweepLater(f *directorytest.Fixture) store.SweepResult {
	f.Helper()
	c := f.Config.Store
	c.Now = func() time.Time { return time.Now().Add(time.Hour) }
	return f.Sweep(c)
}

// A restore can contain each item as it was after any of the last transactions. After one run with repair, a sweep can
// finish everything. Only if several restored resources have the same name, a person must choose.
func TestRepairAfterRestoreThatMixesTransactions(t *testing.T) {
	t.Parallel()
	tab := directorytest.NewTable(t)
	rapid.Check(t, func(rt *rapid.T) {
		f := newSmallLimits(t, tab)
		replaceItems(f, nil)
		history := randomHistory(rt, f)
		last := rapid.IntRange(1, len(history)).Draw(rt, "last")
		replaceItems(f, mixTables(rt, history[max(0, last-rapid.IntRange(2, 8).Draw(rt, "tables")):last]))
		found := strings.Join(runFsck(f, "", false), "\n")
		repaired := strings.Join(runFsck(f, "", true), "\n")
		if lines := runFsck(f, "", false); slices.ContainsFunc(lines, isRepairable) {
			rt.Fatalf("after\n%s\n\n%s\n\nfsck still finds %q", found, repaired, lines)
		}
		if result := sweepLater(f); result.Unfinished > 0 {
			rt.Fatalf("the sweep cannot finish an intent: %+v", result)
		}
		if lines := runFsck(f, "", false); slices.ContainsFunc(lines, isRepairable) {
			rt.Fatalf("after the sweep, fsck finds %q", lines)
		} else if lines == nil {
			f.CheckIdle()
		}
	})
}

func isRepairable(line string) bool { return !strings.Contains(line, "taken by") }

// randomHistory sends random requests, most of which change memberships. It returns the table after each transaction.
func randomHistory(rt *rapid.T, f *directorytest.Fixture) (tables []map[table.Key]table.Item) {
	recorded := f.Over(tabletest.Faults{Table: f.Config.Store.Table, After: func(c tabletest.Call) error {
		if c.Method == "Write" {
			tables = append(tables, f.Dump())
		}
		return nil
	}})
	recorded.Configure(func(c *directory.Config) { c.Store.Random = rand.NewChaCha8([32]byte{}) })
	var ids []string
	for n := range 6 {
		ids = append(ids, recorded.NewUser(fmt.Sprint("u", n)))
	}
	ids = append(ids, recorded.NewGroup("g", ids[:3]...), recorded.NewGroup("h"))
	for n := range rapid.IntRange(1, 8).Draw(rt, "requests") {
		ids = append(ids, sendRandomRequest(rt, recorded, ids, n)...)
	}
	return tables
}

// sendRandomRequest sends the n-th request, which may fail, and returns the IDs of new resources. From index 6, ids are
// groups.
func sendRandomRequest(rt *rapid.T, f *directorytest.Fixture, ids []string, n int) (created []string) {
	members := rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 0, len(ids), rapid.ID[string]).Draw(rt, "members")
	id := rapid.SampledFrom(ids).Draw(rt, "id")
	group := rapid.SampledFrom(ids[6:]).Draw(rt, "group")
	switch rapid.SampledFrom([]string{"add", "remove", "put", "create", "rename", "delete"}).Draw(rt, "request") {
	case "add":
		f.Patch(f.Group, group, `[{"op":"add","path":"members","value":`+directorytest.MembersJSON(members)+`}]`)
	case "remove":
		f.Patch(f.Group, group, `[{"op":"remove","path":"members"}]`)
	case "put":
		f.Replace(f.Ctx, f.Group, group, directorytest.WithMembers("g", members...), nil, scim.Projection{})
	case "create":
		r, err := f.Create(f.Ctx, f.Group, directorytest.WithMembers(fmt.Sprint("new", n), members...), scim.Projection{})
		if err == nil {
			created = append(created, r.ID())
		}
	case "rename":
		f.Patch(f.User, id, fmt.Sprintf(`[{"op":"replace","value":{"userName":"v%d","externalId":"%d"}}]`, n, n))
	case "delete":
		f.Delete(f.Ctx, f.Store.Types.ByID(id), id, nil)
	}
	return created
}

// mixTables returns a table that has each item as it is in one of the tables.
func mixTables(rt *rapid.T, tables []map[table.Key]table.Item) map[table.Key]table.Item {
	mixed := map[table.Key]table.Item{}
	for _, t := range tables {
		maps.Copy(mixed, t)
	}
	for _, k := range sortedKeys(mixed) {
		var versions []table.Item
		for _, t := range tables {
			if len(versions) == 0 || !reflect.DeepEqual(t[k], versions[len(versions)-1]) {
				versions = append(versions, t[k])
			}
		}
		if mixed[k] = versions[0]; len(versions) > 1 {
			mixed[k] = rapid.SampledFrom(versions).Draw(rt, k.PK+" "+k.SK)
		}
		if mixed[k] == nil {
			delete(mixed, k)
		}
	}
	return mixed
}
