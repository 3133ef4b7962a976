package capture

import (
	"context"
	"slices"

	"serverless-scim/internal/console/traffic"
	"serverless-scim/internal/table"
)

// Table returns a table that adds the writes of a captured request to its exchange.
func Table(t table.Table) table.Table { return capturedTable{t} }

type capturedTable struct{ table.Table }

func (t capturedTable) Get(ctx context.Context, attributes []string, keys ...table.Key) ([]table.Item, error) {
	items, err := t.Table.Get(ctx, attributes, keys...)
	if c := fromContext(ctx); c != nil && attributes == nil {
		c.addRead(items)
	}
	return items, err
}

func (t capturedTable) Snapshot(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	items, err := t.Table.Snapshot(ctx, keys...)
	if c := fromContext(ctx); c != nil {
		c.addRead(items)
	}
	return items, err
}

func (t capturedTable) Query(ctx context.Context, r table.Range) (table.Page, error) {
	page, err := t.Table.Query(ctx, r)
	if c := fromContext(ctx); c != nil && r.Attributes == nil {
		c.addRead(page.Items)
	}
	return page, err
}

// Write finds the items before the writes among those that the request has read, and reads the others. Another request may
// change an item in between. The exchange then shows the item before both changes.
func (t capturedTable) Write(ctx context.Context, writes ...table.Write) error {
	c := fromContext(ctx)
	if c == nil {
		return t.Table.Write(ctx, writes...)
	}
	changes := c.newWrites(writes)
	t.readMissing(ctx, changes)
	err := t.Table.Write(ctx, writes...)
	if err == nil {
		c.addWrites(changes)
	}
	return err
}

// readMissing reads the old items that the request has not read.
func (t capturedTable) readMissing(ctx context.Context, changes []captureWrite) {
	var missing []table.Key
	for _, w := range changes {
		if !w.isKnown {
			missing = append(missing, w.Key)
		}
	}
	if len(missing) == 0 {
		return
	}
	ctx, _ = table.WithUsage(ctx) // the request does not pay for this read
	items, _ := t.Table.Get(ctx, nil, missing...)
	findOld(changes, items)
}

// maxKeptItems is the number of items of an exchange that are kept.
const maxKeptItems = 200

// A captureWrite is a write of a captured request, with its items.
type captureWrite struct {
	traffic.ItemChange
	write   table.Write
	isKnown bool // the old item is known
}

// newItem returns the item after a write.
func newItem(w table.Write, old table.Item) (it table.Item) {
	switch w := w.(type) {
	case table.Put:
		it = w.Item
	case table.Update:
		it, _ = w.Apply(old)
	}
	return it
}

func (c *captured) addRead(items []table.Item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = append(c.read, items...)
}

// newWrites returns the writes that the exchange keeps, with the items that the request has read.
func (c *captured) newWrites(writes []table.Write) []captureWrite {
	c.mu.Lock()
	defer c.mu.Unlock()
	changes := make([]captureWrite, 0, min(len(writes), maxKeptItems-len(c.writes)))
	for _, w := range writes {
		if _, isCheck := w.(table.ConditionCheck); !isCheck && len(changes) < cap(changes) {
			changes = append(changes, captureWrite{ItemChange: traffic.ItemChange{Key: w.Target()}, write: w, isKnown: mustNotExist(w)})
		}
	}
	findOld(changes, c.read)
	return changes
}

// mustNotExist reports whether a write succeeds only if its item does not exist.
func mustNotExist(w table.Write) bool {
	return slices.ContainsFunc(w.Conditions(), func(c table.Condition) bool { return c.Op == table.OpItemNotExists })
}

// findOld sets the old items that are not known to the last ones with their keys.
func findOld(changes []captureWrite, items []table.Item) {
	wanted := make(map[table.Key]*captureWrite, len(changes))
	for i := range changes {
		if !changes[i].isKnown {
			wanted[changes[i].Key] = &changes[i]
		}
	}
	for i := len(items) - 1; i >= 0 && len(wanted) > 0; i-- {
		k := items[i].Key()
		if w := wanted[k]; w != nil {
			w.Old, w.isKnown = items[i], true
			delete(wanted, k)
		}
	}
}

// addWrites adds the writes of a transaction that has succeeded.
func (c *captured) addWrites(changes []captureWrite) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.transactions++
	for _, w := range changes[:min(len(changes), maxKeptItems-len(c.writes))] {
		w.Transaction, w.New, w.write = c.transactions, newItem(w.write, w.Old), nil
		c.writes = append(c.writes, w)
		if w.New != nil {
			c.read = append(c.read, w.New)
		}
	}
}
