package scim

import "serverless-scim/internal/filter"

// Sorter orders resources by an attribute (RFC 7644 §3.4.2.3).
type Sorter struct {
	ref        Ref
	descending bool
}

// Sorter makes a sorter of the name of an attribute. It refuses what has no order with a 400 invalidPath.
func (rt *ResourceType) Sorter(by filter.Attr, descending bool) (Sorter, error) {
	r, ok := rt.Resolve(by)
	if !ok || r.Attr == nil {
		return Sorter{}, BadRequest(InvalidPath, "sortBy names %s, which is no attribute here.", by)
	}
	if r.Leaf().Type == "complex" {
		r.Sub = r.Attr.Sub("value")
	}
	if leaf := r.Leaf(); leaf == nil || leaf.Type == "complex" || leaf.Returned == "never" {
		return Sorter{}, BadRequest(InvalidPath, "Resources cannot be sorted by %s. Name one of its sub-attributes.", by)
	}
	return Sorter{r, descending}, nil
}

// Key is the value by which a resource is ordered, nil if it has none. Of several, it is the primary one, or the first.
func (s Sorter) Key(o Object) any {
	v := s.ref.Container(o)[s.ref.Attr.Name]
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
		order, _ = s.ref.Leaf().Compare(x, y)
	}
	if s.descending {
		return -order
	}
	return order
}
