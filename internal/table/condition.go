package table

import (
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Condition is what must be true of an item for its write, and so for the whole transaction, to happen. All the
// conditions of one write must hold.
type Condition struct {
	Test      Test
	Attribute string
	Value     types.AttributeValue // of IsEqual
	Size      int                  // of IsBelow
}

// Test says what a Condition asks.
type Test int

const (
	ItemExists Test = iota // there is an item
	ItemAbsent             // there is none
	IsAbsent               // the attribute is absent (also where the item is)
	IsEqual                // the attribute is there and has the value
	IsBelow                // the attribute is absent, or a string set of fewer than Size elements
)

// Exists asks for an item.
func Exists() Condition { return Condition{Test: ItemExists} }

// Absent asks that there be no item.
func Absent() Condition { return Condition{Test: ItemAbsent} }

// Without asks that an attribute be absent.
func Without(attribute string) Condition { return Condition{Test: IsAbsent, Attribute: attribute} }

// Equals asks that an attribute be there and have a value.
func Equals(attribute string, v types.AttributeValue) Condition {
	return Condition{Test: IsEqual, Attribute: attribute, Value: v}
}

// SizeBelow asks that a string set be absent or have fewer than n elements. It is false of any other type.
func SizeBelow(attribute string, n int) Condition {
	return Condition{Test: IsBelow, Attribute: attribute, Size: n}
}

// Holds tells whether the condition is true of an item (nil: there is none).
func (c Condition) Holds(it Item) bool {
	v, there := it[c.Attribute]
	switch c.Test {
	case ItemExists:
		return it != nil
	case ItemAbsent:
		return it == nil
	case IsAbsent:
		return !there
	case IsEqual:
		return there && equal(v, c.Value)
	default:
		return !there || kind(v) == "SS" && len(Strings(v)) < c.Size
	}
}

// equal compares sets without regard to their order.
func equal(a, b types.AttributeValue) bool {
	if kind(a) == "SS" && kind(b) == "SS" {
		return slices.Equal(slices.Sorted(slices.Values(Strings(a))), slices.Sorted(slices.Values(Strings(b))))
	}
	return reflect.DeepEqual(a, b)
}
