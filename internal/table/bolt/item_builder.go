package bolt

import (
	"encoding/binary"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/table"
)

// item returns the decoded item with these attributes, or with all if attributes is nil. It returns nil if the item
// does not exist. The result shares no memory with the file.
func (r *encodedItem) item(attributes []string) table.Item {
	if r.absent() {
		return nil
	}
	builder := itemBuilder{encodedItem: r, maxAttributes: len(r.attributes)}
	if attributes == nil {
		builder.all = string(r.b)
	} else {
		builder.maxAttributes = min(len(r.attributes), len(attributes))
	}
	it := make(table.Item, builder.maxAttributes)
	for _, a := range r.attributes {
		if name, selected := builder.selectName(a, attributes); selected {
			it[name] = builder.buildValue(a)
		}
	}
	return it
}

// An itemBuilder decodes an item with few allocations: one for all string values, one for all number values, and, if
// all attributes are selected, one for all text.
type itemBuilder struct {
	*encodedItem
	all           string // copy of the encoded item if all attributes are selected, otherwise empty
	maxAttributes int
	strings       []types.AttributeValueMemberS
	numbers       []types.AttributeValueMemberN
}

// selectName returns the name of an attribute, and whether attributes selects it; nil selects all.
func (m *itemBuilder) selectName(a attribute, attributes []string) (string, bool) {
	if attributes == nil {
		return m.all[a.name:a.value], true
	}
	for _, name := range attributes {
		if name == string(m.b[a.name:a.value]) {
			return name, true
		}
	}
	return "", false
}

func (m *itemBuilder) substring(from, to int) string {
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
		if m.strings == nil {
			m.strings = make([]types.AttributeValueMemberS, 0, m.maxAttributes)
		}
		m.strings = append(m.strings, types.AttributeValueMemberS{Value: m.substring(a.value+1+n, a.end)})
		return &m.strings[len(m.strings)-1]
	case typeN:
		i, _ := binary.Varint(b)
		if m.numbers == nil {
			m.numbers = make([]types.AttributeValueMemberN, 0, m.maxAttributes)
		}
		m.numbers = append(m.numbers, types.AttributeValueMemberN{Value: strconv.FormatInt(i, 10)})
		return &m.numbers[len(m.numbers)-1]
	case typeSS:
		return m.buildSet(a)
	}
	return table.BOOL(m.b[a.value] == typeTrue)
}

func (m *itemBuilder) buildSet(a attribute) types.AttributeValue {
	n, at := binary.Uvarint(m.b[a.value+1 : a.end])
	at += a.value + 1
	set := &types.AttributeValueMemberSS{Value: make([]string, n)}
	for i := range set.Value {
		length, n := binary.Uvarint(m.b[at:a.end])
		from := at + n
		at = from + int(length)
		set.Value[i] = m.substring(from, at)
	}
	return set
}
