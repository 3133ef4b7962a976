package patch

import (
	"maps"
	"strings"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/leniency"
	"serverless-scim/internal/scim"
)

// MemberChanges describes the effect of operations on the members of a group. It does not depend on the current
// members.
type MemberChanges struct {
	ReplaceAll  bool     // the new member list is Add, and Remove is empty
	Add, Remove []string // member IDs; no ID is in both
}

// SplitMembers separates the operations on members from the other operations. Applying rest to the group without its
// members, and m to the member list, has the same effect as applying ops to the whole group.
//
// If ok is false, ops have no such MemberChanges, because an operation depends on more than the IDs of the members. The
// caller must then read all members and call Apply with ops. The error is a *scim.Error with status 400.
func SplitMembers(rt *scim.ResourceType, ops []Operation) (rest []Operation, m MemberChanges, ok bool, err error) {
	d := memberDelta{added: map[string]bool{}}
	for _, op := range ops {
		if op.Path == nil {
			op, ok, err = d.extractFromValue(rt, op)
		} else if t, unknown := resolveTarget(rt, *op.Path, op.leniency); unknown == nil && isMembers(t) {
			if ok, err = d.extract(t, op.Op, op.Value, op.leniency); ok {
				continue
			}
		} else {
			ok = true
		}
		if !ok || err != nil {
			return ops, MemberChanges{}, false, err
		}
		rest = append(rest, op)
	}
	return rest, d.changes(), true, nil
}

// AddedMembers returns the IDs of the members that operations may add to a group. An ID may repeat. AddedMembers skips
// values that are not valid, because Apply returns an error for them.
func AddedMembers(rt *scim.ResourceType, ops []Operation) (ids []string) {
	for _, op := range ops {
		var list []assignment
		if op.Op == Remove {
			continue
		} else if op.Path == nil {
			list, _ = assignments(rt, "", op.Value, nil)
		} else if t, err := resolveTarget(rt, *op.Path, nil); err == nil {
			list = []assignment{{target: t, raw: op.Value}}
		}
		for _, a := range list {
			if id, ok := a.raw.(string); ok && isMembers(a.target) { // at members.value
				ids = append(ids, id)
			} else if isMembers(a.target) && !isUnassigned(a.raw) {
				elements, _ := canonicalElements(a.target.ref.Attr, a.raw, nil)
				ids = append(ids, idsOf(elements)...)
			}
		}
	}
	return ids
}

// idsOf returns the values of members.
func idsOf(elements []any) (ids []string) {
	for _, e := range elements {
		id, _ := scim.AsObject(e)["value"].(string)
		ids = append(ids, id)
	}
	return ids
}

// isMembers reports whether the target is the attribute members, one of its sub-attributes, or some of its elements.
func isMembers(t target) bool {
	return t.ref.Attr != nil && t.ref.Attr.Name == "members" && t.ref.Extension == ""
}

// A memberDelta collects MemberChanges. The last operation on an ID decides.
type memberDelta struct {
	replaced bool
	ids      []string        // in the order of the operations
	added    map[string]bool // for each ID, true if it is added and false if it is removed
}

// changes returns the collected MemberChanges.
func (d *memberDelta) changes() MemberChanges {
	m := MemberChanges{ReplaceAll: d.replaced}
	for _, id := range d.ids {
		if d.added[id] {
			m.Add = append(m.Add, id)
		} else if !d.replaced {
			m.Remove = append(m.Remove, id)
		}
	}
	return m
}

// record records that IDs are added or removed.
func (d *memberDelta) record(added bool, ids ...string) {
	for _, id := range ids {
		if _, exists := d.added[id]; !exists {
			d.ids = append(d.ids, id)
		}
		d.added[id] = added
	}
}

// clear records that all members are removed. It discards the earlier changes.
func (d *memberDelta) clear() { *d = memberDelta{replaced: true, added: map[string]bool{}} }

// extractFromValue records the changes of members in an operation without a path. It returns the operation without
// them. ok is false if extract could not record them.
func (d *memberDelta) extractFromValue(rt *scim.ResourceType, op Operation) (rest Operation, ok bool, err error) {
	list, err := assignments(rt, "", op.Value, op.leniency)
	if err != nil {
		return op, true, nil // Apply returns this error for the operation
	}
	value := op.Value
	for _, a := range list {
		if !isMembers(a.target) {
			continue
		}
		if ok, err := d.extract(a.target, op.Op, a.raw, op.leniency); !ok || err != nil {
			return op, false, err
		}
		o, _ := asAttributeObject(value, op.leniency)
		o = maps.Clone(o)
		delete(o, a.name)
		value = o
	}
	op.Value = value
	return op, true, nil
}

// extract records one operation on members. It returns false if the effect depends on more than the IDs of the members.
func (d *memberDelta) extract(t target, op string, raw any, l *leniency.Set) (bool, error) {
	switch {
	case t.ref.Sub != nil:
		return false, nil
	case t.filter != nil:
		ids := idsFromFilter(t.filter)
		if op != Remove || ids == nil {
			return false, nil
		}
		t.recordIgnoredValue(op, raw, l)
		d.record(false, ids...)
		return true, nil
	case op == Remove && raw == nil || op == Replace && isUnassigned(raw):
		d.clear()
		return true, nil
	}
	if op == Remove {
		l.Add(leniency.RemoveByValue)
		raw = unwrapRepeatedName(t.ref.Attr, raw, l)
	}
	if isUnassigned(raw) {
		return true, nil
	}
	elements, err := canonicalElements(t.ref.Attr, raw, l)
	if err != nil {
		return false, err
	}
	if op == Replace {
		d.clear()
	}
	d.record(op != Remove, idsOf(elements)...)
	return true, nil
}

// idsFromFilter returns the IDs that a filter names if it is value eq "…", or several of these joined by or. For any
// other filter it returns nil.
func idsFromFilter(f filter.Expr) []string { return filter.Visit(f, idVisitor{}) }

// An idVisitor is the visitor of idsFromFilter.
type idVisitor struct{}

func (v idVisitor) Or(f *filter.Or) []string {
	x, y := filter.Visit(f.X, v), filter.Visit(f.Y, v)
	if x == nil || y == nil {
		return nil
	}
	return append(x, y...)
}

func (idVisitor) Compare(f *filter.Compare) []string {
	id, ok := f.Value.(string)
	if !ok || f.Op != filter.EQ || !strings.EqualFold(f.Attr.Name, "value") {
		return nil
	}
	return []string{id}
}

func (idVisitor) And(*filter.And) []string             { return nil }
func (idVisitor) Not(*filter.Not) []string             { return nil }
func (idVisitor) Present(*filter.Present) []string     { return nil }
func (idVisitor) ValuePath(*filter.ValuePath) []string { return nil }
