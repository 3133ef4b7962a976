package bolt

import (
	"bytes"
	"context"

	"go.etcd.io/bbolt"

	"serverless-scim/internal/table"
)

// Get reads the items with these keys. All are from the same instant, which the contract does not require.
func (t *Table) Get(ctx context.Context, attributes []string, keys ...table.Key) ([]table.Item, error) {
	if err := table.ValidateGet(attributes, keys); err != nil {
		return nil, err
	}
	found, _, err := t.read(ctx, 1, attributes, keys)
	return found, err
}

// Snapshot reads 1 to 100 items from the same instant.
func (t *Table) Snapshot(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	if err := table.ValidateKeys(keys, table.MaxTransactionActions); err != nil {
		return nil, err
	}
	found, size, err := t.read(ctx, 2, nil, keys)
	if size > table.MaxTransactionBytes {
		return nil, tooLargeError("a transaction", size, table.MaxTransactionBytes)
	}
	return found, err
}

// read returns the items with these keys, and the total size of the whole items. It charges unitPrice for each 4 KB of
// an item, rounded up, and for each missing item.
func (t *Table) read(ctx context.Context, unitPrice int, attributes []string, keys []table.Key) (
	found []table.Item, size int, err error,
) {
	units := 0
	found = make([]table.Item, 0, len(keys))
	err = t.view(ctx, func(b *bbolt.Bucket) error {
		var r encodedItem
		s := seeker{Cursor: b.Cursor()}
		for _, k := range keys {
			if err := r.find(&s, bucketKey(k)); err != nil {
				return err
			}
			if !r.absent() {
				found = append(found, r.item(attributes))
			}
			size += r.size
			units += unitPrice * capacityUnits(r.size, 4)
		}
		return nil
	})
	table.AddConsumedCapacity(ctx, float64(units), 0)
	return found, size, err
}

// Query reads one page. As in DynamoDB, LastEvaluatedKey is set if the page ended at a limit, even if no item follows.
func (t *Table) Query(ctx context.Context, r table.Range) (table.Page, error) {
	if err := table.ValidateRange(r); err != nil {
		return table.Page{}, err
	}
	p := &page{limit: r.Limit, attributes: r.Attributes, direction: 1}
	from, to := rangeBounds(r)
	err := t.view(ctx, func(b *bbolt.Bucket) error {
		if r.Backward {
			p.direction = -1
			return p.backward(b.Cursor(), from, to)
		}
		return p.forward(b.Cursor(), from, to)
	})
	if err != nil {
		return table.Page{}, err
	}
	table.AddConsumedCapacity(ctx, float64(capacityUnits(p.size, 4)), 0)
	return p.Page, nil
}

// A page collects the items of a table.Page.
type page struct {
	table.Page
	last       encodedItem // the last item added
	lastKey    []byte      // bucket key of last; nil: none
	direction  int         // of the bucket keys: 1 or -1
	size       int         // total size of the whole items
	limit      int         // maximum number of items; 0: no limit
	attributes []string    // nil: all
}

// forward adds the items from the bucket key from up to to. If to is nil, it adds all items after from.
func (p *page) forward(c *bbolt.Cursor, from, to []byte) error {
	for k, v := c.Seek(from); k != nil && (to == nil || bytes.Compare(k, to) < 0); k, v = c.Next() {
		if more, err := p.add(k, v); !more {
			return err
		}
	}
	return nil
}

func (p *page) backward(c *bbolt.Cursor, from, to []byte) error {
	k, v := c.Seek(to)
	if k == nil {
		k, v = c.Last()
	}
	if bytes.Compare(k, to) >= 0 {
		k, v = c.Prev()
	}
	for ; k != nil && bytes.Compare(k, from) >= 0; k, v = c.Prev() {
		if more, err := p.add(k, v); !more {
			return err
		}
	}
	return nil
}

// add adds an item to the page. If the item does not fit, or the page has reached its limit, add sets LastEvaluatedKey
// and returns false.
func (p *page) add(k, v []byte) (more bool, err error) {
	if p.lastKey != nil && bytes.Compare(k, p.lastKey) != p.direction {
		return false, errWrongOrder
	}
	previous := p.last.b
	if err := p.last.readAt(k, v); err != nil {
		return false, err
	}
	p.lastKey = k
	if p.size+p.last.size > table.MaxPageBytes {
		if err := p.last.read(previous); err != nil {
			return false, err
		}
		p.LastEvaluatedKey = p.last.key()
		return false, nil
	}
	p.Items, p.size = append(p.Items, p.last.item(p.attributes)), p.size+p.last.size
	if len(p.Items) == p.limit {
		p.LastEvaluatedKey = p.last.key()
		return false, nil
	}
	return true, nil
}

func (r *encodedItem) key() table.Key { return r.item([]string{"PK", "SK"}).Key() }

// Scan reads one page of the table, in the order of the bucket keys.
func (t *Table) Scan(ctx context.Context, from table.Key) (table.Page, error) {
	if err := table.ValidateScan(from); err != nil {
		return table.Page{}, err
	}
	var start []byte
	if from != (table.Key{}) {
		start = keyAfter(bucketKey(from))
	}
	p := &page{direction: 1}
	err := t.view(ctx, func(b *bbolt.Bucket) error { return p.forward(b.Cursor(), start, nil) })
	if err != nil {
		return table.Page{}, err
	}
	table.AddConsumedCapacity(ctx, float64(capacityUnits(p.size, 4)), 0)
	return p.Page, nil
}
