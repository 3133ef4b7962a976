package fsck

import (
	"fmt"

	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// headChecks returns the checks of a head item: its content, its name and index items, its intent markers, and the edge
// item of each group in its groups set.
func (ref itemRef) headChecks(view *itemView) (checks []check) {
	add := func(evaluate func(*itemView) checkResult) { checks = append(checks, check{ref.key, evaluate}) }
	add(ref.checkHead)
	add(ref.checkHasNameItem)
	add(ref.checkPendingIntent)
	add(ref.checkDeleteIntent)
	r := view.resource(ref, ref.id)
	for _, k := range r.index.SortedKeys() {
		if ref.isIncomplete(k) {
			continue
		}
		add(func(v *itemView) checkResult { return ref.checkHasIndexItem(v, k) })
	}
	for _, group := range r.head.Groups {
		add(func(v *itemView) checkResult { return ref.checkGroupHasEdge(v, group) })
	}
	return checks
}

// checkHead checks that a head item can be decoded and has the tenant of its key.
func (ref itemRef) checkHead(v *itemView) checkResult {
	switch r := v.resource(ref, ref.id); {
	case r.err != nil:
		return corruptFinding("head item", r.err)
	case r.head.Tenant != ref.store.Keys.Tenant():
		return checkResult{
			problem:        fmt.Sprintf("head item with the tenant %q", r.head.Tenant),
			whyNotRepaired: "it is unknown which tenant owns the resource",
		}
	}
	return checkResult{}
}

// checkHasNameItem checks that the name item of a visible resource exists and leads to it. The repair replaces a name
// item that leads to a resource without that name.
func (ref itemRef) checkHasNameItem(v *itemView) checkResult {
	r := v.resource(ref, ref.id)
	if !r.isVisible() {
		return checkResult{}
	}
	k, existing := ref.store.Keys.Name(ref.rt, r.index.Name), store.NameItem{}
	it := v.item(k)
	if store.UnmarshalItem(it, &existing) != nil || existing.ResourceID == ref.id { // checkNameItem reports a corrupt item
		return checkResult{}
	}
	const problem = "head item without its name item"
	put := table.Put{
		Item: store.MarshalItem(store.NameItem{Key: k, ResourceID: ref.id}), If: unchangedConditions(it, "id"),
	}
	if !ref.rt.IsID(existing.ResourceID) { // no name item, or one with an invalid ID
		return newFinding(problem, put, v.unchangedCheck(ref.key, "ver"))
	}
	other := v.resource(ref, existing.ResourceID)
	if other.err != nil || other.isVisible() && other.index.Name == r.index.Name {
		return checkResult{
			problem:        "head item whose name is taken by " + existing.ResourceID,
			whyNotRepaired: "one of the two resources must be renamed",
		}
	}
	return newFinding(problem, put, v.unchangedCheck(ref.key, "ver"), ref.headUnchanged(v, existing.ResourceID))
}

// checkNameItem checks that a name item leads to a resource with that name.
func (ref itemRef) checkNameItem(v *itemView) checkResult {
	n, it := store.NameItem{}, v.item(ref.key)
	if err := store.UnmarshalItem(it, &n); err != nil {
		return corruptFinding("name item", err)
	}
	remove := table.Delete{Key: ref.key, If: unchangedConditions(it, "id")}
	if !ref.rt.IsID(n.ResourceID) {
		return newFinding("name item with an invalid resource ID", remove)
	}
	r := v.resource(ref, n.ResourceID)
	if r.err != nil || r.isVisible() && ref.store.Keys.Name(ref.rt, r.index.Name) == ref.key {
		return checkResult{}
	}
	return newFinding("name item without a head item that has the name", remove, ref.headUnchanged(v, n.ResourceID))
}

// checkHasIndexItem checks that one index item of a visible resource exists.
func (ref itemRef) checkHasIndexItem(v *itemView, k table.Key) checkResult {
	r := v.resource(ref, ref.id)
	if !r.isVisible() || !r.index.Keys[k] || v.item(k) != nil {
		return checkResult{}
	}
	return newFinding(fmt.Sprintf("head item without its index item %q", k.PK),
		table.Put{Item: store.MarshalItem(k), If: unchangedConditions(nil)}, v.unchangedCheck(ref.key, "ver"))
}

// checkIndexItem checks that an index item leads to a resource with that value. The sort key is the ID of the resource.
func (ref itemRef) checkIndexItem(v *itemView) checkResult {
	id, remove := ref.key.SK, table.Delete{Key: ref.key, If: unchangedConditions(v.item(ref.key))}
	if !ref.rt.IsID(id) {
		return newFinding("index item with an invalid resource ID", remove)
	}
	r := v.resource(ref, id)
	if r.err != nil || r.isVisible() && r.index.Keys[ref.key] {
		return checkResult{}
	}
	return newFinding("index item without a head item that has the value", remove, ref.headUnchanged(v, id))
}

// checkCursorKey checks that the cursor key of the tenant is valid. After a repair, the next list request creates
// another key, and clients start over with an empty cursor.
func (ref itemRef) checkCursorKey(v *itemView) checkResult {
	key, it := store.CursorKeyItem{}, v.item(ref.key)
	if err := store.UnmarshalItem(it, &key); err == nil {
		if _, err = key.NewAEAD(); err == nil {
			return checkResult{}
		}
	}
	return newFinding("corrupt cursor key", table.Delete{Key: ref.key, If: unchangedConditions(it, "secret")})
}
