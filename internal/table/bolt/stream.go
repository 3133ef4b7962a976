package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"serverless-scim/internal/table"
)

// The bucket stream holds the records of watched items. A key is the position of the record, as 8 bytes in big-endian
// order. A value is the Unix time of the commit in milliseconds, then the encoded old item and the encoded new item, each
// after its length. The length of a missing item is 0.
var stream = []byte("stream")

var errCorruptRecord = errors.New("bolt: damaged stream record")

// Watch makes a Table keep a stream of the items whose keys a predicate selects. Records stay in the file until Receive
// has delivered them, also while the file is closed. Every program that writes the file must watch the same items.
func Watch(watched func(table.Key) bool) func(*Table) {
	return func(t *Table) { t.watched = watched }
}

// appendRecord adds a record of a change to the stream, if the item is watched and the change changes it.
func (t *Table) appendRecord(tx *bbolt.Tx, k table.Key, c itemChange) error {
	if t.watched == nil || !t.watched(k) || bytes.Equal(c.old, c.item) {
		return nil
	}
	b := tx.Bucket(stream)
	position, err := b.NextSequence()
	if err != nil {
		return err
	}
	value := binary.AppendUvarint(make([]byte, 0, len(c.old)+len(c.item)+16), uint64(time.Now().UnixMilli()))
	for _, it := range [][]byte{c.old, c.item} {
		value = append(binary.AppendUvarint(value, uint64(len(it))), it...)
	}
	return b.Put(binary.BigEndian.AppendUint64(nil, position), value)
}

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

// trimStream removes the records up to and including a position.
func trimStream(tx *bbolt.Tx, last []byte) error {
	c := tx.Bucket(stream).Cursor()
	for k, _ := c.First(); k != nil && bytes.Compare(k, last) <= 0; k, _ = c.First() {
		if err := c.Delete(); err != nil {
			return fmt.Errorf("cannot trim the stream: %w", err)
		}
	}
	return nil
}
