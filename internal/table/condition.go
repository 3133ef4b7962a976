package table

import (
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// A Condition is a requirement on the item of a write. All conditions of all writes must hold, or the transaction
// writes nothing.
type Condition struct {
	Op        ConditionOp
	Attribute string               // not used by OpItemExists and OpItemNotExists
	Value     types.AttributeValue // used by OpEquals
	Size      int                  // used by OpSetSizeBelow
}

// A ConditionOp is the kind of a Condition.
type ConditionOp int

const (
	OpItemExists         ConditionOp = iota // the item exists
	OpItemNotExists                         // the item does not exist
	OpAttributeNotExists                    // the attribute does not exist, perhaps because the item does not
	OpEquals                                // the attribute exists and equals Value
	OpSetSizeBelow                          // the attribute does not exist, or is a set of fewer than Size strings
)

// Exists returns the condition that the item exists.
func Exists() Condition { return Condition{Op: OpItemExists} }

// NotExists returns the condition that the item does not exist.
func NotExists() Condition { return Condition{Op: OpItemNotExists} }

// AttributeNotExists returns the condition that the attribute does not exist.
func AttributeNotExists(attribute string) Condition {
	return Condition{Op: OpAttributeNotExists, Attribute: attribute}
}

// Equals returns the condition that the attribute exists and has this type and value.
func Equals(attribute string, v types.AttributeValue) Condition {
	return Condition{Op: OpEquals, Attribute: attribute, Value: v}
}

// SetSizeBelow returns the condition that the attribute does not exist or is a string set of fewer than n elements. The
// condition fails for an attribute of any other type.
func SetSizeBelow(attribute string, n int) Condition {
	return Condition{Op: OpSetSizeBelow, Attribute: attribute, Size: n}
}

// Holds reports whether the condition holds for an item; nil is an item that does not exist.
func (c Condition) Holds(it Item) bool {
	v, exists := it[c.Attribute]
	switch c.Op {
	case OpItemExists:
		return it != nil
	case OpItemNotExists:
		return it == nil
	case OpAttributeNotExists:
		return !exists
	case OpEquals:
		return exists && equal(v, c.Value)
	default:
		set, isSet := v.(*types.AttributeValueMemberSS)
		return !exists || isSet && len(set.Value) < c.Size
	}
}

// equal compares two values, and sets without regard to their order.
func equal(a, b types.AttributeValue) bool {
	switch a := a.(type) {
	case *types.AttributeValueMemberS:
		b, ok := b.(*types.AttributeValueMemberS)
		return ok && a.Value == b.Value
	case *types.AttributeValueMemberN:
		b, ok := b.(*types.AttributeValueMemberN)
		return ok && a.Value == b.Value
	case *types.AttributeValueMemberSS:
		b, ok := b.(*types.AttributeValueMemberSS)
		return ok && slices.Equal(slices.Sorted(slices.Values(a.Value)), slices.Sorted(slices.Values(b.Value)))
	}
	return reflect.DeepEqual(a, b)
}
