package query

import (
	"slices"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
)

// filterReads says what a filter needs in addition to the head item of a resource.
type filterReads struct {
	displayNames bool
	allMembers   bool     // the whole member list
	memberIDs    []string // whether these IDs are members, which their edge items tell
}

// onlyNamedEdges reports whether the edge items of single members are enough to evaluate the filter.
func (n filterReads) onlyNamedEdges() bool { return !n.allMembers && len(n.memberIDs) > 0 }

func (n filterReads) merge(m filterReads) filterReads {
	n = filterReads{n.displayNames || m.displayNames, n.allMembers || m.allMembers, slices.Concat(n.memberIDs, m.memberIDs)}
	slices.Sort(n.memberIDs)
	n.memberIDs = slices.Compact(n.memberIDs)
	return n
}

// readsForFilter returns what a filter needs. It does not report the groups of a resource: see filtersBy.
func readsForFilter(rt *scim.ResourceType, f filter.Expr) filterReads {
	return filter.Visit(f, readsVisitor{rt})
}

// A readsVisitor is a filter.Visitor that returns what an expression needs.
type readsVisitor struct{ rt *scim.ResourceType }

func (v readsVisitor) And(f *filter.And) filterReads {
	return filter.Visit(f.X, v).merge(filter.Visit(f.Y, v))
}

func (v readsVisitor) Or(f *filter.Or) filterReads {
	return filter.Visit(f.X, v).merge(filter.Visit(f.Y, v))
}

func (v readsVisitor) Not(f *filter.Not) filterReads { return filter.Visit(f.X, v) }

func (v readsVisitor) Present(f *filter.Present) filterReads {
	return readsForAttribute(v.rt, f.Attr, filter.Compare{})
}

func (v readsVisitor) Compare(f *filter.Compare) filterReads {
	return readsForAttribute(v.rt, f.Attr, *f)
}

// ValuePath needs single members only, if no other member can match.
func (v readsVisitor) ValuePath(f *filter.ValuePath) filterReads {
	n := readsForAttribute(v.rt, f.Attr, filter.Compare{})
	if !n.allMembers {
		return n
	}
	r, _ := v.rt.Resolve(f.Attr)
	for a := range filter.Attrs(f.Filter) {
		n.displayNames = n.displayNames || r.Attr.Sub(a.Name) == r.Attr.Sub("display")
	}
	if values := r.Attr.RequiredValues(f.Filter); values != nil {
		n.allMembers, n.memberIDs = false, values
	}
	return n
}

// readsForAttribute returns what a test of an attribute needs. The zero Compare is a test for presence.
func readsForAttribute(rt *scim.ResourceType, a filter.Attr, c filter.Compare) (n filterReads) {
	r, _ := rt.Resolve(a)
	if r.Attr == nil || !r.Attr.IsMembership {
		return n
	}
	n.displayNames = r.Sub != nil && r.Sub.Name == "display"
	isValue := r.Sub == nil || r.Sub.Name == "value"
	if s, ok := c.Value.(string); ok && isValue && (c.Op == filter.EQ || c.Op == filter.NE) {
		n.memberIDs = []string{r.Attr.Sub("value").Fold(s)}
	} else {
		n.allMembers = true
	}
	return n
}

// filtersBy reports whether a filter tests the top-level attribute with a name, such as the groups that a resource is in.
func filtersBy(rt *scim.ResourceType, f filter.Expr, name string) bool {
	for a := range filter.Attrs(f) {
		if r, _ := rt.Resolve(a); isAttribute(rt, r, name) {
			return true
		}
	}
	return false
}

// isAttribute reports whether r is the top-level attribute with a name, or a sub-attribute of it.
func isAttribute(rt *scim.ResourceType, r scim.AttributeRef, name string) bool {
	return r.Attr != nil && r.Attr == rt.Attribute(name)
}
