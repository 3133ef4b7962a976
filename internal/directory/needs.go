package directory

import (
	"slices"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
)

// needs is what of a resource must be read beside its head to test it.
type needs struct {
	displays bool
	members  bool     // all of them
	edges    []string // or whether these are among them
}

// edgesAlone tells whether single members are all that must be known of the members.
func (n needs) edgesAlone() bool { return !n.members && len(n.edges) > 0 }

// mentioned is what a filter speaks of beside the head. What it asks of single members is told by their edges alone,
// however many others there are. (Of groups that a resource is in, see asksGroups.)
func mentioned(rt *scim.ResourceType, f filter.Expr) needs {
	switch f := f.(type) {
	case *filter.And:
		return mentioned(rt, f.X).and(mentioned(rt, f.Y))
	case *filter.Or:
		return mentioned(rt, f.X).and(mentioned(rt, f.Y))
	case *filter.Not:
		return mentioned(rt, f.X)
	case *filter.Present:
		return mentionedIn(rt, f.Attr, filter.Compare{})
	case *filter.Compare:
		return mentionedIn(rt, f.Attr, *f)
	case *filter.ValuePath:
		return mentionedInElements(rt, f)
	}
	return needs{}
}

// mentionedInElements is what a value path speaks of: single members, if no other can match.
func mentionedInElements(rt *scim.ResourceType, f *filter.ValuePath) needs {
	n := mentionedIn(rt, f.Attr, filter.Compare{})
	if !n.members {
		return n
	}
	r, _ := rt.Resolve(f.Attr)
	for a := range filter.Attrs(f.Filter) {
		n.displays = n.displays || r.Attr.Sub(a.Name) == r.Attr.Sub("display")
	}
	if values := pinned(r.Attr, f.Filter); values != nil {
		n.members, n.edges = false, values
	}
	return n
}

// pinned is the values, folded, of which an element that matches has one; nil if it may have any.
func pinned(a *scim.Attribute, f filter.Expr) []string {
	switch f := f.(type) {
	case *filter.And:
		if x := pinned(a, f.X); x != nil {
			return x
		}
		return pinned(a, f.Y)
	case *filter.Or:
		if x, y := pinned(a, f.X), pinned(a, f.Y); x != nil && y != nil {
			return slices.Concat(x, y)
		}
	case *filter.Compare:
		if s, ok := f.Value.(string); ok && f.Op == filter.EQ && a.Sub(f.Attr.Name) == a.Sub("value") {
			return []string{a.Sub("value").Fold(s)}
		}
	}
	return nil
}

func mentionedIn(rt *scim.ResourceType, a filter.Attr, c filter.Compare) (n needs) {
	r, _ := rt.Resolve(a)
	if r.Attr == nil || !r.Attr.Edges {
		return n
	}
	n.displays = r.Sub != nil && r.Sub.Name == "display"
	value := r.Sub == nil || r.Sub.Name == "value"
	if s, ok := c.Value.(string); ok && value && (c.Op == filter.EQ || c.Op == filter.NE) {
		n.edges = []string{r.Attr.Sub("value").Fold(s)}
	} else {
		n.members = true
	}
	return n
}

func (n needs) and(m needs) needs {
	n = needs{n.displays || m.displays, n.members || m.members, slices.Concat(n.edges, m.edges)}
	slices.Sort(n.edges)
	n.edges = slices.Compact(n.edges)
	return n
}

// asksGroups tells whether a filter asks for the groups that a resource is in.
func asksGroups(rt *scim.ResourceType, f filter.Expr) bool {
	for a := range filter.Attrs(f) {
		if r, _ := rt.Resolve(a); isGroups(rt, r) {
			return true
		}
	}
	return false
}

// isGroups tells whether a name means the groups that a resource is in, or a part of them. Their heads tell what they are
// called, and whether they are gone.
func isGroups(rt *scim.ResourceType, r scim.Ref) bool {
	return r.Attr != nil && r.Attr == rt.Attribute("groups")
}
