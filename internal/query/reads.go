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

// readsForFilter returns what a filter needs. It does not report the groups of a resource: see filtersByGroups.
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

// filtersByGroups reports whether a filter tests the groups that a resource is in.
func filtersByGroups(rt *scim.ResourceType, f filter.Expr) bool {
	for a := range filter.Attrs(f) {
		if r, _ := rt.Resolve(a); isGroupsAttribute(rt, r) {
			return true
		}
	}
	return false
}

// isGroupsAttribute reports whether r is the groups attribute of the type or a sub-attribute of it. The head items of the
// groups have the display names, and show which groups are deleted.
func isGroupsAttribute(rt *scim.ResourceType, r scim.AttributeRef) bool {
	return r.Attr != nil && r.Attr == rt.Attribute("groups")
}
