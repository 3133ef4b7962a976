package bolt

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unicode/utf8"

	"serverless-scim/internal/table"
)

// row is a stored item as it stands in the file, where all of it has been found right but nothing was copied: it is
// there until the transaction of the file ends. The zero row is that of no item.
type row struct {
	b          []byte
	attributes []attribute // in the order of their names
	size       int         // table.Size of the item
}

// attribute is where in a row an attribute stands: its name, which ends where the value begins with its type; and what
// it adds to the size.
type attribute struct{ name, value, end, size int }

func (r *row) absent() bool { return r.b == nil }

// read takes a row in place of the one before.
func (r *row) read(b []byte) error {
	r.b, r.attributes, r.size = b, r.attributes[:0], 0
	in := reader{b: b}
	if in.byte() != version {
		return errDamaged
	}
	n := in.count()
	r.attributes = slices.Grow(r.attributes, min(n, 64))
	for last := []byte(nil); n > 0 && !in.damaged; n-- {
		name := in.text()
		at := len(b) - len(in.b)
		in.damaged = in.damaged || bytes.Compare(name, last) <= 0
		size := len(name) + in.value()
		r.attributes = append(r.attributes, attribute{at - len(name), at, len(b) - len(in.b), size})
		r.size, last = r.size+size, name
	}
	if in.damaged || len(in.b) > 0 {
		return errDamaged
	}
	return nil
}

// with is the row in which the attributes of an item are in the place of those with their names and with some others.
func (r *row) with(it table.Item, others []string) (b []byte, size int) {
	left := slices.DeleteFunc(slices.Clone(r.attributes), func(a attribute) bool {
		name := r.b[a.name:a.value]
		_, changed := it[string(name)]
		return changed || slices.ContainsFunc(others, func(s string) bool { return s == string(name) })
	})
	b = binary.AppendUvarint(append(make([]byte, 0, len(r.b)+room(it)), version), uint64(len(left)+len(it)))
	for _, name := range names(it) {
		for len(left) > 0 && string(r.b[left[0].name:left[0].value]) < name {
			b, size, left = r.append(b, left[0]), size+left[0].size, left[1:]
		}
		b = appendValue(appendText(b, name), it[name])
	}
	for _, a := range left {
		b, size = r.append(b, a), size+a.size
	}
	return b, size + table.Size(it)
}

func (r *row) append(b []byte, a attribute) []byte {
	b = binary.AppendUvarint(b, uint64(a.value-a.name))
	return append(b, r.b[a.name:a.end]...)
}

// reader takes values off the front; after the first damage what it returns means nothing.
type reader struct {
	b       []byte
	damaged bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.damaged, r.b = true, nil
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// count is a length or a number of things, each of which takes a byte at least.
func (r *reader) count() int {
	u, n := binary.Uvarint(r.b)
	if n <= 0 || n > 1 && r.b[n-1] == 0 || u > uint64(len(r.b)) {
		r.damaged, n, u = true, 0, 0
	}
	r.take(n)
	return int(u)
}

func (r *reader) text() []byte {
	s := r.take(r.count())
	r.damaged = r.damaged || !utf8.Valid(s)
	return s
}

// value takes a value with its type, and tells its size.
func (r *reader) value() int {
	switch r.byte() {
	case typeS:
		return len(r.text())
	case typeN:
		i, n := binary.Varint(r.b)
		r.damaged = r.damaged || n <= 0 || n > 1 && r.b[n-1] == 0
		r.take(max(n, 0))
		return table.SizeOfInt(i)
	case typeSS:
		return r.set()
	case typeFalse, typeTrue:
		return 1
	default:
		r.damaged = true
		return 0
	}
}

func (r *reader) set() (size int) {
	n := r.count()
	r.damaged = r.damaged || n == 0
	for last := []byte(nil); n > 0 && !r.damaged; n-- {
		s := r.text()
		r.damaged = r.damaged || bytes.Compare(s, last) <= 0
		size, last = size+len(s), s
	}
	return size
}
