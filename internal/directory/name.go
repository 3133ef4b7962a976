package directory

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// bearing is by what a resource is found: its folded name, and the keys of its lookup items.
type bearing struct {
	name    string
	lookups map[table.Key]bool
}

func (d *Directory) bearing(rt *scim.ResourceType, id string, o scim.Object) (bearing, error) {
	s, _ := o[rt.Storage.Name].(string)
	b := bearing{name: scim.Fold(s), lookups: map[table.Key]bool{{PK: d.keys.all(rt), SK: id}: true}}
	if b.name == "" {
		return b, scim.BadRequest(scim.InvalidValue, "The attribute %s is required. Send a value that is not empty.", rt.Storage.Name)
	}
	if len(b.name) > maxName {
		return b, scim.BadRequest(scim.InvalidValue, "The %s is longer than %d bytes. Shorten it.", rt.Storage.Name, maxName)
	}
	for _, attribute := range rt.Storage.Lookups {
		values := lookupValues(rt, attribute, o)
		if len(values) > maxLookups {
			return b, scim.BadRequest(scim.InvalidValue, "There are more than %d values of %s. Send fewer.", maxLookups, attribute)
		}
		for _, v := range values {
			b.lookups[table.Key{PK: d.keys.lookup(rt, attribute, v), SK: id}] = true
		}
	}
	return b, nil
}

// lookupValues is the values, folded unless case counts, under which a resource is found by an attribute.
func lookupValues(rt *scim.ResourceType, attribute string, o scim.Object) []string {
	r, ok := rt.Lookup(attribute)
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

// bear adds to a transaction what moves a resource from where it was found (nowhere, when it is created) to where it
// is found now (nowhere, when it is deleted).
func (d *Directory) bear(t *transaction, rt *scim.ResourceType, id string, from, to *bearing) {
	var old, now bearing
	if from != nil {
		old = *from
	}
	if to != nil {
		now = *to
	}
	renamed := from == nil || to == nil || old.name != now.name
	if from != nil && renamed {
		t.add(table.Delete{Key: d.keys.name(rt, old.name), If: []table.Condition{table.Equals("id", table.S(id))}}, lost)
	}
	if to != nil && renamed {
		t.add(table.Put{
			Item: marshal(name{Key: d.keys.name(rt, now.name), ID: id}),
			If:   []table.Condition{table.Absent()},
		}, taken(rt, id))
	}
	for _, k := range inOrder(old.lookups) {
		if !now.lookups[k] {
			t.add(table.Delete{Key: k}, lost)
		}
	}
	for _, k := range inOrder(now.lookups) {
		if !old.lookups[k] {
			t.add(table.Put{Item: marshal(k)}, lost)
		}
	}
}

func inOrder(set map[table.Key]bool) []table.Key {
	return slices.SortedFunc(maps.Keys(set), func(a, b table.Key) int {
		return cmp.Or(strings.Compare(a.PK, b.PK), strings.Compare(a.SK, b.SK))
	})
}

// taken is what it means that a name item could not be put.
func taken(rt *scim.ResourceType, id string) reason {
	return func(stood table.Item) error {
		if n := (name{}); stood == nil || unmarshal(stood, &n) != nil || n.ID == id {
			return errLost
		}
		return &scim.Error{Status: 409, Type: scim.Uniqueness,
			Detail: "There is a " + rt.Name + " with this " + rt.Storage.Name + " already. Choose another, or find it with a filter."}
	}
}
