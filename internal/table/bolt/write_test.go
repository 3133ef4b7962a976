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

// A batch is one transaction of the file. Each request must see the writes of the requests before it.
func TestBatchExecutesRequestsInTurn(t *testing.T) {
	t.Parallel()
	b := openTest(t, ":memory:")
	notExists := []table.Condition{table.NotExists()}
	first, second := put(1), put(2)
	first.If, second.If = notExists, notExists
	other := table.Put{Item: table.Item{"PK": table.S("p"), "SK": table.S("other")}}
	equals1 := []table.Condition{table.Equals("n", table.N(1))}
	third := table.Update{Key: head, Add: table.Item{"n": table.N(10)}, If: equals1}
	batch := []*writeRequest{
		{writes: []table.Write{first}}, {writes: []table.Write{other, second}}, {writes: []table.Write{third}},
	}
	if err := b.applyBatch(batch); err != nil {
		t.Fatal(err)
	}
	var conditionErr *table.ConditionError
	if !errors.As(batch[1].err, &conditionErr) || table.IntValue(conditionErr.Items[1]["n"]) != 1 {
		t.Errorf("the second request, which conflicts with the first: %v", batch[1].err)
	}
	if batch[0].err != nil || batch[2].err != nil {
		t.Errorf("the first and the third request: %v, %v", batch[0].err, batch[2].err)
	}
	p, err := b.Query(t.Context(), table.Range{PK: "p"})
	if err != nil || len(p.Items) != 1 || table.IntValue(p.Items[0]["n"]) != 11 {
		t.Errorf("stored: %v, %v", p.Items, err)
	}
}

func TestFailedCommitWritesNothing(t *testing.T) {
	t.Parallel()
	b := openTest(t, ":memory:")
	b.db.MaxSize = 1 << 16
	writes := []table.Write{put(1)}
	for i := range 10 {
		writes = append(writes, table.Put{Item: table.Item{
			"PK": table.S("p"), "SK": table.S(fmt.Sprint(i)), "x": table.S(strings.Repeat("x", 300_000)),
		}})
	}
	if err := b.Write(t.Context(), writes...); !errors.Is(err, bbolterrors.ErrMaxSizeReached) {
		t.Errorf("Write of 3 MB to a file of at most 64 KB: %v", err)
	}
	checkEmptyAndWritable(t, b)
}

// replaceWriteAt replaces the function with which bbolt writes pages to the file.
func replaceWriteAt(b *Table, write func(p []byte, at int64, file func([]byte, int64) (int, error)) (int, error)) {
	writeAt := reflect.ValueOf(b.db).Elem().FieldByName("ops").FieldByName("writeAt")
	f := (*func([]byte, int64) (int, error))(writeAt.Addr().UnsafePointer())
	file := *f
	*f = func(p []byte, at int64) (int, error) { return write(p, at, file) }
}

// A commit writes and syncs its pages, then writes the meta page, which makes the transaction visible, and syncs again.
// A failure before the meta page has no effect. After a later failure the transaction is visible but may be lost, so
// the table is corrupt.
func TestFailedVisibleCommitIsCorruption(t *testing.T) {
	t.Parallel()
	errWrite := errors.New("write failed")
	for name, visible := range map[string]bool{"before the meta page": false, "after the meta page": true} {
		path := newPath(t)
		b := openTest(t, path)
		fails := true
		replaceWriteAt(b, func(p []byte, at int64, file func([]byte, int64) (int, error)) (int, error) {
			if meta := at < 2*pageSize; !fails || !meta {
				return file(p, at)
			}
			if fails = false; visible {
				_, err := file(p, at)
				return 0, errors.Join(errWrite, err)
			}
			return 0, errWrite
		})
		if err := b.Write(t.Context(), put(1)); !errors.Is(err, errWrite) {
			t.Errorf("%s: Write: %v", name, err)
		}
		if !visible {
			checkEmptyAndWritable(t, b)
			continue
		}
		_, getErr := b.Get(t.Context(), nil, head)
		for _, err := range []error{b.CorruptionError(), getErr, b.Write(t.Context(), put(2))} {
			if !errors.Is(err, errWrite) || !strings.Contains(err.Error(), path+" is damaged: ") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func checkEmptyAndWritable(t *testing.T, b *Table) {
	t.Helper()
	if p, err := b.Query(t.Context(), table.Range{PK: "p"}); err != nil || len(p.Items) > 0 {
		t.Errorf("%d items are stored, %v", len(p.Items), err)
	}
	if err := b.Write(t.Context(), put(1)); err != nil {
		t.Errorf("Write after the failure: %v", err)
	}
}

func TestFailedBatchWritesNothing(t *testing.T) {
	t.Parallel()
	b := openTest(t, ":memory:")
	long := table.Put{Item: table.Item{"PK": table.S("p"), "SK": table.S(strings.Repeat("s", bbolt.MaxKeySize))}}
	batch := []*writeRequest{{writes: []table.Write{put(1)}}, {writes: []table.Write{long}}}
	if err := b.applyBatch(batch); err == nil {
		t.Error("bbolt accepted a key over its maximum size")
	}
	checkEmptyAndWritable(t, b)
}

func TestOnlyLastingFilesAreSynced(t *testing.T) {
	t.Parallel()
	file, memory := openTest(t, newPath(t)).db, openTest(t, ":memory:").db
	if file.NoSync || file.NoGrowSync || !memory.NoSync {
		t.Error("a file must be synced at every commit, a temporary file never")
	}
}

// nextTransactionID returns the ID of the next transaction of the file. It calls whileLocked when no commit is
// possible.
func nextTransactionID(t *testing.T, b *Table, whileLocked func()) int {
	tx, err := b.db.Begin(true)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	whileLocked()
	return tx.ID()
}

func TestConcurrentWritersShareACommit(t *testing.T) {
	t.Parallel()
	b := openTest(t, ":memory:")
	var requests []*writeRequest
	first := nextTransactionID(t, b, func() { // commitLoop cannot begin a transaction
		for i := range 32 {
			r := &writeRequest{writes: []table.Write{put(i)}, done: make(chan struct{})}
			requests = append(requests, r)
			b.queue <- r
		}
	})
	for _, r := range requests {
		if <-r.done; r.err != nil {
			t.Error(r.err)
		}
	}
	if commits := nextTransactionID(t, b, func() {}) - first; commits > 2 { // the first batch, and the rest
		t.Errorf("%d commits for 32 writers, want at most 2", commits)
	}
}

func TestContextEndsTheWaitForTheQueueOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &Table{queue: make(chan *writeRequest)}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var transient *table.TransientError
		if err := b.Write(ctx, put(1)); !errors.As(err, &transient) {
			t.Errorf("Write that waits for a place in the queue: %v", err)
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
			t.Errorf("Write that was queued before its context ended: %v", err)
		}
	})
}

func TestBatchWaitsForRecentWritersOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		expected, queued, later, want int // later is negative: the table is closed
		waits                         time.Duration
	}{
		"a single writer":                         {expected: 0, want: 1},
		"a single writer again":                   {expected: 1, later: 3, want: 1},
		"all are queued":                          {expected: 3, queued: 2, later: 3, want: 3},
		"more are queued than expected":           {expected: 1, queued: 4, want: 5},
		"the others arrive":                       {expected: 4, queued: 1, later: 2, want: 4, waits: 2 * time.Millisecond},
		"one does not arrive":                     {expected: 4, later: 2, want: 3, waits: 10 * time.Millisecond},
		"more arrive than expected":               {expected: 3, later: 7, want: 3, waits: 2 * time.Millisecond},
		"the table is closed while a batch waits": {expected: 9, later: -1, want: 1, waits: time.Millisecond},
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
				start := time.Now()
				batch := b.collectBatch([]*writeRequest{{}}, c.expected, 10*time.Millisecond)
				if d := time.Since(start); len(batch) != c.want || d != c.waits {
					t.Errorf("%d writers after %v, want %d after %v", len(batch), d, c.want, c.waits)
				}
			})
		})
	}
}
