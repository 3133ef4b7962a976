package scim

import (
	"slices"
	"strings"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/leniency"
)

// A Sorter orders the resources of one type by an attribute (RFC 7644 §3.4.2.3).
type Sorter struct {
	ref        AttributeRef // the attribute of the sort value; zero if the resources have no sort value
	leaf       *Attribute   // defines how to compare sort values
	descending bool
}

// Sorter returns the sorter of resources of this type for an attribute, in a query that also returns resources of
// types. The first type that can be sorted by the attribute defines how sort values are compared. If this type does not
// have the attribute, or its attribute has another data type, its resources have no sort value. Sorter returns a 400
// invalidPath if no type can be sorted by the attribute. It records departures from the RFCs in l, which may be nil.
func (rt *ResourceType) Sorter(by filter.Attr, descending bool, l *leniency.Set, types ...*ResourceType) (s Sorter, err error) {
	s.descending = descending
	for _, t := range slices.Concat(types, []*ResourceType{rt}) {
		r, invalid := t.sortable(by, l)
		if invalid == nil {
			s.leaf, err = r.Leaf(), nil
			break
		}
		if _, known := t.Resolve(by); known || err == nil { // prefer the error of a type that has the attribute
			err = invalid
		}
	}
	if r, absent := rt.sortable(by, l); absent == nil && r.Leaf().Type == s.leaf.Type {
		s.ref = r
	}
	return s, err
}

// sortable returns the attribute with a name. It returns a 400 invalidPath if resources cannot be sorted by it.
func (rt *ResourceType) sortable(by filter.Attr, l *leniency.Set) (AttributeRef, error) {
	r, ok := rt.Resolve(by)
	if RecordDraftURN(l, by.URN) != nil || !ok || r.Attr == nil {
		return AttributeRef{}, BadRequest(InvalidPath, "sortBy has the unknown attribute %s. See /Schemas.", by)
	}
	if r.Leaf().Type == "complex" {
		if !r.Attr.MultiValued {
			l.Add(leniency.FilterComplex)
		}
		r.Sub = r.Attr.Sub("value")
	}
	if leaf := r.Leaf(); leaf == nil || leaf.Type == "complex" || leaf.Returned == "never" {
		return AttributeRef{}, BadRequest(InvalidPath, "Resources cannot be sorted by %s. Name one of its sub-attributes.", by)
	}
	return r, nil
}

// maxSortValueBytes bounds the part of a value by which resources are sorted, and so the memory that a sort needs.
const maxSortValueBytes = 256

// SortValue returns the value that a resource is sorted by, or nil if it has none. Of a multi-valued attribute, it is
// the primary value or, if no value is primary, the first. Of a string, it is the folded beginning.
func (s Sorter) SortValue(o Object) any {
	if s.ref.Attr == nil {
		return nil
	}
	return s.Fold(s.value(o))
}

// Fold returns the folded beginning of a string, and any other value unchanged. Folding a sort value again does not change
// it. Fold does not share the memory of a long string.
func (s Sorter) Fold(v any) any {
	text, ok := v.(string)
	if !ok || s.leaf.Type == "dateTime" { // dateTimes are compared as points in time
		return v
	}
	return truncate(s.leaf.Fold(truncate(text)))
}

func truncate(s string) string {
	if len(s) <= maxSortValueBytes {
		return s
	}
	return strings.ToValidUTF8(strings.Clone(s[:maxSortValueBytes]), "")
}

// value returns the value of which SortValue returns the beginning.
func (s Sorter) value(o Object) any {
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

// Compare orders two sort values: negative, zero or positive. A nil sort value comes last, or first in descending
// order. Compare does not fold strings, because a sort compares each value many times: Fold has folded them.
func (s Sorter) Compare(x, y any) int {
	order := 0
	switch {
	case x == nil && y == nil:
	case x == nil:
		order = 1
	case y == nil:
		order = -1
	default:
		text, isText := x.(string)
		other, bothText := y.(string)
		if isText && bothText && s.leaf.Type != "dateTime" {
			order = strings.Compare(text, other)
		} else {
			order, _ = s.leaf.Compare(x, y)
		}
	}
	if s.descending {
		return -order
	}
	return order
}
