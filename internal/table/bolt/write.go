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

// Write queues the writes for commitLoop and waits for the result. If the context ends after the writes are queued,
// Write still waits. If the file turns out to be corrupt, commitLoop may never return. Write then returns the
// corruption error, and the outcome of the writes is unknown.
func (t *Table) Write(ctx context.Context, writes ...table.Write) error {
	return t.submit(ctx, &writeRequest{writes: writes})
}

// submit validates a request and executes it.
func (t *Table) submit(ctx context.Context, r *writeRequest) error {
	if err := table.ValidateWrites(r.writes); err != nil {
		return err
	}
	r.done = make(chan struct{})
	return t.enqueue(ctx, r)
}

// enqueue queues a request for commitLoop and returns its result.
func (t *Table) enqueue(ctx context.Context, r *writeRequest) error {
	if err := t.beginCall(ctx); err != nil {
		return err
	}
	defer t.calls.Done()
	select {
	case t.queue <- r:
	case <-ctx.Done():
		return &table.TransientError{Err: ctx.Err()}
	case <-t.corrupted:
		return t.CorruptionError()
	}
	select {
	case <-r.done:
		table.AddConsumedCapacity(ctx, 0, float64(r.units))
		return r.err
	case <-t.corrupted:
		return t.CorruptionError()
	}
}

// commitLoop is the only writer of the file. It executes a batch of requests in one transaction of the file, so that
// concurrent writers share an fsync. Writers that took part in each of the last two commits, or queued during them, are
// likely to write again at once. commitLoop waits for that many requests, but not longer than a commit takes. With four
// clients this saves a third of the processor time of a write. A single writer is never waited for. The last write of a
// large change is delayed in vain, because its earlier writes were made in parallel.
func (t *Table) commitLoop() {
	defer close(t.stopped)
	earlier, latest, commitTime := 0, 0, time.Duration(0) // writers of the last two commits
	for r := range t.queue {
		runtime.Gosched() // concurrent writers may not have queued their requests yet
		batch := t.collectBatch([]*writeRequest{r}, min(earlier, latest), commitTime)
		start := time.Now()
		err := t.catchCorruption(func() error { return t.applyBatch(batch) })
		earlier, latest, commitTime = latest, len(batch)+len(t.queue), time.Since(start)
		for _, r := range batch {
			if err != nil {
				r.err = fmt.Errorf("bolt: %w", err)
			}
			close(r.done)
		}
	}
}

// minBatchWait is the shortest wait that is worth setting a timer.
const minBatchWait = 50 * time.Microsecond

// collectBatch adds the queued requests to a batch. If these are fewer than expected, it also adds those that arrive
// before the timeout.
func (t *Table) collectBatch(batch []*writeRequest, expected int, timeout time.Duration) []*writeRequest {
	for range len(t.queue) {
		batch = append(batch, <-t.queue)
	}
	if len(batch) >= expected || timeout < minBatchWait {
		return batch
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for len(batch) < expected {
		select {
		case r, open := <-t.queue:
			if !open {
				return batch
			}
			batch = append(batch, r)
		case <-timer.C:
			return batch
		}
	}
	return batch
}

// applyBatch executes the requests in turn in one transaction of the file, so each one sees the writes of those before
// it. The error of a single request is stored in its err, and such a request writes nothing. If applyBatch returns an
// error, the file failed and no request has written anything.
func (t *Table) applyBatch(batch []*writeRequest) error {
	tx, err := t.db.Begin(true)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	changed := false
	for _, r := range batch {
		wrote, err := t.applyRequest(tx, r)
		if err != nil {
			return err
		}
		changed = changed || wrote
	}
	if !changed {
		return nil
	}
	if err := t.trimStream(tx); err != nil {
		return err
	}
	id := tx.ID()
	if err := tx.Commit(); err != nil {
		return t.commitError(id, err)
	}
	return nil
}

// applyRequest executes one request, and reports whether it has written anything.
func (t *Table) applyRequest(tx *bbolt.Tx, r *writeRequest) (wrote bool, err error) {
	var changes []itemChange
	if changes, r.err = r.evaluate(tx.Bucket(items)); r.err != nil {
		return false, nil
	}
	for _, c := range changes {
		if err := t.appendRecord(tx, r.writes[c.index].Target(), c.old, c.item); err != nil {
			return false, err
		}
		if r.keepsImages && (c.old != nil || c.item != nil) {
			r.images = append(r.images, image{c.index, bytes.Clone(c.old), c.item})
		}
		if err := c.apply(tx.Bucket(items)); err != nil {
			return false, err
		}
	}
	return len(changes) > 0, nil
}

// commitError returns the error of a failed commit. If bbolt failed after it wrote the meta page, readers already see
// the transaction, although its writers get an error and a power failure could undo it. The table must not be used
// further, so commitError marks it as corrupt.
func (t *Table) commitError(id int, err error) error {
	visibleID := 0 // remains 0 if the file cannot be read
	_ = t.db.View(func(tx *bbolt.Tx) error { visibleID = tx.ID(); return nil })
	if visibleID < id {
		return err
	}
	return t.setCorruption(fmt.Errorf("%s is damaged: a failed commit is visible: %w", t.path, err))
}

// An itemChange is the result of one write.
type itemChange struct {
	index int    // index of the write in the request
	key   []byte // bucket key
	old   []byte // encoded old item, valid until the file is written; nil: it does not exist
	item  []byte // encoded new item; nil: delete the item
}

// sortedChanges returns a change without an item for each write, sorted by key.
func (r *writeRequest) sortedChanges() []itemChange {
	changes := make([]itemChange, len(r.writes))
	for i, w := range r.writes {
		changes[i] = itemChange{index: i, key: bucketKey(w.Target())}
	}
	slices.SortFunc(changes, func(a, b itemChange) int { return bytes.Compare(a.key, b.key) })
	return changes
}

func (c itemChange) apply(b *bbolt.Bucket) error {
	if c.item == nil {
		return b.Delete(c.key)
	}
	return b.Put(c.key, c.item)
}

// evaluate returns the changes of the request, or its error. As in DynamoDB, failed conditions come before exceeded
// limits. evaluate also sets r.units as DynamoDB bills them: two units per KB of the old or the new item, whichever is
// larger, even if the conditions fail.
func (r *writeRequest) evaluate(b *bbolt.Bucket) ([]itemChange, error) {
	failed := map[int]table.Item{}
	changes, totalSize := make([]itemChange, 0, len(r.writes)), 0
	var limitErr error
	var old encodedItem
	s := seeker{Cursor: b.Cursor()}
	for _, c := range r.sortedChanges() {
		w := r.writes[c.index]
		if err := old.find(&s, c.key); err != nil {
			return nil, err
		}
		newSize, conditionsHold, err := c.buildItem(w, &old)
		if err != nil {
			limitErr = err
		}
		if !conditionsHold {
			failed[c.index] = old.item(nil)
		}
		if c.old = old.b; !isCheck(w) {
			changes = append(changes, c)
		}
		size := max(old.size, newSize)
		totalSize += size
		r.units += 2 * capacityUnits(size, 1)
	}
	switch {
	case len(failed) > 0:
		return nil, &table.ConditionError{Items: failed}
	case limitErr != nil:
		return nil, limitErr
	case totalSize > table.MaxTransactionBytes:
		return nil, tooLargeError("a transaction", totalSize, table.MaxTransactionBytes)
	}
	return changes, nil
}

func isCheck(w table.Write) bool {
	_, ok := w.(table.ConditionCheck)
	return ok
}

// buildItem sets c.item to the encoded new item. It returns the size of the new item, and whether the conditions hold
// for the old one. It decodes only the attributes of old on which these depend, and copies those that do not change.
func (c *itemChange) buildItem(w table.Write, old *encodedItem) (size int, conditionsHold bool, err error) {
	u, isUpdate := w.(table.Update)
	it := old.item(neededAttributes(w.Conditions(), u))
	conditionsHold = !slices.ContainsFunc(w.Conditions(), func(cond table.Condition) bool { return !cond.Holds(it) })
	if p, isPut := w.(table.Put); isPut {
		c.item = encode(p.Item)
		return table.ItemSize(p.Item), conditionsHold, nil
	}
	if !isUpdate {
		return 0, conditionsHold, nil
	}
	if it, err = u.Apply(it); err != nil {
		return 0, conditionsHold, err
	}
	if c.item, size = old.merge(it, u); size > table.MaxItemBytes {
		err = tooLargeError("an item", size, table.MaxItemBytes)
	}
	return size, conditionsHold, err
}

// neededAttributes returns the names of the attributes on which the conditions and the new item depend.
func neededAttributes(conditions []table.Condition, u table.Update) []string {
	names := make([]string, 0, 8)
	for _, c := range conditions {
		if c.Attribute != "" { // empty for a condition on the item itself
			names = append(names, c.Attribute)
		}
	}
	for name := range u.Add {
		names = append(names, name)
	}
	for name := range u.Delete {
		names = append(names, name)
	}
	return names
}
