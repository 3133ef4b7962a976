package directory

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// journal keeps, of every transaction, each of its items as it became.
type journal struct {
	table.Table
	mu      sync.Mutex
	entries []map[table.Key]table.Item // nil: the item went
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

// restore is the table after some transactions, with some items of the next as they became and some as they were.
func (j *journal) restore(t *rapid.T, into table.Table) {
	n := rapid.IntRange(0, len(j.entries)-1).Draw(t, "transactions")
	state := map[table.Key]table.Item{}
	for i, entry := range j.entries[:n+1] {
		for _, k := range SortedKeys(keySet(entry)) {
			if i < n || rapid.Bool().Draw(t, "arrived") {
				state[k] = entry[k]
			}
		}
	}
	for _, it := range state {
		if it == nil {
			continue
		}
		if err := into.Write(context.Background(), table.Put{Item: it}); err != nil {
			t.Fatal(err)
		}
	}
}

func keySet(entry map[table.Key]table.Item) map[table.Key]bool {
	keys := map[table.Key]bool{}
	for k := range entry {
		keys[k] = true
	}
	return keys
}

// A restore to a point in time may cut a transaction anywhere. After fsck with repair and a sweep nothing is wrong,
// wherever that was: in small changes, prepares, commits, applies, latches, drains, renames.
func TestARestoreIsMended(t *testing.T) {
	t.Parallel()
	j := &journal{Table: memory(t)}
	f := newFixture(t, j)
	f.sizes = batchLimits{transactionActions: 12, changeItemMembers: 2, changeItemsPerTransaction: 5, snapshotEdges: 3, snapshotMembers: 3, queryEdgesPerSnapshotEdge: 80}
	users := f.newUsers(12)
	for i := range 6 {
		f.newGroup(fmt.Sprint("other", i), users[0])
	}
	g := f.newGroup("g", users...)
	outer := f.newGroup("outer", g, users[1])
	f.must(f.patch(f.group, g, `[{"op":"remove","path":"members","value":`+list(users[:9])+`},{"op":"replace","path":"displayName","value":"h"}]`))
	f.must(f.patch(f.group, g, `[{"op":"add","path":"members","value":`+list(users[:1])+`}]`))
	f.must(f.Replace(f.ctx, f.group, g, withMembers("g", append(users[3:], outer)...), nil, scim.Projection{}))
	f.must(f.Replace(f.ctx, f.user, users[2], scim.Object{"userName": "renamed", "externalId": "e"}, nil, scim.Projection{}))
	e := &Mutation{rt: f.group, id: g, add: users[:3], remove: users[3:], AttemptState: NewAttemptState()}
	l, err := f.newRedoLog(e)
	if err != nil || f.prepare(f.ctx, l, 5) != nil { // by a writer that dies
		t.Fatal("no prepare", err)
	}
	for _, x := range []string{users[0], users[2]} {
		if err := f.Delete(f.ctx, f.user, x, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Delete(f.ctx, f.group, g, nil); err != nil {
		t.Fatal(err)
	}
	f.sweepLater()
	f.quiet()
	rapid.Check(t, func(rt *rapid.T) {
		restored := f.over(memory(t))
		j.restore(rt, restored.Table)
		restored.fsck("", true)
		restored.sweepLater()
		if lines := restored.fsck("", false); lines != nil {
			rt.Fatal(lines)
		}
		if found := restored.damage(); found != nil {
			rt.Fatal(found)
		}
	})
}

// sweepLater sweeps when all that is unfinished is old.
func (f *fixture) sweepLater() {
	f.Helper()
	c := f.Config
	c.Now = func() time.Time { return time.Now().Add(time.Hour) }
	f.sweep(c)
}
