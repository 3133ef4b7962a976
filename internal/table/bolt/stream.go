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
// order. A value has the Unix time of the commit in milliseconds, the length of the encoded old item, that item, and the
// length of the encoded new item. The length of a missing item is 0. Last come how many bytes the new item has in common
// with the beginning and with the end of the old item, and the bytes between.
var stream = []byte("stream")

// streamFill is how full the pages of the stream become. Records are only appended.
const streamFill = 0.95

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
	b.FillPercent = streamFill
	position, err := b.NextSequence()
	if err != nil {
		return err
	}
	value := binary.AppendUvarint(make([]byte, 0, len(old)+len(updated)+32), uint64(time.Now().UnixMilli()))
	value = append(binary.AppendUvarint(value, uint64(len(old))), old...)
	begin, end := commonEnds(old, updated)
	for _, n := range []int{len(updated), begin, end} {
		value = binary.AppendUvarint(value, uint64(n))
	}
	value = append(value, updated[begin:len(updated)-end]...)
	return b.Put(binary.BigEndian.AppendUint64(nil, position), value)
}

// commonEnds returns how many bytes a and b have in common at the beginning, and in the rest at the end.
func commonEnds(a, b []byte) (begin, end int) {
	n := min(len(a), len(b))
	for begin < n && a[begin] == b[begin] {
		begin++
	}
	for end < n-begin && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	return begin, end
}

// trimStream removes the records that Receive has delivered.
func (t *Table) trimStream(tx *bbolt.Tx) error {
	last := t.delivered.Load()
	if last == nil {
		return nil
	}
	c := tx.Bucket(stream).Cursor()
	for k, _ := c.First(); k != nil && bytes.Compare(k, *last) <= 0; k, _ = c.First() {
		if err := c.Delete(); err != nil {
			return fmt.Errorf("cannot trim the stream: %w", err)
		}
	}
	return nil
}
