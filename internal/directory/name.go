package directory

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// IndexEntries is by what a resource is found: its folded name, and the keys of its lookup items.
type IndexEntries struct {
	name      string
	indexKeys map[table.Key]bool
}

func (d *Store) NewIndexEntries(rt *scim.ResourceType, id string, o scim.Object) (IndexEntries, error) {
	s, _ := o[rt.Storage.NameAttribute].(string)
	b := IndexEntries{name: scim.Fold(s), indexKeys: map[table.Key]bool{{PK: d.keys.AllPartition(rt), SK: id}: true}}
	if b.name == "" {
		return b, scim.BadRequest(scim.InvalidValue, "The attribute %s is required. Send a value that is not empty.", rt.Storage.NameAttribute)
	}
	if len(b.name) > MaxNameBytes {
		return b, scim.BadRequest(scim.InvalidValue, "The %s is longer than %d bytes. Shorten it.", rt.Storage.NameAttribute, MaxNameBytes)
	}
	for _, attribute := range rt.Storage.IndexedAttributes {
		values := indexedValues(rt, attribute, o)
		if len(values) > maxIndexedValues {
			return b, scim.BadRequest(scim.InvalidValue, "There are more than %d values of %s. Send fewer.", maxIndexedValues, attribute)
		}
		for _, v := range values {
			b.indexKeys[table.Key{PK: d.keys.IndexPartition(rt, attribute, v), SK: id}] = true
		}
	}
	return b, nil
}

// indexedValues is the values, folded unless case counts, under which a resource is found by an attribute.
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

// WriteIndex adds to a transaction what moves a resource from where it was found (nowhere, when it is created) to where it
// is found now (nowhere, when it is deleted).
func (d *Store) WriteIndex(t *Transaction, rt *scim.ResourceType, id string, from, to *IndexEntries) {
	var old, now IndexEntries
	if from != nil {
		old = *from
	}
	if to != nil {
		now = *to
	}
	renamed := from == nil || to == nil || old.name != now.name
	if from != nil && renamed {
		t.add(table.Delete{Key: d.keys.Name(rt, old.name), If: []table.Condition{table.Equals("id", table.S(id))}}, ConflictHandler)
	}
	if to != nil && renamed {
		t.add(table.Put{
			Item: MarshalItem(NameItem{Key: d.keys.Name(rt, now.name), ResourceID: id}),
			If:   []table.Condition{table.NotExists()},
		}, nameTakenHandler(rt, id))
	}
	for _, k := range SortedKeys(old.indexKeys) {
		if !now.indexKeys[k] {
			t.add(table.Delete{Key: k}, ConflictHandler)
		}
	}
	for _, k := range SortedKeys(now.indexKeys) {
		if !old.indexKeys[k] {
			t.add(table.Put{Item: MarshalItem(k)}, ConflictHandler)
		}
	}
}

func SortedKeys(set map[table.Key]bool) []table.Key {
	return slices.SortedFunc(maps.Keys(set), func(a, b table.Key) int {
		return cmp.Or(strings.Compare(a.PK, b.PK), strings.Compare(a.SK, b.SK))
	})
}

// nameTakenHandler is what it means that a name item could not be put.
func nameTakenHandler(rt *scim.ResourceType, id string) FailureHandler {
	return func(stood table.Item) error {
		if n := (NameItem{}); stood == nil || UnmarshalItem(stood, &n) != nil || n.ResourceID == id {
			return table.ErrConflict
		}
		return &scim.Error{Status: 409, Type: scim.Uniqueness,
			Detail: "There is a " + rt.Name + " with this " + rt.Storage.NameAttribute + " already. Choose another, or find it with a filter."}
	}
}
