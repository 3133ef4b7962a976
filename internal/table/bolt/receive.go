package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"serverless-scim/internal/table"
)

var errCorruptRecord = errors.New("bolt: damaged stream record")

// Receive passes the oldest records of the stream to handle, at most table.MaxStreamBatch. If handle returns nil, the next
// write removes them from the file, or Close does. Only if the process is killed before that, they are delivered again.
func (t *Table) Receive(ctx context.Context, handle func(context.Context, []table.Record) error) (int, error) {
	records, last, err := t.readStream(ctx)
	if err != nil || len(records) == 0 {
		return 0, err
	}
	if err := handle(ctx, records); err != nil {
		return 0, err
	}
	t.delivered.Store(&last)
	return len(records), nil
}

// readStream returns the oldest records that were not delivered, and the position of the last of them.
func (t *Table) readStream(ctx context.Context) (records []table.Record, last []byte, err error) {
	err = t.viewTx(ctx, func(tx *bbolt.Tx) error {
		b := tx.Bucket(stream)
		if b == nil {
			return nil
		}
		from := []byte{}
		if delivered := t.delivered.Load(); delivered != nil {
			from = keyAfter(bytes.Clone(*delivered))
		}
		c := b.Cursor()
		for k, v := c.Seek(from); k != nil && len(records) < table.MaxStreamBatch; k, v = c.Next() {
			records, last = append(records, decodeRecord(v)), bytes.Clone(k)
		}
		return nil
	})
	return records, last, err
}

// decodeRecord returns the record of a value. Its items share no memory with the file.
func decodeRecord(value []byte) table.Record {
	milliseconds, n := binary.Uvarint(value)
	in := itemReader{b: value[max(n, 0):], corrupt: n <= 0}
	r := table.Record{CommittedAt: time.UnixMilli(int64(milliseconds))}
	oldEncoding := in.bytes(in.length())
	newEncoding := in.changed(oldEncoding)
	var old, updated encodedItem
	in.corrupt = in.corrupt || len(in.b) > 0 || len(oldEncoding)+len(newEncoding) == 0 ||
		len(oldEncoding) > 0 && old.read(oldEncoding) != nil || len(newEncoding) > 0 && updated.read(newEncoding) != nil
	if in.corrupt {
		return table.Record{CommittedAt: r.CommittedAt, Err: errCorruptRecord}
	}
	r.New = updated.item(nil)
	r.Old = old.itemLike(&updated, r.New)
	if r.Key = r.New.Key(); r.New == nil {
		r.Key = r.Old.Key()
	}
	return r
}

// itemLike returns the item, and shares with another one the values that both have. like is the item of other.
func (r *encodedItem) itemLike(other *encodedItem, like table.Item) table.Item {
	if r.absent() || other.absent() {
		return r.item(nil)
	}
	it, changed, rest := maps.Clone(like), []string(nil), other.attributes
	for _, a := range r.attributes {
		name := r.b[a.name:a.value]
		for len(rest) > 0 && bytes.Compare(other.b[rest[0].name:rest[0].value], name) < 0 {
			delete(it, string(other.b[rest[0].name:rest[0].value]))
			rest = rest[1:]
		}
		if len(rest) > 0 && bytes.Equal(other.b[rest[0].name:rest[0].end], r.b[a.name:a.end]) {
			rest = rest[1:]
			continue
		}
		if len(rest) > 0 && bytes.Equal(other.b[rest[0].name:rest[0].value], name) {
			rest = rest[1:]
		}
		changed = append(changed, string(name))
	}
	for _, a := range rest {
		delete(it, string(other.b[a.name:a.value]))
	}
	if len(changed) > 0 {
		maps.Copy(it, r.item(changed))
	}
	return it
}

// changed reads the encoded new item of a record, given the old one.
func (r *itemReader) changed(old []byte) []byte {
	size, begin, end := r.number(), r.number(), r.number()
	if begin+end > len(old) || begin+end > size {
		r.corrupt = true
		return nil
	}
	between := r.bytes(size - begin - end)
	return slices.Concat(old[:begin], between, old[len(old)-end:])
}

// number reads a number that need not be a length of what follows.
func (r *itemReader) number() int {
	u, n := binary.Uvarint(r.b)
	if n <= 0 || u > table.MaxItemBytes*2 {
		r.corrupt, n, u = true, 0, 0
	}
	r.bytes(n)
	return int(u)
}
