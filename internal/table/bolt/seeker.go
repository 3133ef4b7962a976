package bolt

import (
	"bytes"

	"go.etcd.io/bbolt"
)

// A seeker looks up a sequence of keys. If a key follows shortly after the one before, it moves the cursor forward
// instead of searching from the root, because items that are used together are often adjacent.
type seeker struct {
	*bbolt.Cursor
	lastKey []byte // the last key looked up; nil: none
	k, v    []byte // the first entry at or after lastKey; nil: none
}

// find returns the value at key, or nil.
func (s *seeker) find(key []byte) []byte {
	positioned := s.lastKey != nil && bytes.Compare(s.lastKey, key) < 0
	if s.lastKey = key; positioned && s.k != nil && bytes.Compare(s.k, key) < 0 {
		s.k, s.v = s.Next()
		positioned = s.k == nil || bytes.Compare(s.k, key) >= 0
	}
	if !positioned {
		s.k, s.v = s.Seek(key)
	}
	if !bytes.Equal(s.k, key) {
		return nil
	}
	return s.v
}

// find makes r the item at key.
func (r *encodedItem) find(s *seeker, key []byte) error {
	v := s.find(key)
	if v == nil {
		*r = encodedItem{attributes: r.attributes[:0]}
		return nil
	}
	return r.readAt(key, v)
}
