package tabletest

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"

	"serverless-scim/internal/table"
)

// PartialVisibility is a table whose plain reads may observe part of a transaction, as DynamoDB's may. A Write changes
// its items one by one in random order, and Get, Query and Scan see each change at once. A Snapshot or a Write of an
// item of an unfinished Write waits for that Write. If its context ends first, the error is *table.TransientError. All
// writers must use the same PartialVisibility.
type PartialVisibility struct {
	table.Table
	Step func() // called before each item changes; nil: runtime.Gosched

	mu     sync.Mutex
	locked map[table.Key]chan struct{} // closed when the call that has locked the item ends
}

// Snapshot waits until no Write changes one of the items, and reads them.
func (p *PartialVisibility) Snapshot(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	if err := table.ValidateKeys(keys, table.MaxTransactionActions); err != nil {
		return nil, err
	}
	unlock, err := p.lockItems(ctx, keys)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return p.Table.Snapshot(ctx, keys...)
}

// Write evaluates the whole transaction, then changes one item after another.
func (p *PartialVisibility) Write(ctx context.Context, writes ...table.Write) error {
	if err := table.ValidateWrites(writes); err != nil {
		return err
	}
	unlock, err := p.lockItems(ctx, targets(writes))
	if err != nil {
		return err
	}
	defer unlock()
	olds, err := p.readOldItems(context.Background(), writes) // not ctx, whose usage must not count these reads
	if err != nil {
		return err
	}
	after, err := evaluate(writes, olds)
	if err != nil {
		return err
	}
	for _, i := range rand.Perm(len(writes)) {
		if err := p.replace(context.WithoutCancel(ctx), writes[i].Target(), after[i]); err != nil {
			return err
		}
	}
	return nil
}

// readOldItems returns the current item of each write; nil: it does not exist.
func (p *PartialVisibility) readOldItems(ctx context.Context, writes []table.Write) ([]table.Item, error) {
	items, err := p.Table.Get(ctx, nil, targets(writes)...)
	byKey := map[table.Key]table.Item{}
	for _, it := range items {
		byKey[it.Key()] = it
	}
	olds := make([]table.Item, len(writes))
	for i, w := range writes {
		olds[i] = byKey[w.Target()]
	}
	return olds, err
}

// replace writes the new item at a key; nil deletes it.
func (p *PartialVisibility) replace(ctx context.Context, k table.Key, it table.Item) error {
	if p.Step != nil {
		p.Step()
	} else {
		runtime.Gosched()
	}
	if it == nil {
		return p.Table.Write(ctx, table.Delete{Key: k})
	}
	return p.Table.Write(ctx, table.Put{Item: it})
}

// lockItems locks all items at once. It waits until none of them is locked.
func (p *PartialVisibility) lockItems(ctx context.Context, keys []table.Key) (unlock func(), err error) {
	if err := table.CheckDeadline(ctx); err != nil {
		return nil, &table.TransientError{Err: err}
	}
	for {
		lock, conflicting := p.tryLock(keys)
		if conflicting == nil {
			return func() { p.unlock(keys, lock) }, nil
		}
		select {
		case <-conflicting:
		case <-ctx.Done():
			return nil, &table.TransientError{Err: ctx.Err()}
		}
	}
}

// tryLock locks the items and returns the lock, or returns the lock of another call that has locked one of them.
func (p *PartialVisibility) tryLock(keys []table.Key) (lock, conflicting chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range keys {
		if conflicting := p.locked[k]; conflicting != nil {
			return nil, conflicting
		}
	}
	if p.locked == nil {
		p.locked = map[table.Key]chan struct{}{}
	}
	lock = make(chan struct{})
	for _, k := range keys {
		p.locked[k] = lock
	}
	return lock, nil
}

func (p *PartialVisibility) unlock(keys []table.Key, lock chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range keys {
		delete(p.locked, k)
	}
	close(lock)
}
