package tabletest

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"

	"serverless-scim/internal/table"
)

// PartialVisibility is a table that shows its transactions in part, as DynamoDB may: a Write changes its items one by one, in
// any order, and until it returns Get, Query and Scan see some of them changed and some not. A Snapshot or a Write
// that meets an item of an unfinished Write waits for it, and is *table.Busy if its context ends before. All writers
// must go through the same Partial.
type PartialVisibility struct {
	table.Table
	Step func() // called before each item changes; runtime.Gosched

	mu   sync.Mutex
	held map[table.Key]chan struct{} // closed when the call that holds the item ends
}

// Snapshot waits until no item of it is being written.
func (p *PartialVisibility) Snapshot(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	if err := table.ValidateKeys(keys, table.MaxTransactionActions); err != nil {
		return nil, err
	}
	release, err := p.lockItems(ctx, keys)
	if err != nil {
		return nil, err
	}
	defer release()
	return p.Table.Snapshot(ctx, keys...)
}

// Write decides first and then changes one item after another.
func (p *PartialVisibility) Write(ctx context.Context, writes ...table.Write) error {
	if err := table.ValidateWrites(writes); err != nil {
		return err
	}
	release, err := p.lockItems(ctx, targets(writes))
	if err != nil {
		return err
	}
	defer release()
	olds, err := p.olds(context.Background(), writes) // an empty context: what these reads cost is no caller's
	if err != nil {
		return err
	}
	after, err := plan(writes, olds)
	if err != nil {
		return err
	}
	for _, i := range rand.Perm(len(writes)) {
		if err := p.change(context.WithoutCancel(ctx), writes[i].Target(), after[i]); err != nil {
			return err
		}
	}
	return nil
}

func (p *PartialVisibility) olds(ctx context.Context, writes []table.Write) ([]table.Item, error) {
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

func (p *PartialVisibility) change(ctx context.Context, k table.Key, to table.Item) error {
	if p.Step != nil {
		p.Step()
	} else {
		runtime.Gosched()
	}
	if to == nil {
		return p.Table.Write(ctx, table.Delete{Key: k})
	}
	return p.Table.Write(ctx, table.Put{Item: to})
}

// lockItems takes all the items at once, as soon as nobody holds any of them.
func (p *PartialVisibility) lockItems(ctx context.Context, keys []table.Key) (release func(), err error) {
	if err := table.CheckDeadline(ctx); err != nil {
		return nil, &table.TransientError{Err: err}
	}
	for {
		other, mine := p.try(keys)
		if other == nil {
			return func() { p.release(keys, mine) }, nil
		}
		select {
		case <-other:
		case <-ctx.Done():
			return nil, &table.TransientError{Err: ctx.Err()}
		}
	}
}

func (p *PartialVisibility) try(keys []table.Key) (other, mine chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range keys {
		if other := p.held[k]; other != nil {
			return other, nil
		}
	}
	if p.held == nil {
		p.held = map[table.Key]chan struct{}{}
	}
	mine = make(chan struct{})
	for _, k := range keys {
		p.held[k] = mine
	}
	return nil, mine
}

func (p *PartialVisibility) release(keys []table.Key, mine chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range keys {
		delete(p.held, k)
	}
	close(mine)
}
