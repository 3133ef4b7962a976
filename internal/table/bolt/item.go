package bolt

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/table"
)

// An item is stored as the version, the number of its attributes and then each, in the order of their names: name,
// type, value. Texts have their length before them, sets their number of elements; all numbers are varints. There is
// exactly one encoding of each item, and decode takes no other.
const version = 1

const (
	typeS byte = iota + 1
	typeN
	typeSS
	typeFalse
	typeTrue
)

var errDamaged = errors.New("bolt: a damaged item")

func encode(it table.Item) []byte {
	b := append(make([]byte, 0, 256), version)
	b = binary.AppendUvarint(b, uint64(len(it)))
	for _, name := range slices.Sorted(maps.Keys(it)) {
		b = appendValue(appendText(b, name), it[name])
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendValue(b []byte, v types.AttributeValue) []byte {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return appendText(append(b, typeS), v.Value)
	case *types.AttributeValueMemberN:
		return binary.AppendVarint(append(b, typeN), table.Int(v))
	case *types.AttributeValueMemberSS:
		b = binary.AppendUvarint(append(b, typeSS), uint64(len(v.Value)))
		for _, s := range slices.Sorted(slices.Values(v.Value)) {
			b = appendText(b, s)
		}
		return b
	case *types.AttributeValueMemberBOOL:
		if v.Value {
			return append(b, typeTrue)
		}
	}
	return append(b, typeFalse) // CheckWrites lets no other type come here
}

// decode reads an item; what it returns shares no memory with b.
func decode(b []byte) (table.Item, error) {
	r := &reader{b: b}
	if r.byte() != version {
		return nil, errDamaged
	}
	n := r.count()
	it := make(table.Item, min(n, 64))
	for last := ""; n > 0 && !r.damaged; n-- {
		name := r.text()
		r.damaged = r.damaged || name <= last
		it[name], last = r.value(), name
	}
	if r.damaged || len(r.b) > 0 {
		return nil, errDamaged
	}
	return it, nil
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

func (r *reader) text() string {
	s := string(r.take(r.count()))
	r.damaged = r.damaged || !utf8.ValidString(s)
	return s
}

func (r *reader) value() types.AttributeValue {
	switch r.byte() {
	case typeS:
		return table.S(r.text())
	case typeN:
		i, n := binary.Varint(r.b)
		r.damaged = r.damaged || n <= 0 || n > 1 && r.b[n-1] == 0
		r.take(max(n, 0))
		return table.N(i)
	case typeSS:
		return r.set()
	case typeFalse:
		return &types.AttributeValueMemberBOOL{}
	case typeTrue:
		return &types.AttributeValueMemberBOOL{Value: true}
	default:
		r.damaged = true
		return nil
	}
}

func (r *reader) set() types.AttributeValue {
	n := r.count()
	set := &types.AttributeValueMemberSS{Value: make([]string, 0, n)}
	r.damaged = r.damaged || n == 0
	for last := ""; n > 0 && !r.damaged; n-- {
		s := r.text()
		r.damaged = r.damaged || s <= last
		set.Value, last = append(set.Value, s), s
	}
	return set
}
