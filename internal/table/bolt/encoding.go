package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/table"
)

// encodingVersion is the first byte of an encoded item. The number of attributes follows, then each attribute, sorted
// by name: its name, type, and value. A string begins with its length and a set with its number of elements. All
// numbers are varints. Every item has exactly one encoding, and encodedItem.read rejects any other.
const encodingVersion = 1

const (
	typeS byte = iota + 1
	typeN
	typeSS
	typeFalse
	typeTrue
)

var (
	errCorruptItem = errors.New("bolt: damaged item")
	errWrongKey    = fmt.Errorf("%w: its key in the file is not its own; run fsck", errCorruptItem)
	errWrongOrder  = fmt.Errorf("%w: its key in the file is out of order; run fsck", errCorruptItem)
)

func encode(it table.Item) []byte {
	b := binary.AppendUvarint(append(make([]byte, 0, encodedSizeLimit(it)), encodingVersion), uint64(len(it)))
	for _, name := range sortedNames(it) {
		b = appendValue(appendString(b, name), it[name])
	}
	return b
}

// encodedSizeLimit estimates the size of an encoded item, as the initial capacity of a buffer. Large sets can exceed
// it.
func encodedSizeLimit(it table.Item) int { return table.ItemSize(it) + 16*(len(it)+1) }

// sortedNames returns the attribute names of an item, sorted.
func sortedNames(it table.Item) []string {
	names := make([]string, 0, 16)
	for name := range it {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendValue(b []byte, v types.AttributeValue) []byte {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return appendString(append(b, typeS), v.Value)
	case *types.AttributeValueMemberN:
		return binary.AppendVarint(append(b, typeN), table.IntValue(v))
	case *types.AttributeValueMemberSS:
		b = binary.AppendUvarint(append(b, typeSS), uint64(len(v.Value)))
		elements := v.Value
		if !slices.IsSorted(elements) {
			elements = slices.Sorted(slices.Values(elements))
		}
		for _, s := range elements {
			b = appendString(b, s)
		}
		return b
	case *types.AttributeValueMemberBOOL:
		if v.Value {
			return append(b, typeTrue)
		}
	}
	return append(b, typeFalse) // table.ValidateWrites has rejected all other types
}
