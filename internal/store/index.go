package store

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// IndexEntries holds the case-folded name of a resource and the keys of its index items.
type IndexEntries struct {
	Name    string
	Keys    map[table.Key]bool
	Partial bool // an attribute with too many values has no index items
}

// NewIndexEntries returns the index entries of a resource. It returns a *scim.Error if the resource has no name.
func (s *Store) NewIndexEntries(rt *scim.ResourceType, id string, o scim.Object) (IndexEntries, error) {
	name, _ := o[rt.Storage.NameAttribute].(string)
	e := IndexEntries{Name: scim.Fold(name), Keys: map[table.Key]bool{{PK: s.Keys.AllPartition(rt), SK: id}: true}}
	if e.Name == "" {
		return e, scim.RequiredError(rt.Storage.NameAttribute)
	}
	for _, attribute := range rt.Storage.IndexedAttributes {
		values := indexedValues(rt, attribute, o)
		if len(values) > maxIndexedValues { // stored before the attribute became indexed: its backfill cannot complete
			e.Partial = true
			continue
		}
		for _, v := range values {
			e.Keys[table.Key{PK: s.Keys.IndexPartition(rt, attribute, v), SK: id}] = true
		}
	}
	return e, nil
}

// SameIndexEntries reports whether two versions of a resource have the same index entries. It may return false if they do.
func SameIndexEntries(rt *scim.ResourceType, old, updated scim.Object) bool {
	if name := updated[rt.Storage.NameAttribute]; name == nil || name != old[rt.Storage.NameAttribute] {
		return false
	}
	for _, attribute := range rt.Storage.IndexedAttributes {
		if r, ok := rt.IndexedAttribute(attribute); ok && !scim.Equal(old[r.Attr.Name], updated[r.Attr.Name]) {
			return false
		}
	}
	return true
}

// CheckIndexLimits returns a *scim.Error if the name of the updated resource is too long, or if an indexed attribute has too
// many values. Values that are stored already may exceed the limit, because an attribute can become indexed later. old is
// nil for a create.
func CheckIndexLimits(rt *scim.ResourceType, old, updated scim.Object) error {
	name, _ := updated[rt.Storage.NameAttribute].(string)
	if len(scim.Fold(name)) > MaxNameBytes {
		return scim.BadRequest(scim.InvalidValue, "The %s is longer than %d bytes. Shorten it.", rt.Storage.NameAttribute, MaxNameBytes)
	}
	for _, attribute := range rt.Storage.IndexedAttributes {
		values := indexedValues(rt, attribute, updated)
		if len(values) > maxIndexedValues && !slices.Equal(values, indexedValues(rt, attribute, old)) {
			return scim.BadRequest(scim.InvalidValue, "There are more than %d values of %s. Send fewer.", maxIndexedValues, attribute)
		}
	}
	return nil
}

// indexedValues returns the values of an indexed attribute, sorted and case-folded unless the attribute is case-exact.
func indexedValues(rt *scim.ResourceType, attribute string, o scim.Object) []string {
	r, ok := rt.IndexedAttribute(attribute)
	if !ok {
		return nil
	}
	var values []string
	for _, v := range r.Values(o) {
		if s, ok := v.(string); ok {
			values = append(values, r.Leaf().Fold(s))
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// WriteIndex adds the writes that replace the index entries of a resource. old is nil for a create, and updated is nil
// for a delete.
func (s *Store) WriteIndex(t *Transaction, rt *scim.ResourceType, id string, old, updated *IndexEntries) {
	var from, to IndexEntries
	if old != nil {
		from = *old
	}
	if updated != nil {
		to = *updated
	}
	if old != nil && from.Name != to.Name {
		t.Add(table.Delete{Key: s.Keys.Name(rt, from.Name), If: []table.Condition{table.Equals("id", table.S(id))}}, ConflictHandler)
	}
	if updated != nil && from.Name != to.Name {
		t.Add(table.Put{
			Item: MarshalItem(NameItem{Key: s.Keys.Name(rt, to.Name), ResourceID: id}),
			If:   []table.Condition{table.NotExists()},
		}, nameTakenHandler(rt, id))
	}
	for _, k := range from.SortedKeys() {
		if !to.Keys[k] {
			t.Add(table.Delete{Key: k}, ConflictHandler)
		}
	}
	for _, k := range to.SortedKeys() {
		if !from.Keys[k] {
			t.Add(table.Put{Item: MarshalItem(k)}, ConflictHandler)
		}
	}
}

// SortedKeys returns the keys of the index items in order.
func (e IndexEntries) SortedKeys() []table.Key {
	return slices.SortedFunc(maps.Keys(e.Keys), func(a, b table.Key) int {
		return cmp.Or(strings.Compare(a.PK, b.PK), strings.Compare(a.SK, b.SK))
	})
}

// nameTakenHandler returns the handler for a name item that already exists. The handler returns a 409 error if the item
// belongs to another resource, and table.ErrConflict otherwise.
func nameTakenHandler(rt *scim.ResourceType, id string) FailureHandler {
	return func(existing table.Item) error {
		if n := (NameItem{}); existing == nil || UnmarshalItem(existing, &n) != nil || n.ResourceID == id {
			return table.ErrConflict
		}
		return &scim.Error{Status: 409, Type: scim.Uniqueness,
			Detail: "There is a " + rt.Name + " with this " + rt.Storage.NameAttribute + " already. Choose another, or find it with a filter."}
	}
}
