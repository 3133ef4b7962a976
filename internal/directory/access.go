package directory

import (
	"slices"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
)

// access is the way to the resources that a filter can mean: candidates, which are then tested.
type access struct {
	source
	width width
	whole bool // the filter asks for nothing else: what is found matches, if it is what it was when it was written
	named bool // the places are names
}

// width is how many candidates there can be; a narrower way is better.
type width int

const (
	byID     width = iota // or by a name: one
	byValue               // which need not be unique
	byMember              // the groups that it is in
	byPrefix              // of names
	byGroup               // its members
	byWalk                // everybody
)

// plan finds the narrowest way by keys that a filter (nil: none) allows. What it finds is all that the filter can mean;
// it may find more.
func (d *Directory) plan(rt *scim.ResourceType, f filter.Expr) access {
	if a := d.planBy(rt, f); a != nil {
		return *a
	}
	return access{source: d.everyone(rt), width: byWalk, whole: f == nil}
}

func (d *Directory) planBy(rt *scim.ResourceType, f filter.Expr) *access {
	switch f := f.(type) {
	case *filter.And:
		return narrower(d.planBy(rt, f.X), d.planBy(rt, f.Y))
	case *filter.Or:
		return d.any(rt, terms(f), func(f filter.Expr) *access { return d.planBy(rt, f) })
	case *filter.Compare:
		s, ok := f.Value.(string)
		if r, known := rt.Resolve(f.Attr); ok && known && r.Extension == "" && r.Attr != nil {
			return d.planFor(rt, r, f.Op, s)
		}
	case *filter.ValuePath:
		r, known := rt.Resolve(f.Attr)
		if known && r.Extension == "" && r.Sub == nil && r.Attr != nil && r.Attr.Sub("value") != nil {
			r.Sub = r.Attr.Sub("value")
			return d.planElement(rt, r, f.Filter)
		}
	}
	return nil
}

func narrower(x, y *access) *access {
	if x == nil || y != nil && y.width < x.width {
		x = y
	}
	if x == nil {
		return nil
	}
	a := *x
	a.whole = false
	return &a
}

// any is the way to what at least one of some filters finds, each by a way of its own.
func (d *Directory) any(rt *scim.ResourceType, terms []filter.Expr, plan func(filter.Expr) *access) *access {
	a := &access{whole: true}
	var ids, names []source
	for _, f := range terms {
		one := plan(f)
		if one == nil {
			return nil
		}
		if a.width, a.whole = max(a.width, one.width), a.whole && one.whole; one.named {
			names = append(names, one.source)
		} else {
			ids = append(ids, one.source)
		}
	}
	switch {
	case len(names) == 0:
		a.source = d.union(ids)
	case len(ids) == 0:
		a.source, a.named = d.union(names), true
	default:
		a.source, a.whole = d.either(rt, d.union(ids), d.union(names)), false
	}
	return a
}

// terms is the filters of which one is enough.
func terms(f filter.Expr) []filter.Expr {
	if or, ok := f.(*filter.Or); ok {
		return append(terms(or.X), terms(or.Y)...)
	}
	return []filter.Expr{f}
}

// planElement is planBy for the filter of a value path, such as emails[value eq "x"].
func (d *Directory) planElement(rt *scim.ResourceType, value scim.Ref, f filter.Expr) *access {
	switch f := f.(type) {
	case *filter.And:
		return narrower(d.planElement(rt, value, f.X), d.planElement(rt, value, f.Y))
	case *filter.Or:
		return d.any(rt, terms(f), func(f filter.Expr) *access { return d.planElement(rt, value, f) })
	case *filter.Compare:
		if s, ok := f.Value.(string); ok && value.Attr.Sub(f.Attr.Name) == value.Sub && f.Attr.Sub == "" {
			return narrower(d.planFor(rt, value, f.Op, s), nil)
		}
	}
	return nil
}

// planFor is the way to what has a value, or a name that begins with it.
func (d *Directory) planFor(rt *scim.ResourceType, r scim.Ref, op filter.Op, value string) *access {
	leaf := r.Attr
	if v := r.Attr.Sub("value"); v != nil && (r.Sub == nil || r.Sub == v) { // emails eq "x" means emails.value
		leaf = v
	} else if r.Sub != nil {
		return nil
	}
	folded, isName := leaf.Fold(value), r.Attr.Name == rt.Storage.Name
	if isName { // names are unique whatever their case, also those in which it counts
		folded = scim.Fold(value)
	}
	switch {
	case isName && len(folded) > maxName && (op == filter.EQ || op == filter.SW):
		return &access{source: none(), width: byID}
	case op == filter.SW && isName && folded != "" && !leaf.CaseExact:
		return &access{source: d.prefixed(rt, folded), width: byPrefix, whole: true, named: true}
	case op != filter.EQ:
		return nil
	case r.Attr.Name == "id":
		return &access{source: d.only(rt, value), width: byID, whole: true}
	case isName:
		return &access{source: d.bearer(rt, folded), width: byID, whole: true}
	case slices.Contains(rt.Storage.Lookups, r.Attr.Name):
		return &access{source: d.bearers(rt, r.Attr.Name, folded), width: byValue, whole: true}
	case r.Attr.Edges:
		return &access{source: d.groupsOf(rt, folded), width: byMember, whole: true}
	case r.Attr.Name == "groups":
		return &access{source: d.membersOf(rt, folded), width: byGroup, whole: true}
	}
	return nil
}

// String tells what a query reads: which candidates, and whether it tests them by the rest of the filter.
func (a access) String() string {
	if a.whole {
		return a.source.String()
	}
	return a.source.String() + ", tested"
}
