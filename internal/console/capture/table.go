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

// Write keeps the items before and after the writes.
func (t capturedTable) Write(ctx context.Context, writes ...table.Write) error {
	c := fromContext(ctx)
	if c == nil || !c.keepsMoreItems() {
		return t.Table.Write(ctx, writes...)
	}
	images, err := t.writeImages(ctx, writes)
	if err == nil {
		c.addTransaction(images, len(writes))
	}
	return err
}

// writeImages writes, and returns the items before and after. If the table does not know them, writeImages reads them
// first. Another request may change an item in between. The images then show the item before both changes.
func (t capturedTable) writeImages(ctx context.Context, writes []table.Write) (table.Images, error) {
	if w, ok := t.Table.(table.ImageWriter); ok {
		return w.WriteImages(ctx, writes...)
	}
	before := t.readBefore(ctx, writes)
	err := t.Table.Write(ctx, writes...)
	return imagesOf(writes, before), err
}

// readBefore returns the items that the writes may change. It does not read those that must not exist.
func (t capturedTable) readBefore(ctx context.Context, writes []table.Write) map[table.Key]table.Item {
	var keys []table.Key
	for _, w := range writes {
		if _, isCheck := w.(table.ConditionCheck); !isCheck && !mustNotExist(w) {
			keys = append(keys, w.Target())
		}
	}
	ctx, _ = table.WithUsage(ctx) // the request does not pay for this read
	items, _ := t.Get(ctx, nil, keys...)
	before := make(map[table.Key]table.Item, len(items))
	for _, it := range items {
		before[it.Key()] = it
	}
	return before
}

// mustNotExist reports whether a write succeeds only if its item does not exist.
func mustNotExist(w table.Write) bool {
	return slices.ContainsFunc(w.Conditions(), func(c table.Condition) bool { return c.Op == table.OpItemNotExists })
}

// imagesOf returns the images of writes, given the items before them.
func imagesOf(writes []table.Write, before map[table.Key]table.Item) (i table.Images) {
	var records []table.Record
	for _, w := range writes {
		r := table.Record{Key: w.Target(), Old: before[w.Target()]}
		switch w := w.(type) {
		case table.Put:
			r.New = w.Item
		case table.Update:
			r.New, _ = w.Apply(r.Old)
		case table.ConditionCheck:
			continue
		}
		if r.Old == nil && r.New == nil {
			continue
		}
		records = append(records, r)
		i.Bytes += table.ItemSize(r.Old) + table.ItemSize(r.New)
	}
	i.Decode = func() []table.Record { return records }
	return i
}

// maxKeptItems is the number of items that an exchange has at most.
const maxKeptItems = 200

// keepsMoreItems reports whether the exchange keeps fewer items than it may.
func (c *captured) keepsMoreItems() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.items < maxKeptItems
}

func (c *captured) addTransaction(images table.Images, writes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.transactions = append(c.transactions, images)
	c.items, c.bytes = c.items+writes, c.bytes+images.Bytes
}

// changes returns the items that the request wrote.
func (c *captured) changes() (list []traffic.ItemChange) {
	for i, images := range c.transactions {
		for _, r := range images.Decode() {
			if len(list) < maxKeptItems {
				list = append(list, traffic.ItemChange{Key: r.Key, Old: r.Old, New: r.New, Transaction: i + 1})
			}
		}
	}
	return list
}
