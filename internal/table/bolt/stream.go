package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"serverless-scim/internal/table"
)

// The bucket stream holds the records of watched items. A key is the position of the record, as 8 bytes in big-endian
// order. A value is the Unix time of the commit in milliseconds, then the encoded old item and the encoded new item, each
// after its length. The length of a missing item is 0.
var stream = []byte("stream")

// Watch makes a Table keep a stream of the items whose keys a predicate selects. Records stay in the file until Receive
// has delivered them, also while the file is closed. Every program that writes the file must watch the same items.
func Watch(watched func(table.Key) bool) func(*Table) {
	return func(t *Table) { t.watched = watched }
}

// appendRecord adds a record of a change to the stream, if the item is watched and its encoding changes. nil stands for a
// missing item.
func (t *Table) appendRecord(tx *bbolt.Tx, k table.Key, old, updated []byte) error {
	if t.watched == nil || !t.watched(k) || bytes.Equal(old, updated) {
		return nil
	}
	b := tx.Bucket(stream)
	position, err := b.NextSequence()
	if err != nil {
		return err
	}
	value := binary.AppendUvarint(make([]byte, 0, len(old)+len(updated)+16), uint64(time.Now().UnixMilli()))
	for _, it := range [][]byte{old, updated} {
		value = append(binary.AppendUvarint(value, uint64(len(it))), it...)
	}
	return b.Put(binary.BigEndian.AppendUint64(nil, position), value)
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
