package table

import (
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Write is one action of a transaction: Put, Update, Delete or Check.
type Write interface {
	Target() Key
	Conditions() []Condition
	write()
}

type (
	// Put writes a whole item in place of what is there.
	Put struct {
		Item Item
		If   []Condition
	}

	// Update changes some attributes of an item, and creates the item where there is none, as UpdateItem does.
	Update struct {
		Key    Key
		Set    Item     // attributes to set
		Add    Item     // numbers to add (to 0 where absent), and elements to add to string sets
		Delete Item     // elements to take from string sets; a set that becomes empty is removed
		Remove []string // attributes to remove
		If     []Condition
	}

	// Delete removes an item; without a condition also one that is not there.
	Delete struct {
		Key Key
		If  []Condition
	}

	// ConditionCheck changes nothing, but lets the transaction depend on an item.
	ConditionCheck struct {
		Key Key
		If  []Condition
	}
)

func (w Put) Target() Key            { return w.Item.Key() }
func (w Update) Target() Key         { return w.Key }
func (w Delete) Target() Key         { return w.Key }
func (w ConditionCheck) Target() Key { return w.Key }

func (w Put) Conditions() []Condition            { return w.If }
func (w Update) Conditions() []Condition         { return w.If }
func (w Delete) Conditions() []Condition         { return w.If }
func (w ConditionCheck) Conditions() []Condition { return w.If }

func (Put) write()            {}
func (Update) write()         {}
func (Delete) write()         {}
func (ConditionCheck) write() {}

func (w Update) applyUnchecked(old Item) Item {
	it := make(Item, 2+len(old)+len(w.Set)+len(w.Add))
	it["PK"], it["SK"] = S(w.Key.PK), S(w.Key.SK)
	for name, v := range old {
		it[name] = v
	}
	for name, v := range w.Set {
		it[name] = v
	}
	for name, v := range w.Add {
		it[name] = addValue(it[name], v)
	}
	for name, v := range w.Delete {
		if left := removeElements(it[name], v); left == nil {
			delete(it, name)
		} else {
			it[name] = left
		}
	}
	for _, name := range w.Remove {
		delete(it, name)
	}
	return it
}

func addValue(old, more types.AttributeValue) types.AttributeValue {
	if set, ok := more.(*types.AttributeValueMemberSS); ok {
		return SS(append(StringSetValue(old), set.Value...)...)
	}
	return N(IntValue(old) + IntValue(more))
}

func removeElements(old, less types.AttributeValue) types.AttributeValue {
	gone := StringSetValue(less)
	left := slices.DeleteFunc(StringSetValue(old), func(s string) bool { return slices.Contains(gone, s) })
	if len(left) == 0 {
		return nil
	}
	return SS(left...)
}

// S is a string attribute.
func S(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// N is an integer attribute.
func N(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// BOOL is a boolean attribute.
func BOOL(b bool) types.AttributeValue { return &types.AttributeValueMemberBOOL{Value: b} }

// SS is a string set, sorted and without duplicates; DynamoDB has no empty ones.
func SS(elements ...string) types.AttributeValue {
	sorted := slices.Clone(elements)
	slices.Sort(sorted)
	return &types.AttributeValueMemberSS{Value: slices.Compact(sorted)}
}

// StringValue is the value of a string attribute, empty where it is absent.
func StringValue(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

// IntValue is the value of an integer attribute, 0 where it is absent.
func IntValue(v types.AttributeValue) int64 {
	if n, ok := v.(*types.AttributeValueMemberN); ok {
		i, _ := strconv.ParseInt(n.Value, 10, 64)
		return i
	}
	return 0
}

// StringSetValue is a copy of the elements of a string set, none where it is absent.
func StringSetValue(v types.AttributeValue) []string {
	if s, ok := v.(*types.AttributeValueMemberSS); ok {
		return slices.Clone(s.Value)
	}
	return nil
}
