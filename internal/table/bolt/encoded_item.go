package bolt

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unicode/utf8"

	"serverless-scim/internal/table"
)

// An encodedItem is a stored item whose encoding has been checked. It refers to the memory of the file and is valid
// until the transaction of the file ends. The zero encodedItem is an item that does not exist.
type encodedItem struct {
	b          []byte
	attributes []attribute // sorted by name
	size       int         // table.ItemSize of the item
}

// An attribute holds the offsets of an attribute in an encoded item. The name is b[name:value]. The value is
// b[value:end] and begins with its type. size is the number of bytes that DynamoDB counts for both.
type attribute struct{ name, value, end, size int }

func (r *encodedItem) absent() bool { return r.b == nil }

// read checks the encoding b and makes r refer to it.
func (r *encodedItem) read(b []byte) error {
	r.b, r.attributes, r.size = b, r.attributes[:0], 0
	in := itemReader{b: b}
	if in.byte() != encodingVersion {
		return errCorruptItem
	}
	n := in.length()
	r.attributes = slices.Grow(r.attributes, min(n, 64))
	for last := []byte(nil); n > 0 && !in.corrupt; n-- {
		name := in.string()
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

// readAt checks the encoding b of an item at a bucket key, and makes r refer to it. A damaged key is found only here: the
// file has no checksums of its pages.
func (r *encodedItem) readAt(key, b []byte) error {
	if err := r.read(b); err != nil {
		return err
	}
	if !isBucketKey(key, r.stringValue("PK"), r.stringValue("SK")) {
		return errWrongKey
	}
	return nil
}

// stringValue returns the value of a string attribute, or nil if the item has none with this name.
func (r *encodedItem) stringValue(name string) []byte {
	for _, a := range r.attributes {
		if string(r.b[a.name:a.value]) == name && r.b[a.value] == typeS {
			_, n := binary.Uvarint(r.b[a.value+1 : a.end])
			return r.b[a.value+1+n : a.end]
		}
	}
	return nil
}

// merge returns the encoding and the size of an item with the attributes of it, and with those of r that neither it
// contains nor the update removes.
func (r *encodedItem) merge(it table.Item, u table.Update) (b []byte, size int) {
	kept := slices.DeleteFunc(slices.Clone(r.attributes), func(a attribute) bool {
		name := r.b[a.name:a.value]
		_, changed := it[string(name)]
		_, emptied := u.Delete[string(name)]
		return changed || emptied || slices.ContainsFunc(u.Remove, func(s string) bool { return s == string(name) })
	})
	b = append(make([]byte, 0, len(r.b)+encodedSizeLimit(it)), encodingVersion)
	b = binary.AppendUvarint(b, uint64(len(kept)+len(it)))
	for _, name := range sortedNames(it) {
		for len(kept) > 0 && string(r.b[kept[0].name:kept[0].value]) < name {
			b, size, kept = r.appendAttribute(b, kept[0]), size+kept[0].size, kept[1:]
		}
		b = appendValue(appendString(b, name), it[name])
	}
	for _, a := range kept {
		b, size = r.appendAttribute(b, a), size+a.size
	}
	return b, size + table.ItemSize(it)
}

func (r *encodedItem) appendAttribute(b []byte, a attribute) []byte {
	b = binary.AppendUvarint(b, uint64(a.value-a.name))
	return append(b, r.b[a.name:a.end]...)
}

// An itemReader decodes b from its front. Once corrupt is set, its results have no meaning.
type itemReader struct {
	b       []byte
	corrupt bool
}

func (r *itemReader) bytes(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.corrupt, r.b = true, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *itemReader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// length reads a length or a count. The counted elements have at least one byte each, so a length cannot exceed the
// number of remaining bytes.
func (r *itemReader) length() int {
	u, n := binary.Uvarint(r.b)
	if n <= 0 || n > 1 && r.b[n-1] == 0 || u > uint64(len(r.b)) {
		r.corrupt, n, u = true, 0, 0
	}
	r.bytes(n)
	return int(u)
}

func (r *itemReader) string() []byte {
	s := r.bytes(r.length())
	r.corrupt = r.corrupt || !utf8.Valid(s)
	return s
}

// value reads a type and a value, and returns the size of the value as table.ItemSize counts it.
func (r *itemReader) value() int {
	switch r.byte() {
	case typeS:
		return len(r.string())
	case typeN:
		i, n := binary.Varint(r.b)
		r.corrupt = r.corrupt || n <= 0 || n > 1 && r.b[n-1] == 0
		r.bytes(max(n, 0))
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
		s := r.string()
		r.corrupt = r.corrupt || bytes.Compare(s, last) <= 0
		size, last = size+len(s), s
	}
	return size
}
