package directory

import (
	"slices"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
)

// filterReads is what of a resource must be read beside its head to test it.
type filterReads struct {
	displayNames bool
	allMembers   bool     // all of them
	memberIDs    []string // or whether these are among them
}

// onlyNamedEdges tells whether single members are all that must be known of the members.
func (n filterReads) onlyNamedEdges() bool { return !n.allMembers && len(n.memberIDs) > 0 }

// readsForFilter is what a filter speaks of beside the head. What it asks of single members is told by their edges alone,
// however many others there are. (Of groups that a resource is in, see asksGroups.)
func readsForFilter(rt *scim.ResourceType, f filter.Expr) filterReads {
	switch f := f.(type) {
	case *filter.And:
		return readsForFilter(rt, f.X).merge(readsForFilter(rt, f.Y))
	case *filter.Or:
		return readsForFilter(rt, f.X).merge(readsForFilter(rt, f.Y))
	case *filter.Not:
		return readsForFilter(rt, f.X)
	case *filter.Present:
		return readsForAttribute(rt, f.Attr, filter.Compare{})
	case *filter.Compare:
		return readsForAttribute(rt, f.Attr, *f)
	case *filter.ValuePath:
		return readsForValuePath(rt, f)
	}
	return filterReads{}
}

// readsForValuePath is what a value path speaks of: single members, if no other can match.
func readsForValuePath(rt *scim.ResourceType, f *filter.ValuePath) filterReads {
	n := readsForAttribute(rt, f.Attr, filter.Compare{})
	if !n.allMembers {
		return n
	}
	r, _ := rt.Resolve(f.Attr)
	for a := range filter.Attrs(f.Filter) {
		n.displayNames = n.displayNames || r.Attr.Sub(a.Name) == r.Attr.Sub("display")
	}
	if values := requiredValues(r.Attr, f.Filter); values != nil {
		n.allMembers, n.memberIDs = false, values
	}
	return n
}

// requiredValues is the values, folded, of which an element that matches has one; nil if it may have any.
func requiredValues(a *scim.Attribute, f filter.Expr) []string {
	switch f := f.(type) {
	case *filter.And:
		if x := requiredValues(a, f.X); x != nil {
			return x
		}
		return requiredValues(a, f.Y)
	case *filter.Or:
		if x, y := requiredValues(a, f.X), requiredValues(a, f.Y); x != nil && y != nil {
			return slices.Concat(x, y)
		}
	case *filter.Compare:
		if s, ok := f.Value.(string); ok && f.Op == filter.EQ && a.Sub(f.Attr.Name) == a.Sub("value") {
			return []string{a.Sub("value").Fold(s)}
		}
	}
	return nil
}

func readsForAttribute(rt *scim.ResourceType, a filter.Attr, c filter.Compare) (n filterReads) {
	r, _ := rt.Resolve(a)
	if r.Attr == nil || !r.Attr.IsMembership {
		return n
	}
	n.displayNames = r.Sub != nil && r.Sub.Name == "display"
	value := r.Sub == nil || r.Sub.Name == "value"
	if s, ok := c.Value.(string); ok && value && (c.Op == filter.EQ || c.Op == filter.NE) {
		n.memberIDs = []string{r.Attr.Sub("value").Fold(s)}
	} else {
		n.allMembers = true
	}
	return n
}

func (n filterReads) merge(m filterReads) filterReads {
	n = filterReads{n.displayNames || m.displayNames, n.allMembers || m.allMembers, slices.Concat(n.memberIDs, m.memberIDs)}
	slices.Sort(n.memberIDs)
	n.memberIDs = slices.Compact(n.memberIDs)
	return n
}

// filtersByGroups tells whether a filter asks for the groups that a resource is in.
func filtersByGroups(rt *scim.ResourceType, f filter.Expr) bool {
	for a := range filter.Attrs(f) {
		if r, _ := rt.Resolve(a); isGroupsAttribute(rt, r) {
			return true
		}
	}
	return false
}

// isGroupsAttribute tells whether a name means the groups that a resource is in, or a part of them. Their heads tell what they are
// called, and whether they are gone.
func isGroupsAttribute(rt *scim.ResourceType, r scim.AttributeRef) bool {
	return r.Attr != nil && r.Attr == rt.Attribute("groups")
}
