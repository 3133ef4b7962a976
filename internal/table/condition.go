package table

import (
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Condition is what must be true of an item for its write, and so for the whole transaction, to happen. All the
// conditions of one write must hold.
type Condition struct {
	Op        ConditionOp
	Attribute string
	Value     types.AttributeValue // of IsEqual
	Size      int                  // of IsBelow
}

// ConditionOp says what a Condition asks.
type ConditionOp int

const (
	OpItemExists         ConditionOp = iota // there is an item
	OpItemNotExists                         // there is none
	OpAttributeNotExists                    // the attribute is absent (also where the item is)
	OpEquals                                // the attribute is there and has the value
	OpSetSizeBelow                          // the attribute is absent, or a string set of fewer than Size elements
)

// Exists asks for an item.
func Exists() Condition { return Condition{Op: OpItemExists} }

// NotExists asks that there be no item.
func NotExists() Condition { return Condition{Op: OpItemNotExists} }

// AttributeNotExists asks that an attribute be absent.
func AttributeNotExists(attribute string) Condition {
	return Condition{Op: OpAttributeNotExists, Attribute: attribute}
}

// Equals asks that an attribute be there and have a value.
func Equals(attribute string, v types.AttributeValue) Condition {
	return Condition{Op: OpEquals, Attribute: attribute, Value: v}
}

// SetSizeBelow asks that a string set be absent or have fewer than n elements. It is false of any other type.
func SetSizeBelow(attribute string, n int) Condition {
	return Condition{Op: OpSetSizeBelow, Attribute: attribute, Size: n}
}

// Holds tells whether the condition is true of an item (nil: there is none).
func (c Condition) Holds(it Item) bool {
	v, there := it[c.Attribute]
	switch c.Op {
	case OpItemExists:
		return it != nil
	case OpItemNotExists:
		return it == nil
	case OpAttributeNotExists:
		return !there
	case OpEquals:
		return there && equal(v, c.Value)
	default:
		return !there || kind(v) == "SS" && len(StringSetValue(v)) < c.Size
	}
}

// equal compares sets without regard to their order.
func equal(a, b types.AttributeValue) bool {
	if kind(a) == "SS" && kind(b) == "SS" {
		return slices.Equal(slices.Sorted(slices.Values(StringSetValue(a))), slices.Sorted(slices.Values(StringSetValue(b))))
	}
	return reflect.DeepEqual(a, b)
}
