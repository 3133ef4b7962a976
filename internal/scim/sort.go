package scim

import (
	"slices"

	"serverless-scim/internal/filter"
)

// Sorter orders resources by an attribute (RFC 7644 §3.4.2.3).
type Sorter struct {
	ref        AttributeRef // where the key is; the zero Ref: nowhere
	leaf       *Attribute   // as which keys are compared
	descending bool
}

// Sorter makes a sorter of the name of an attribute, for resources that are sorted among those of other types. It refuses
// what has no order in any of them with a 400 invalidPath. In a type that does not have the attribute, or has it as one of
// another type, whose values cannot be compared with those that the first has, resources have no key.
func (rt *ResourceType) Sorter(by filter.Attr, descending bool, among ...*ResourceType) (s Sorter, err error) {
	s.descending = descending
	for _, one := range slices.Concat(among, []*ResourceType{rt}) {
		r, wrong := one.sortable(by)
		if wrong == nil {
			s.leaf, err = r.Leaf(), nil
			break
		}
		if _, known := one.Resolve(by); known || err == nil { // rather why one cannot be sorted that has it
			err = wrong
		}
	}
	if r, absent := rt.sortable(by); absent == nil && r.Leaf().Type == s.leaf.Type {
		s.ref = r
	}
	return s, err
}

// sortable is the attribute of a name, if it has an order.
func (rt *ResourceType) sortable(by filter.Attr) (AttributeRef, error) {
	r, ok := rt.Resolve(by)
	if !ok || r.Attr == nil {
		return AttributeRef{}, BadRequest(InvalidPath, "sortBy names %s, which is no attribute here.", by)
	}
	if r.Leaf().Type == "complex" {
		r.Sub = r.Attr.Sub("value")
	}
	if leaf := r.Leaf(); leaf == nil || leaf.Type == "complex" || leaf.Returned == "never" {
		return AttributeRef{}, BadRequest(InvalidPath, "Resources cannot be sorted by %s. Name one of its sub-attributes.", by)
	}
	return r, nil
}

// SortValue is the value by which a resource is ordered, nil if it has none. Of several, it is the primary one, or the first.
func (s Sorter) SortValue(o Object) any {
	if s.ref.Attr == nil {
		return nil
	}
	v := s.ref.container(o)[s.ref.Attr.Name]
	if list, many := v.([]any); many {
		v = list[0]
		for _, e := range list {
			if c, ok := e.(Object); ok && c["primary"] == true {
				v = e
			}
		}
	}
	if c, ok := v.(Object); ok && s.ref.Sub != nil {
		return c[s.ref.Sub.Name]
	}
	return v
}

// Compare orders two keys. What has none comes last, and first in descending order.
func (s Sorter) Compare(x, y any) int {
	order := 0
	switch {
	case x == nil && y == nil:
	case x == nil:
		order = 1
	case y == nil:
		order = -1
	default:
		order, _ = s.leaf.Compare(x, y)
	}
	if s.descending {
		return -order
	}
	return order
}
