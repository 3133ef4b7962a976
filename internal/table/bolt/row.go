package bolt

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unicode/utf8"

	"serverless-scim/internal/table"
)

// encodedItem is a stored item as it stands in the file, where all of it has been found right but nothing was copied: it is
// there until the transaction of the file ends. The zero row is that of no item.
type encodedItem struct {
	b          []byte
	attributes []attribute // in the order of their names
	size       int         // table.Size of the item
}

// attribute is where in a row an attribute stands: its name, which ends where the value begins with its type; and what
// it adds to the size.
type attribute struct{ name, value, end, size int }

func (r *encodedItem) absent() bool { return r.b == nil }

// read takes a row in place of the one before.
func (r *encodedItem) read(b []byte) error {
	r.b, r.attributes, r.size = b, r.attributes[:0], 0
	in := itemReader{b: b}
	if in.byte() != encodingVersion {
		return errCorruptItem
	}
	n := in.length()
	r.attributes = slices.Grow(r.attributes, min(n, 64))
	for last := []byte(nil); n > 0 && !in.corrupt; n-- {
		name := in.text()
		at := len(b) - len(in.b)
		in.corrupt = in.corrupt || bytes.Compare(name, last) <= 0
		size := len(name) + in.value()
		r.attributes = append(r.attributes, attribute{at - len(name), at, len(b) - len(in.b), size})
		r.size, last = r.size+size, name
	}
	if in.corrupt || len(in.b) > 0 {
		return errCorruptItem
	}
	return nil
}

// merge is the row in which the attributes of an item are in the place of those with their names and with some others.
func (r *encodedItem) merge(it table.Item, others []string) (b []byte, size int) {
	left := slices.DeleteFunc(slices.Clone(r.attributes), func(a attribute) bool {
		name := r.b[a.name:a.value]
		_, changed := it[string(name)]
		return changed || slices.ContainsFunc(others, func(s string) bool { return s == string(name) })
	})
	b = binary.AppendUvarint(append(make([]byte, 0, len(r.b)+encodedSizeLimit(it)), encodingVersion), uint64(len(left)+len(it)))
	for _, name := range sortedNames(it) {
		for len(left) > 0 && string(r.b[left[0].name:left[0].value]) < name {
			b, size, left = r.append(b, left[0]), size+left[0].size, left[1:]
		}
		b = appendValue(appendText(b, name), it[name])
	}
	for _, a := range left {
		b, size = r.append(b, a), size+a.size
	}
	return b, size + table.ItemSize(it)
}

func (r *encodedItem) append(b []byte, a attribute) []byte {
	b = binary.AppendUvarint(b, uint64(a.value-a.name))
	return append(b, r.b[a.name:a.end]...)
}

// itemReader takes values off the front; after the first damage what it returns means nothing.
type itemReader struct {
	b       []byte
	corrupt bool
}

func (r *itemReader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.corrupt, r.b = true, nil
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *itemReader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// length is a length or a number of things, each of which takes a byte at least.
func (r *itemReader) length() int {
	u, n := binary.Uvarint(r.b)
	if n <= 0 || n > 1 && r.b[n-1] == 0 || u > uint64(len(r.b)) {
		r.corrupt, n, u = true, 0, 0
	}
	r.take(n)
	return int(u)
}

func (r *itemReader) text() []byte {
	s := r.take(r.length())
	r.corrupt = r.corrupt || !utf8.Valid(s)
	return s
}

// value takes a value with its type, and tells its size.
func (r *itemReader) value() int {
	switch r.byte() {
	case typeS:
		return len(r.text())
	case typeN:
		i, n := binary.Varint(r.b)
		r.corrupt = r.corrupt || n <= 0 || n > 1 && r.b[n-1] == 0
		r.take(max(n, 0))
		return table.NumberSize(i)
	case typeSS:
		return r.set()
	case typeFalse, typeTrue:
		return 1
	default:
		r.corrupt = true
		return 0
	}
}

func (r *itemReader) set() (size int) {
	n := r.length()
	r.corrupt = r.corrupt || n == 0
	for last := []byte(nil); n > 0 && !r.corrupt; n-- {
		s := r.text()
		r.corrupt = r.corrupt || bytes.Compare(s, last) <= 0
		size, last = size+len(s), s
	}
	return size
}
