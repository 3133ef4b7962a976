package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"time"

	"go.etcd.io/bbolt"

	"serverless-scim/internal/table"
)

var errCorruptRecord = errors.New("bolt: damaged stream record")

// Receive passes the oldest records of the stream to handle, at most table.MaxStreamBatch, and removes them from the file
// if handle returns nil.
func (t *Table) Receive(ctx context.Context, handle func(context.Context, []table.Record) error) (int, error) {
	records, last, err := t.readStream(ctx)
	if err != nil || len(records) == 0 {
		return 0, err
	}
	if err := handle(ctx, records); err != nil {
		return 0, err
	}
	return len(records), t.enqueue(context.WithoutCancel(ctx), &writeRequest{trim: last, done: make(chan struct{})})
}

// readStream returns the oldest records and the position of the last of them.
func (t *Table) readStream(ctx context.Context) (records []table.Record, last []byte, err error) {
	err = t.viewTx(ctx, func(tx *bbolt.Tx) error {
		b := tx.Bucket(stream)
		if b == nil {
			return nil
		}
		c := b.Cursor()
		for k, v := c.First(); k != nil && len(records) < table.MaxStreamBatch; k, v = c.Next() {
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
	for _, it := range []*table.Item{&r.Old, &r.New} {
		b, encoded := in.bytes(in.length()), encodedItem{}
		if in.corrupt || len(b) == 0 {
			continue
		}
		if in.corrupt = encoded.read(b) != nil; !in.corrupt {
			*it = encoded.item(nil)
			r.Key = it.Key()
		}
	}
	if in.corrupt || len(in.b) > 0 || r.Key == (table.Key{}) {
		return table.Record{CommittedAt: r.CommittedAt, Key: r.Key, Err: errCorruptRecord}
	}
	return r
}
