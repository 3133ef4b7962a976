package bolt

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"serverless-scim/internal/table"
)

// apply is one transaction of the file, so this is what writers that come together get.
func TestBatchDoesEachRequestOnTheStateOfThoseBefore(t *testing.T) {
	t.Parallel()
	b := openTest(t, ":memory:")
	absent := []table.Condition{table.NotExists()}
	first, second := put(1), put(2)
	first.If, second.If = absent, absent
	other := table.Put{Item: table.Item{"PK": table.S("p"), "SK": table.S("other")}}
	third := table.Update{Key: head, Add: table.Item{"n": table.N(10)}, If: []table.Condition{table.Equals("n", table.N(1))}}
	batch := []*writeRequest{{writes: []table.Write{first}}, {writes: []table.Write{other, second}}, {writes: []table.Write{third}}}
	if err := b.applyBatch(batch); err != nil {
		t.Fatal(err)
	}
	var refused *table.ConditionError
	if !errors.As(batch[1].err, &refused) || table.IntValue(refused.Items[1]["n"]) != 1 {
		t.Errorf("the second, which the first stands in the way of: %v", batch[1].err)
	}
	if batch[0].err != nil || batch[2].err != nil {
		t.Errorf("those around a refused one: %v, %v", batch[0].err, batch[2].err)
	}
	p, err := b.Query(t.Context(), table.Range{PK: "p"})
	if err != nil || len(p.Items) != 1 || table.IntValue(p.Items[0]["n"]) != 11 {
		t.Errorf("stored: %v, %v", p.Items, err)
	}
}

func TestFailedCommitFailsAll(t *testing.T) {
	t.Parallel()
	b := openTest(t, ":memory:")
	b.db.MaxSize = 1 << 16
	writes := []table.Write{put(1)}
	for i := range 10 {
		large := table.Item{"PK": table.S("p"), "SK": table.S(fmt.Sprint(i)), "x": table.S(strings.Repeat("x", 300_000))}
		writes = append(writes, table.Put{Item: large})
	}
	if err := b.Write(t.Context(), writes...); !errors.Is(err, bbolterrors.ErrMaxSizeReached) {
		t.Errorf("a file of 64 KB took 3 MB: %v", err)
	}
	nothingStands(t, b)
}

// pages replaces how pages get to the file.
func pages(b *Table, write func(p []byte, at int64, file func([]byte, int64) (int, error)) (int, error)) {
	writeAt := reflect.ValueOf(b.db).Elem().FieldByName("ops").FieldByName("writeAt")
	f := (*func([]byte, int64) (int, error))(writeAt.Addr().UnsafePointer())
	file := *f
	*f = func(p []byte, at int64) (int, error) { return write(p, at, file) }
}

// Of a commit everything is synced, and then the meta page, which alone makes it visible. What fails before that leaves
// no trace; what fails after it is seen, and may be lost: nobody may go on with it.
func TestFailedCommitThatIsSeenIsDamage(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, seen := range map[string]bool{"before the meta page": false, "after it": true} {
		path := inFile(t)
		b := openTest(t, path)
		fails := true
		pages(b, func(p []byte, at int64, file func([]byte, int64) (int, error)) (int, error) {
			if meta := at < 2*pageSize; !fails || !meta {
				return file(p, at)
			}
			if fails = false; seen {
				_, err := file(p, at)
				return 0, errors.Join(broken, err)
			}
			return 0, broken
		})
		if err := b.Write(t.Context(), put(1)); !errors.Is(err, broken) {
			t.Errorf("%s: a Write that failed: %v", name, err)
		}
		if !seen {
			nothingStands(t, b)
			continue
		}
		_, read := b.Get(t.Context(), nil, head)
		for _, err := range []error{b.CorruptionError(), read, b.Write(t.Context(), put(2))} {
			if !errors.Is(err, broken) || !strings.Contains(err.Error(), path+" is damaged: ") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func nothingStands(t *testing.T, b *Table) {
	t.Helper()
	if p, err := b.Query(t.Context(), table.Range{PK: "p"}); err != nil || len(p.Items) > 0 {
		t.Errorf("%d items stand, %v", len(p.Items), err)
	}
	if err := b.Write(t.Context(), put(1)); err != nil {
		t.Errorf("a later Write: %v", err)
	}
}

func TestFailedChangeUndoesItsBatch(t *testing.T) {
	t.Parallel()
	b := openTest(t, ":memory:")
	long := table.Put{Item: table.Item{"PK": table.S("p"), "SK": table.S(strings.Repeat("s", bbolt.MaxKeySize))}}
	if err := b.applyBatch([]*writeRequest{{writes: []table.Write{put(1)}}, {writes: []table.Write{long}}}); err == nil {
		t.Error("the file took a key that is too long for it")
	}
	nothingStands(t, b)
}

func TestFilesAreSynced(t *testing.T) {
	t.Parallel()
	file, memory := openTest(t, inFile(t)).db, openTest(t, ":memory:").db
	if file.NoSync || file.NoGrowSync || file.NoFreelistSync || !memory.NoSync {
		t.Error("a file is synced with each commit, one that vanishes never")
	}
}

// next is the number of the next commit.
func next(t *testing.T, b *Table, meanwhile func()) int {
	tx, err := b.db.Begin(true)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	meanwhile()
	return tx.ID()
}

func TestWritersWhoComeTogetherShareACommit(t *testing.T) {
	t.Parallel()
	b := openTest(t, ":memory:")
	var all []*writeRequest
	first := next(t, b, func() { // while the file is locked the committer can only take requests and wait
		for i := range 32 {
			r := &writeRequest{writes: []table.Write{put(i)}, done: make(chan struct{})}
			all = append(all, r)
			b.queue <- r
		}
	})
	for _, r := range all {
		if <-r.done; r.err != nil {
			t.Error(r.err)
		}
	}
	if commits := next(t, b, func() {}) - first; commits > 2 { // what it took at first, and all the rest
		t.Errorf("%d commits of 32 writers", commits)
	}
}

func TestContextEndsTheWaitForTheCommitterAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &Table{queue: make(chan *writeRequest)}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var busy *table.TransientError
		if err := b.Write(ctx, put(1)); !errors.As(err, &busy) {
			t.Errorf("in the queue: %v", err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go func() {
			r := <-b.queue
			time.Sleep(2 * time.Second)
			r.err = errCorruptItem
			close(r.done)
		}()
		if err := b.Write(ctx, put(1)); !errors.Is(err, errCorruptItem) {
			t.Errorf("what became of a Write that outlived its context: %v", err)
		}
	})
}

func TestOnlyWhoHaveMetAreWaitedFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		met, queued, later, want int
		waits                    time.Duration
	}{
		"alone":                         {met: 0, want: 1},
		"alone again":                   {met: 1, later: 3, want: 1},
		"all are there":                 {met: 3, queued: 2, later: 3, want: 3},
		"more than before":              {met: 1, queued: 4, want: 5},
		"the others come":               {met: 4, queued: 1, later: 2, want: 4, waits: 2 * time.Millisecond},
		"one does not come":             {met: 4, later: 2, want: 3, waits: 10 * time.Millisecond},
		"who comes when all are there":  {met: 3, later: 7, want: 3, waits: 2 * time.Millisecond},
		"the table is closed meanwhile": {met: 9, later: -1, want: 1, waits: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &Table{queue: make(chan *writeRequest, 10)}
				for range c.queued {
					b.queue <- &writeRequest{}
				}
				var later sync.WaitGroup
				defer later.Wait()
				later.Go(func() {
					for range max(c.later, -c.later) {
						if time.Sleep(time.Millisecond); c.later < 0 {
							close(b.queue)
							return
						}
						b.queue <- &writeRequest{}
					}
				})
				began := time.Now()
				batch := b.collectBatch([]*writeRequest{{}}, c.met, 10*time.Millisecond)
				if d := time.Since(began); len(batch) != c.want || d != c.waits {
					t.Errorf("%d writers after %v, want %d after %v", len(batch), d, c.want, c.waits)
				}
			})
		})
	}
}
