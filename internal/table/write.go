package table

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// A Write is one action of a transaction: a Put, Update, Delete, or ConditionCheck.
type Write interface {
	Target() Key             // the key of the item
	Conditions() []Condition // what must hold for the current item
	write()
}

type (
	// Put writes a whole item and replaces an existing one.
	Put struct {
		Item Item
		If   []Condition
	}

	// Update changes the named attributes of an item. If the item does not exist, Update creates it, as DynamoDB's
	// UpdateItem does. An attribute must not occur twice.
	Update struct {
		Key    Key
		Set    Item     // attributes to set
		Add    Item     // numbers to add to attributes (to 0 if missing), and elements to add to string sets
		Delete Item     // elements to delete from string sets; a set without elements is removed
		Remove []string // attributes to remove
		If     []Condition
	}

	// Delete removes an item. Without conditions, it does nothing if the item does not exist.
	Delete struct {
		Key Key
		If  []Condition
	}

	// ConditionCheck changes nothing. It makes the transaction depend on an item. It needs at least one condition.
	ConditionCheck struct {
		Key Key
		If  []Condition
	}
)

// Target returns the key of the item.
func (w Put) Target() Key { return w.Item.Key() }

// Target returns Key.
func (w Update) Target() Key { return w.Key }

// Target returns Key.
func (w Delete) Target() Key { return w.Key }

// Target returns Key.
func (w ConditionCheck) Target() Key { return w.Key }

// Conditions returns If.
func (w Put) Conditions() []Condition { return w.If }

// Conditions returns If.
func (w Update) Conditions() []Condition { return w.If }

// Conditions returns If.
func (w Delete) Conditions() []Condition { return w.If }

// Conditions returns If.
func (w ConditionCheck) Conditions() []Condition { return w.If }

func (Put) write()            {}
func (Update) write()         {}
func (Delete) write()         {}
func (ConditionCheck) write() {}

// Apply returns the item after the update. It does not change old, which is nil if the item does not exist. The error is
// *InvalidError if an attribute of Add or Delete has another type in old, or if a sum exceeds 64 bits. DynamoDB itself
// allows 38 digits. The error is *TooLargeError if the new item is too large.
func (w Update) Apply(old Item) (Item, error) {
	for _, part := range []Item{w.Add, w.Delete} {
		for name, v := range part {
			existing := old[name]
			if existing != nil && typeName(existing) != typeName(v) {
				return nil, invalidError("%q has the type %s, not %s", name, typeName(existing), typeName(v))
			}
			if a, b := IntValue(existing), IntValue(v); (a+b > a) != (b > 0) {
				return nil, invalidError("adding %d to %d in %q exceeds 64 bits", b, a, name)
			}
		}
	}
	it := w.applyUnchecked(old)
	if n := ItemSize(it); n > MaxItemBytes {
		return nil, tooLargeError("an item of %d bytes; the limit is %d", n, MaxItemBytes)
	}
	return it, nil
}

// applyUnchecked returns a new item: old (which may be nil) with the changes. It expects the types that Apply checks.
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
		if remaining := removeElements(it[name], v); remaining == nil {
			delete(it, name)
		} else {
			it[name] = remaining
		}
	}
	for _, name := range w.Remove {
		delete(it, name)
	}
	return it
}

func addValue(old, added types.AttributeValue) types.AttributeValue {
	if set, ok := added.(*types.AttributeValueMemberSS); ok {
		var elements []string
		if existing, ok := old.(*types.AttributeValueMemberSS); ok {
			elements = existing.Value
		}
		all := slices.Concat(elements, set.Value)
		slices.Sort(all)
		return &types.AttributeValueMemberSS{Value: slices.Compact(all)}
	}
	return N(IntValue(old) + IntValue(added))
}

// removeElements returns nil if no element remains.
func removeElements(old, removed types.AttributeValue) types.AttributeValue {
	elements := StringSetValue(removed)
	remaining := slices.DeleteFunc(StringSetValue(old), func(s string) bool { return slices.Contains(elements, s) })
	if len(remaining) == 0 {
		return nil
	}
	return SS(remaining...)
}
