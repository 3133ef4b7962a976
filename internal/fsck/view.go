package fsck

import (
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// A check evaluates one rule about the item with a key. It depends only on items that it reads from the view.
type check struct {
	key      table.Key
	evaluate func(*itemView) checkResult
}

// An itemView holds items that were read, and the keys of items that were found missing. A check reads items only from
// its view. If a check needs an item that was not read, the view records the key in unread and presents the item as
// missing. The result of that check is then invalid.
type itemView struct {
	items     map[table.Key]table.Item // nil: missing, or not read yet if the key is in unread
	unread    []table.Key
	resources map[table.Key]*resourceView // decoded head items
}

func newItemView(items []table.Item) *itemView {
	v := &itemView{items: map[table.Key]table.Item{}, resources: map[table.Key]*resourceView{}}
	for _, it := range items {
		v.items[it.Key()] = it
	}
	return v
}

// item returns an item, or nil if it is missing or was not read.
func (v *itemView) item(k table.Key) table.Item {
	it, read := v.items[k]
	if !read {
		v.items[k], v.unread = nil, append(v.unread, k)
	}
	return it
}

// evaluate returns the finding of a check. There is none if the checked item is missing.
func (v *itemView) evaluate(c check) checkResult {
	if v.item(c.key) == nil {
		return checkResult{}
	}
	return c.evaluate(v)
}

// maxReadItems is the number of items that one call reads for the checks of a table page.
const maxReadItems = 1000

// collectKeys returns the keys of the unread items on which the first n checks depend. It takes as many checks as one
// call should read items for.
func (v *itemView) collectKeys(checks []check) (n int, keys []table.Key) {
	for ; n < len(checks) && len(v.unread) < maxReadItems; n++ {
		v.evaluate(checks[n])
	}
	keys, v.unread = v.unread, nil
	return n, keys
}

// passes reports whether a check has no finding and depends on no unread item.
func (v *itemView) passes(c check) bool {
	f := v.evaluate(c)
	if len(v.unread) == 0 {
		return f.problem == ""
	}
	for _, k := range v.unread {
		delete(v.items, k)
		delete(v.resources, k)
	}
	v.unread = nil
	return false
}

// load adds the items that a read of keys returned.
func (v *itemView) load(keys []table.Key, items []table.Item) {
	v.unload(keys)
	for _, k := range keys {
		v.items[k] = nil
	}
	for _, it := range items {
		v.items[it.Key()] = it
	}
}

// unload removes items, and all decoded head items.
func (v *itemView) unload(keys []table.Key) {
	for _, k := range keys {
		delete(v.items, k)
	}
	clear(v.resources)
}

// unchangedCheck returns the action that fails if an item is not as it was read.
func (v *itemView) unchangedCheck(k table.Key, attributes ...string) table.ConditionCheck {
	return table.ConditionCheck{Key: k, If: unchangedConditions(v.item(k), attributes...)}
}

// unchangedConditions returns the conditions that an item still exists and has the same values of these attributes, or
// that it is still missing if it is nil.
func unchangedConditions(it table.Item, attributes ...string) []table.Condition {
	if it == nil {
		return []table.Condition{table.NotExists()}
	}
	conditions := []table.Condition{table.Exists()}
	for _, name := range attributes {
		if v, ok := it[name]; ok {
			conditions = append(conditions, table.Equals(name, v))
		} else {
			conditions = append(conditions, table.AttributeNotExists(name))
		}
	}
	return conditions
}

// A resourceView is a decoded head item. It is empty if the head item is missing or corrupt.
type resourceView struct {
	head   store.HeadItem
	index  store.IndexEntries
	exists bool  // the head item exists
	err    error // why the head item or its document is corrupt
}

// isVisible reports whether readers see the resource.
func (r *resourceView) isVisible() bool { return r.exists && r.err == nil && !r.head.Deleting }

// resource returns the resource with an ID, of the tenant and type of ref.
func (v *itemView) resource(ref itemRef, id string) *resourceView {
	k := ref.store.Keys.Head(ref.rt, id)
	r := v.resources[k]
	if it := v.item(k); r == nil {
		r = ref.newResourceView(id, it)
		v.resources[k] = r
	}
	return r
}

func (ref itemRef) newResourceView(id string, it table.Item) *resourceView {
	r := &resourceView{exists: it != nil}
	if !r.exists {
		return r
	}
	if r.err = store.UnmarshalItem(it, &r.head); r.err != nil {
		return &resourceView{exists: true, err: r.err}
	}
	o, err := store.DecodeDocument(r.head.Document)
	if r.err = err; err == nil {
		r.index, r.err = ref.store.NewIndexEntries(ref.rt, id, o)
	}
	return r
}

// headUnchanged returns the action that fails if the head item of a resource of the same type has changed.
func (ref itemRef) headUnchanged(v *itemView, id string) table.ConditionCheck {
	return v.unchangedCheck(ref.store.Keys.Head(ref.rt, id), "ver")
}
