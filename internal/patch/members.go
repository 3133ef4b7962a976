package patch

import (
	"maps"
	"strings"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
)

// MemberChanges is what operations do to the members of a group, said without knowing who they are.
type MemberChanges struct {
	ReplaceAll  bool     // the list becomes Add, whatever it was, and Remove is empty
	Add, Remove []string // ids of members, each in one of the two at most
}

// SplitMembers takes out of the operations those on members. The others, applied to the group without its members,
// and the delta, applied to the member list, have the same effect as all of them applied to the whole group. With ok
// false there is no such delta, because an operation depends on more of the members than their ids: then load them and
// Apply all. Its errors are *scim.Error with status 400.
func SplitMembers(rt *scim.ResourceType, ops []Operation) (rest []Operation, m MemberChanges, ok bool, err error) {
	d := memberDelta{added: map[string]bool{}}
	for _, op := range ops {
		if op.Path == nil {
			op, ok, err = d.extractFromValue(rt, op)
		} else if t, unknown := resolveTarget(rt, *op.Path); unknown == nil && isMembers(t) {
			if ok, err = d.extract(t, op.Op, op.Value); ok {
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

func isMembers(t target) bool {
	return t.ref.Attr != nil && t.ref.Attr.Name == "members" && t.ref.Extension == ""
}

// memberDelta collects Members. The last word on an id counts.
type memberDelta struct {
	replaced bool
	ids      []string        // in the order of their first mention
	added    map[string]bool // of each of ids: whether it is added, or removed
}

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

func (d *memberDelta) record(added bool, ids ...string) {
	for _, id := range ids {
		if _, there := d.added[id]; !there {
			d.ids = append(d.ids, id)
		}
		d.added[id] = added
	}
}

func (d *memberDelta) clear() { *d = memberDelta{replaced: true, added: map[string]bool{}} }

// extractFromValue takes members out of the value of an operation without a path, and gives what is left.
func (d *memberDelta) extractFromValue(rt *scim.ResourceType, op Operation) (Operation, bool, error) {
	list, err := assignments(rt, "", op.Value)
	if err != nil {
		return op, true, nil // Apply says the same
	}
	left := op.Value
	for _, a := range list {
		if !isMembers(a.target) {
			continue
		}
		if ok, err := d.extract(a.target, op.Op, a.raw); !ok || err != nil {
			return op, false, err
		}
		value, _ := asAttributeObject(left)
		value = maps.Clone(value)
		delete(value, a.name)
		left = value
	}
	op.Value = left
	return op, true, nil
}

// extract takes one operation on members, and tells whether it could.
func (d *memberDelta) extract(t target, op string, raw any) (bool, error) {
	switch {
	case t.ref.Sub != nil:
		return false, nil
	case t.filter != nil:
		ids := idsFromFilter(t.filter)
		if op != Remove || ids == nil {
			return false, nil
		}
		d.record(false, ids...)
		return true, nil
	case op == Remove && raw == nil || op == Replace && isUnassigned(raw):
		d.clear()
		return true, nil
	case isUnassigned(raw):
		return true, nil
	}
	if op == Remove {
		raw = unwrapRepeatedName(t.ref.Attr, raw)
	}
	list, err := canonicalElements(t.ref.Attr, raw)
	if err != nil {
		return false, err
	}
	if op == Replace {
		d.clear()
	}
	for _, e := range list {
		id, _ := scim.AsObject(e)["value"].(string)
		d.record(op != Remove, id)
	}
	return true, nil
}

// idsFromFilter returns the IDs that a filter names if it is value eq "…", or several of these joined by or. For any
// other filter it returns nil.
func idsFromFilter(f filter.Expr) []string { return filter.Visit(f, idVisitor{}) }

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
