package directory

import (
	"slices"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
)

// Plan is the way to the resources that a filter can mean: candidates, which are then tested.
type Plan struct {
	source
	selectivity   selectivity
	exact         bool // the filter asks for nothing else: what is found matches, if it is what it was when it was written
	orderedByName bool // the places are names
}

// selectivity is how many candidates there can be; a narrower way is better.
type selectivity int

const (
	selectOne            selectivity = iota // or by a name: one
	selectIndexedValue                      // which need not be unique
	selectGroupsOfMember                    // the groups that it is in
	selectNamePrefix                        // of names
	selectMembersOfGroup                    // its members
	selectAll                               // everybody
)

// planFilter finds the narrowest way by keys that a filter (nil: none) allows. What it finds is all that the filter can mean;
// it may find more.
func (d *Store) planFilter(rt *scim.ResourceType, f filter.Expr) Plan {
	if a := d.planExpr(rt, f); a != nil {
		return *a
	}
	return Plan{source: d.allResources(rt), selectivity: selectAll, exact: f == nil}
}

func (d *Store) planExpr(rt *scim.ResourceType, f filter.Expr) *Plan {
	switch f := f.(type) {
	case *filter.And:
		return mostSelective(d.planExpr(rt, f.X), d.planExpr(rt, f.Y))
	case *filter.Or:
		return d.planUnion(rt, orTerms(f), func(f filter.Expr) *Plan { return d.planExpr(rt, f) })
	case *filter.Compare:
		s, ok := f.Value.(string)
		if r, known := rt.Resolve(f.Attr); ok && known && r.Extension == "" && r.Attr != nil {
			return d.planComparison(rt, r, f.Op, s)
		}
	case *filter.ValuePath:
		r, known := rt.Resolve(f.Attr)
		if known && r.Extension == "" && r.Sub == nil && r.Attr != nil && r.Attr.Sub("value") != nil {
			r.Sub = r.Attr.Sub("value")
			return d.planValuePath(rt, r, f.Filter)
		}
	}
	return nil
}

func mostSelective(x, y *Plan) *Plan {
	if x == nil || y != nil && y.selectivity < x.selectivity {
		x = y
	}
	if x == nil {
		return nil
	}
	a := *x
	a.exact = false
	return &a
}

// planUnion is the way to what at least one of some filters finds, each by a way of its own.
func (d *Store) planUnion(rt *scim.ResourceType, terms []filter.Expr, plan func(filter.Expr) *Plan) *Plan {
	a := &Plan{exact: true}
	var ids, names []source
	for _, f := range terms {
		one := plan(f)
		if one == nil {
			return nil
		}
		if a.selectivity, a.exact = max(a.selectivity, one.selectivity), a.exact && one.exact; one.orderedByName {
			names = append(names, one.source)
		} else {
			ids = append(ids, one.source)
		}
	}
	switch {
	case len(names) == 0:
		a.source = d.newUnion(ids)
	case len(ids) == 0:
		a.source, a.orderedByName = d.newUnion(names), true
	default:
		a.source, a.exact = d.newMixedOrderSource(rt, d.newUnion(ids), d.newUnion(names)), false
	}
	return a
}

// orTerms is the filters of which one is enough.
func orTerms(f filter.Expr) []filter.Expr {
	if or, ok := f.(*filter.Or); ok {
		return append(orTerms(or.X), orTerms(or.Y)...)
	}
	return []filter.Expr{f}
}

// planValuePath is planBy for the filter of a value path, such as emails[value eq "x"].
func (d *Store) planValuePath(rt *scim.ResourceType, value scim.AttributeRef, f filter.Expr) *Plan {
	switch f := f.(type) {
	case *filter.And:
		return mostSelective(d.planValuePath(rt, value, f.X), d.planValuePath(rt, value, f.Y))
	case *filter.Or:
		return d.planUnion(rt, orTerms(f), func(f filter.Expr) *Plan { return d.planValuePath(rt, value, f) })
	case *filter.Compare:
		if s, ok := f.Value.(string); ok && value.Attr.Sub(f.Attr.Name) == value.Sub && f.Attr.Sub == "" {
			return mostSelective(d.planComparison(rt, value, f.Op, s), nil)
		}
	}
	return nil
}

// planComparison is the way to what has a value, or a name that begins with it.
func (d *Store) planComparison(rt *scim.ResourceType, r scim.AttributeRef, op filter.Op, value string) *Plan {
	leaf := r.Attr
	if v := r.Attr.Sub("value"); v != nil && (r.Sub == nil || r.Sub == v) { // emails eq "x" means emails.value
		leaf = v
	} else if r.Sub != nil {
		return nil
	}
	folded, isName := leaf.Fold(value), r.Attr.Name == rt.Storage.NameAttribute
	if isName { // names are unique whatever their case, also those in which it counts
		folded = scim.Fold(value)
	}
	switch {
	case isName && len(folded) > MaxNameBytes && (op == filter.EQ || op == filter.SW):
		return &Plan{source: noCandidates(), selectivity: selectOne}
	case op == filter.SW && isName && folded != "" && !leaf.CaseExact:
		return &Plan{source: d.resourcesByNamePrefix(rt, folded), selectivity: selectNamePrefix, exact: true, orderedByName: true}
	case op != filter.EQ:
		return nil
	case r.Attr.Name == "id":
		return &Plan{source: d.resourceByID(rt, value), selectivity: selectOne, exact: true}
	case isName:
		return &Plan{source: d.resourceByName(rt, folded), selectivity: selectOne, exact: true}
	case slices.Contains(rt.Storage.IndexedAttributes, r.Attr.Name):
		return &Plan{source: d.resourcesByIndexedValue(rt, r.Attr.Name, folded), selectivity: selectIndexedValue, exact: true}
	case r.Attr.IsMembership:
		return &Plan{source: d.groupsOfMember(rt, folded), selectivity: selectGroupsOfMember, exact: true}
	case r.Attr.Name == "groups":
		return &Plan{source: d.membersOfGroup(rt, folded), selectivity: selectMembersOfGroup, exact: true}
	}
	return nil
}

// String tells what a query reads: which candidates, and whether it tests them by the rest of the filter.
func (a Plan) String() string {
	if a.exact {
		return a.source.String()
	}
	return a.source.String() + ", tested"
}
