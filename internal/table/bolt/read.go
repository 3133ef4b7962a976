package bolt

import (
	"bytes"
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"serverless-scim/internal/table"
)

// Get reads all keys as of one instant, which is more than the contract promises.
func (t *Table) Get(ctx context.Context, attributes []string, keys ...table.Key) ([]table.Item, error) {
	if err := table.ValidateGet(attributes, keys); err != nil {
		return nil, err
	}
	found, _, err := t.read(ctx, 1, attributes, keys)
	return found, err
}

// Snapshot reads at most 100 keys as of one instant.
func (t *Table) Snapshot(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	if err := table.ValidateKeys(keys, table.MaxTransactionActions); err != nil {
		return nil, err
	}
	found, size, err := t.read(ctx, 2, nil, keys)
	if size > table.MaxTransactionBytes {
		return nil, &table.TooLargeError{Reason: fmt.Sprintf("a transaction of %d bytes", size)}
	}
	return found, err
}

// read charges a number of units for every 4 KB of each item, and as much for one that is not there.
func (t *Table) read(ctx context.Context, unit int, attributes []string, keys []table.Key) (
	found []table.Item, size int, err error,
) {
	units := 0
	found = make([]table.Item, 0, len(keys))
	err = t.view(ctx, func(b *bbolt.Bucket) error {
		var r encodedItem
		at := seeker{Cursor: b.Cursor()}
		for _, k := range keys {
			if err := r.find(&at, bucketKey(k)); err != nil {
				return err
			}
			if !r.absent() {
				found = append(found, r.item(attributes))
			}
			size += r.size
			units += unit * capacityUnits(r.size, 4)
		}
		return nil
	})
	table.AddConsumedCapacity(ctx, float64(units), 0)
	return found, size, err
}

// find takes what stands under a key.
func (r *encodedItem) find(at *seeker, key []byte) error {
	v := at.find(key)
	if v == nil {
		*r = encodedItem{attributes: r.attributes[:0]}
		return nil
	}
	return r.read(v)
}

// seeker finds what stands under keys. From one to a later one it goes on rather than down from the root again: what is read
// or written together often stands side by side.
type seeker struct {
	*bbolt.Cursor
	lastKey, k, v []byte // last, and what stands there or behind
}

func (f *seeker) find(key []byte) []byte {
	later := f.lastKey != nil && bytes.Compare(f.lastKey, key) < 0
	if f.lastKey = key; later && f.k != nil && bytes.Compare(f.k, key) < 0 {
		f.k, f.v = f.Next()
		later = f.k == nil || bytes.Compare(f.k, key) >= 0
	}
	if !later {
		f.k, f.v = f.Seek(key)
	}
	if !bytes.Equal(f.k, key) {
		return nil
	}
	return f.v
}

// capacityUnits is how many blocks of some KB are billed for so many bytes, at least one.
func capacityUnits(n, kb int) int { return max(1, (n+kb<<10-1)/(kb<<10)) }

// Query reads a page. As DynamoDB does, it says where to go on whenever it stopped at a limit, even if nothing follows.
func (t *Table) Query(ctx context.Context, r table.Range) (table.Page, error) {
	if err := table.ValidateRange(r); err != nil {
		return table.Page{}, err
	}
	p := &page{limit: r.Limit, attributes: r.Attributes}
	from, to := rangeBounds(r)
	err := t.view(ctx, func(b *bbolt.Bucket) error {
		if r.Backward {
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

// page is a page that is being filled.
type page struct {
	table.Page
	row        encodedItem // the last
	size       int
	limit      int      // 0: none
	attributes []string // nil: all
}

func (p *page) forward(c *bbolt.Cursor, from, to []byte) error {
	for k, v := c.Seek(from); k != nil && bytes.Compare(k, to) < 0; k, v = c.Next() {
		if more, err := p.add(v); !more {
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
		if more, err := p.add(v); !more {
			return err
		}
	}
	return nil
}

// add takes an item into the page, or else makes the page end behind the one before.
func (p *page) add(v []byte) (more bool, err error) {
	last := p.row.b
	if err := p.row.read(v); err != nil {
		return false, err
	}
	if p.size+p.row.size > table.MaxPageBytes {
		if err := p.row.read(last); err != nil {
			return false, err
		}
		p.LastEvaluatedKey = p.row.key()
		return false, nil
	}
	p.Items, p.size = append(p.Items, p.row.item(p.attributes)), p.size+p.row.size
	if len(p.Items) == p.limit {
		p.LastEvaluatedKey = p.row.key()
		return false, nil
	}
	return true, nil
}

func (r *encodedItem) key() table.Key { return r.item([]string{"PK", "SK"}).Key() }

// Scan reads one page of the table, in the order of keys.
func (t *Table) Scan(ctx context.Context, from table.Key) (table.Page, error) {
	if err := table.ValidateScan(from); err != nil {
		return table.Page{}, err
	}
	var start []byte
	if from != (table.Key{}) {
		start = keyAfter(bucketKey(from))
	}
	p := &page{}
	err := t.view(ctx, func(b *bbolt.Bucket) error {
		c := b.Cursor()
		for k, v := c.Seek(start); k != nil; k, v = c.Next() {
			if more, err := p.add(v); !more {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return table.Page{}, err
	}
	table.AddConsumedCapacity(ctx, float64(capacityUnits(p.size, 4)), 0)
	return p.Page, nil
}
