package bolt

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"serverless-scim/internal/table"
)

// writeRequest is a Write on its way to the committer, which alone touches it until done is closed.
type writeRequest struct {
	writes []table.Write
	units  int
	err    error
	done   chan struct{}
}

// Write hands the writes to the committer and waits for the outcome, also beyond the end of the context. When the file
// turns out to be damaged the outcome stays unknown: the committer may hang.
func (t *Table) Write(ctx context.Context, writes ...table.Write) error {
	if err := table.ValidateWrites(writes); err != nil {
		return err
	}
	if err := t.beginCall(ctx); err != nil {
		return err
	}
	defer t.calls.Done()
	r := &writeRequest{writes: writes, done: make(chan struct{})}
	select {
	case t.queue <- r:
	case <-ctx.Done():
		return &table.TransientError{Err: ctx.Err()}
	case <-t.corrupted:
		return t.CorruptionError()
	}
	select {
	case <-r.done:
	case <-t.corrupted:
		return t.CorruptionError()
	}
	table.AddConsumedCapacity(ctx, 0, float64(r.units))
	return r.err
}

// commitLoop is the one writer. It takes whatever is waiting into one transaction of the file, so that writers who come
// together share an fsync. Writers who have met twice, in each of the last two commits or waiting for its end, are likely
// to come again at once: it waits for them as long as they would wait for it, the time of a commit. A lone one waits for
// nobody; nor does the last write of a request behind one commit of many that it made at once, and that will not come
// again. Behind several, as a change of more than some 400 members makes them, 16 writes at a time, it waits in vain.
func (t *Table) commitLoop() {
	defer close(t.stopped)
	before, met, took := 0, 0, time.Duration(0)
	for r := range t.queue {
		runtime.Gosched() // who comes at the same time may not have been here yet
		batch := t.collectBatch([]*writeRequest{r}, min(before, met), took)
		began := time.Now()
		err := t.catchCorruption(func() error { return t.applyBatch(batch) })
		before, met, took = met, len(batch)+len(t.queue), time.Since(began)
		for _, r := range batch {
			if err != nil {
				r.err = fmt.Errorf("bolt: %w", err)
			}
			close(r.done)
		}
	}
}

const minBatchWait = 50 * time.Microsecond // wait that is worth it

// collectBatch adds to a batch who is waiting, and who comes within a time until there are as many as have met.
func (t *Table) collectBatch(batch []*writeRequest, met int, within time.Duration) []*writeRequest {
	for range len(t.queue) {
		batch = append(batch, <-t.queue)
	}
	if len(batch) >= met || within < minBatchWait {
		return batch
	}
	over := time.NewTimer(within)
	defer over.Stop()
	for len(batch) < met {
		select {
		case r, open := <-t.queue:
			if !open {
				return batch
			}
			batch = append(batch, r)
		case <-over.C:
			return batch
		}
	}
	return batch
}

// applyBatch does each request on the state that those before it left. An error is one of the file, and fails them all;
// what is wrong with a request alone is in its err, and it has written nothing.
func (t *Table) applyBatch(batch []*writeRequest) error {
	tx, err := t.db.Begin(true)
	if err != nil {
		return err
	}
	defer tx.Rollback() // which after a commit does nothing
	changed := false
	for _, r := range batch {
		var planned []itemChange
		if planned, r.err = r.evaluate(tx.Bucket(items)); r.err != nil {
			continue
		}
		for _, c := range planned {
			if err := c.do(tx.Bucket(items)); err != nil {
				return err
			}
			changed = true
		}
	}
	if !changed {
		return nil
	}
	id := tx.ID()
	if err := tx.Commit(); err != nil {
		return t.commitError(id, err)
	}
	return nil
}

// commitError is the error of a commit that failed. If only the sync of its last page did, everybody sees by now what its
// writers are told has failed, and a power cut may still take it: nobody may build on such a file.
func (t *Table) commitError(id int, err error) error {
	seen := 0 // also where nothing can be read any longer
	_ = t.db.View(func(tx *bbolt.Tx) error { seen = tx.ID(); return nil })
	if seen < id {
		return err
	}
	return t.setCorruption(fmt.Errorf("%s is damaged: what it shows may not last: %w", t.path, err))
}

// itemChange is what a write makes of an item; nil: nothing is left.
type itemChange struct {
	of        int // the number of the write
	key, item []byte
}

// sortedChanges is the changes that are to be made, in the order of their keys.
func (r *writeRequest) sortedChanges() []itemChange {
	all := make([]itemChange, len(r.writes))
	for i, w := range r.writes {
		all[i] = itemChange{of: i, key: bucketKey(w.Target())}
	}
	slices.SortFunc(all, func(a, b itemChange) int { return bytes.Compare(a.key, b.key) })
	return all
}

func (c itemChange) do(b *bbolt.Bucket) error {
	if c.item == nil {
		return b.Delete(c.key)
	}
	return b.Put(c.key, c.item)
}

// evaluate checks every condition and then every limit, and charges what DynamoDB would: a transaction costs two units
// for every KB of the larger of the old and the new item, whatever it does to it and even if it is refused.
func (r *writeRequest) evaluate(b *bbolt.Bucket) ([]itemChange, error) {
	failed := map[int]table.Item{}
	planned, size := make([]itemChange, 0, len(r.writes)), 0
	var wrong error
	var old encodedItem
	at := seeker{Cursor: b.Cursor()}
	for _, c := range r.sortedChanges() {
		w, i := r.writes[c.of], c.of
		if err := old.find(&at, c.key); err != nil {
			return nil, err
		}
		after, held, err := c.buildItem(w, &old)
		if err != nil {
			wrong = err
		}
		if !held {
			failed[i] = old.item(nil)
		}
		if _, check := w.(table.ConditionCheck); !check {
			planned = append(planned, c)
		}
		n := max(old.size, after)
		size += n
		r.units += 2 * capacityUnits(n, 1)
	}
	switch {
	case len(failed) > 0:
		return nil, &table.ConditionError{Items: failed}
	case wrong != nil:
		return nil, wrong
	case size > table.MaxTransactionBytes:
		return nil, &table.TooLargeError{Reason: fmt.Sprintf("a transaction of %d bytes", size)}
	}
	return planned, nil
}

// buildItem makes the new item, and tells its size and whether the conditions hold. Of the old one it looks only at what the
// write speaks of; the rest is copied.
func (c *itemChange) buildItem(w table.Write, old *encodedItem) (size int, held bool, err error) {
	u, update := w.(table.Update)
	names := attributeNames(w.Conditions(), u)
	known := old.item(names)
	held = !slices.ContainsFunc(w.Conditions(), func(one table.Condition) bool { return !one.Holds(known) })
	if p, put := w.(table.Put); put {
		c.item = encode(p.Item)
		return table.ItemSize(p.Item), held, nil
	}
	if !update {
		return 0, held, nil
	}
	if known, err = u.Apply(known); err != nil {
		return 0, held, err
	}
	if c.item, size = old.merge(known, names); size > table.MaxItemBytes {
		err = &table.TooLargeError{Reason: fmt.Sprintf("an item of %d bytes", size)}
	}
	return size, held, err
}

// attributeNames is the names of the attributes that a write asks for or changes.
func attributeNames(conditions []table.Condition, u table.Update) []string {
	names := make([]string, 0, 8)
	for _, c := range conditions {
		if c.Attribute != "" { // otherwise it asks for the item itself
			names = append(names, c.Attribute)
		}
	}
	for _, part := range []table.Item{u.Set, u.Add, u.Delete} {
		for name := range part {
			names = append(names, name)
		}
	}
	return append(names, u.Remove...)
}
