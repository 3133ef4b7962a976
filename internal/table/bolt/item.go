package bolt

import (
	"encoding/binary"
	"errors"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/table"
)

// An item is stored as the version, the number of its attributes and then each, in the order of their names: name,
// type, value. Texts have their length before them, sets their number of elements; all numbers are varints. There is
// exactly one encoding of each item, and row.read takes no other.
const encodingVersion = 1

const (
	typeS byte = iota + 1
	typeN
	typeSS
	typeFalse
	typeTrue
)

var errCorruptItem = errors.New("bolt: a damaged item")

func encode(it table.Item) []byte {
	b := binary.AppendUvarint(append(make([]byte, 0, encodedSizeLimit(it)), encodingVersion), uint64(len(it)))
	for _, name := range sortedNames(it) {
		b = appendValue(appendText(b, name), it[name])
	}
	return b
}

// encodedSizeLimit is how many bytes an item takes at most, unless its sets are large.
func encodedSizeLimit(it table.Item) int { return table.ItemSize(it) + 16*(len(it)+1) }

// sortedNames is the names of an item in their order.
func sortedNames(it table.Item) []string {
	all := make([]string, 0, 16)
	for name := range it {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendValue(b []byte, v types.AttributeValue) []byte {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return appendText(append(b, typeS), v.Value)
	case *types.AttributeValueMemberN:
		return binary.AppendVarint(append(b, typeN), table.IntValue(v))
	case *types.AttributeValueMemberSS:
		b = binary.AppendUvarint(append(b, typeSS), uint64(len(v.Value)))
		elements := v.Value
		if !slices.IsSorted(elements) {
			elements = slices.Sorted(slices.Values(elements))
		}
		for _, s := range elements {
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

// item makes an item of a row, or of some of its attributes. It shares no memory with the row.
func (r *encodedItem) item(attributes []string) table.Item {
	if r.absent() {
		return nil
	}
	m := itemBuilder{encodedItem: r}
	if attributes == nil {
		m.all = string(r.b)
	}
	n := len(r.attributes)
	if attributes != nil {
		n = min(n, len(attributes))
	}
	m.texts, m.numbers = make([]types.AttributeValueMemberS, 0, n), make([]types.AttributeValueMemberN, 0, n)
	it := make(table.Item, n)
	for _, a := range r.attributes {
		if name, wanted := m.selectName(a, attributes); wanted {
			it[name] = m.buildValue(a)
		}
	}
	return it
}

// itemBuilder makes an item with as few pieces of memory as it can: one for all names and texts, if it takes all of them, and
// one for the values that hold texts and one for those that hold numbers.
type itemBuilder struct {
	*encodedItem
	all     string // the row's bytes
	texts   []types.AttributeValueMemberS
	numbers []types.AttributeValueMemberN
}

func (m *itemBuilder) selectName(a attribute, wanted []string) (string, bool) {
	if wanted == nil {
		return m.all[a.name:a.value], true
	}
	for _, name := range wanted {
		if name == string(m.b[a.name:a.value]) {
			return name, true
		}
	}
	return "", false
}

func (m *itemBuilder) text(from, to int) string {
	if m.all != "" {
		return m.all[from:to]
	}
	return string(m.b[from:to])
}

func (m *itemBuilder) buildValue(a attribute) types.AttributeValue {
	b := m.b[a.value+1 : a.end]
	switch m.b[a.value] {
	case typeS:
		_, n := binary.Uvarint(b)
		m.texts = append(m.texts, types.AttributeValueMemberS{Value: m.text(a.value+1+n, a.end)})
		return &m.texts[len(m.texts)-1]
	case typeN:
		i, _ := binary.Varint(b)
		m.numbers = append(m.numbers, types.AttributeValueMemberN{Value: strconv.FormatInt(i, 10)})
		return &m.numbers[len(m.numbers)-1]
	case typeSS:
		return m.set(a)
	}
	return table.BOOL(m.b[a.value] == typeTrue)
}

func (m *itemBuilder) set(a attribute) types.AttributeValue {
	n, at := binary.Uvarint(m.b[a.value+1 : a.end])
	at += a.value + 1
	set := &types.AttributeValueMemberSS{Value: make([]string, n)}
	for i := range set.Value {
		length, n := binary.Uvarint(m.b[at:a.end])
		from := at + n
		at = from + int(length)
		set.Value[i] = m.text(from, at)
	}
	return set
}
