package query

import (
	"slices"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
)

// A Plan describes how a subquery finds its candidates.
type Plan struct {
	source        source
	selectivity   selectivity
	indexed       bool // the source reads index items of attribute values
	exact         bool // every candidate matches the filter, unless it has changed since its index item was read
	orderedByName bool // the order keys are names, not IDs
}

// selectivity ranks sources by how many candidates they can return. Smaller is more selective.
type selectivity int

const (
	selectOne            selectivity = iota // by ID or by name
	selectIndexedValue                      // indexed values need not be unique
	selectGroupsOfMember                    // at most 1,500
	selectNamePrefix
	selectMembersOfGroup
	selectAll
)

// String describes which candidates the plan reads, and whether the filter must still be tested.
func (p Plan) String() string {
	if p.exact {
		return p.source.String()
	}
	return p.source.String() + ", tested"
}

// plan returns the most selective plan for a filter. The candidates of a plan include every resource that matches. A nil
// filter matches all resources. The plan does not use the indexes of incomplete attributes.
func (e *Engine) plan(rt *scim.ResourceType, f filter.Expr, incomplete []string) Plan {
	if f != nil {
		if p := filter.Visit(f, planner{e, rt, incomplete}); p != nil {
			return *p
		}
	}
	return Plan{source: e.allResources(rt), selectivity: selectAll, exact: f == nil}
}

// A planner is a filter.Visitor that returns the plan for an expression, or nil if no index leads to its matches.
type planner struct {
	engine     *Engine
	rt         *scim.ResourceType
	incomplete []string // attributes without complete index items
}

func (p planner) And(f *filter.And) *Plan {
	return mostSelective(filter.Visit(f.X, p), filter.Visit(f.Y, p))
}

func (p planner) Or(f *filter.Or) *Plan { return p.union(filter.OrTerms(f), p) }

func (p planner) Not(*filter.Not) *Plan         { return nil }
func (p planner) Present(*filter.Present) *Plan { return nil }

func (p planner) Compare(f *filter.Compare) *Plan {
	value, isString := f.Value.(string)
	if r, known := p.rt.Resolve(f.Attr); isString && known && r.Extension == "" && r.Attr != nil {
		return p.comparison(r, f.Op, value)
	}
	return nil
}

func (p planner) ValuePath(f *filter.ValuePath) *Plan {
	r, known := p.rt.Resolve(f.Attr)
	if known && r.Extension == "" && r.Sub == nil && r.Attr != nil && r.Attr.Sub("value") != nil {
		r.Sub = r.Attr.Sub("value")
		return filter.Visit(f.Filter, elementPlanner{p, r})
	}
	return nil
}

// An elementPlanner plans the filter inside a value path, such as emails[value eq "x"].
type elementPlanner struct {
	planner planner
	value   scim.AttributeRef // the sub-attribute value
}

func (p elementPlanner) And(f *filter.And) *Plan {
	return mostSelective(filter.Visit(f.X, p), filter.Visit(f.Y, p))
}

func (p elementPlanner) Or(f *filter.Or) *Plan { return p.planner.union(filter.OrTerms(f), p) }

func (p elementPlanner) Not(*filter.Not) *Plan             { return nil }
func (p elementPlanner) Present(*filter.Present) *Plan     { return nil }
func (p elementPlanner) ValuePath(*filter.ValuePath) *Plan { return nil }

func (p elementPlanner) Compare(f *filter.Compare) *Plan {
	value, isString := f.Value.(string)
	if isString && p.value.Attr.Sub(f.Attr.Name) == p.value.Sub && f.Attr.Sub == "" {
		return mostSelective(p.planner.comparison(p.value, f.Op, value), nil)
	}
	return nil
}

// mostSelective returns the more selective of two plans for an expression that needs both. The plan is not exact, because
// the other part of the expression must be tested. nil means that no plan exists.
func mostSelective(x, y *Plan) *Plan {
	if x == nil || y != nil && y.selectivity < x.selectivity {
		x = y
	}
	if x == nil {
		return nil
	}
	p := *x
	p.exact = false
	return &p
}

// union returns the plan for resources that match at least one of the terms, or nil if one term has no plan.
func (p planner) union(terms []filter.Expr, v filter.Visitor[*Plan]) *Plan {
	u := &Plan{exact: true}
	var byID, byName []source
	for _, f := range terms {
		term := filter.Visit(f, v)
		if term == nil {
			return nil
		}
		if u.selectivity, u.exact, u.indexed = max(u.selectivity, term.selectivity), u.exact && term.exact, u.indexed || term.indexed; term.orderedByName {
			byName = append(byName, term.source)
		} else {
			byID = append(byID, term.source)
		}
	}
	switch {
	case len(byName) == 0:
		u.source = p.engine.newUnion(byID)
	case len(byID) == 0:
		u.source, u.orderedByName = p.engine.newUnion(byName), true
	default:
		u.source, u.exact = p.engine.newMixedOrderSource(p.rt, p.engine.newUnion(byID), p.engine.newUnion(byName)), false
	}
	return u
}

// comparison returns the plan for the comparison of an attribute with a string.
func (p planner) comparison(r scim.AttributeRef, op filter.Op, value string) *Plan {
	leaf := r.Attr
	if v := r.Attr.Sub("value"); v != nil && (r.Sub == nil || r.Sub == v) { // emails eq "x" means emails.value eq "x"
		leaf = v
	} else if r.Sub != nil {
		return nil
	}
	switch {
	case r.Attr.Name == p.rt.Storage.NameAttribute:
		return p.name(leaf, op, scim.Fold(value)) // names are unique regardless of case, even if they are case-exact
	case op != filter.EQ:
		return nil
	case r.Attr.Name == "id":
		return &Plan{source: p.engine.resourceByID(p.rt, value), selectivity: selectOne, exact: true}
	}
	return p.equal(r.Attr, leaf.Fold(value))
}

// name returns the plan for a comparison with the name attribute.
func (p planner) name(leaf *scim.Attribute, op filter.Op, folded string) *Plan {
	switch {
	case op != filter.EQ && op != filter.SW:
		return nil
	case len(folded) > store.MaxNameBytes:
		return &Plan{source: noCandidates(), selectivity: selectOne}
	case op == filter.EQ:
		return &Plan{source: p.engine.resourceByName(p.rt, folded), selectivity: selectOne, exact: true}
	case folded != "" && !leaf.CaseExact:
		return &Plan{source: p.engine.resourcesByNamePrefix(p.rt, folded), selectivity: selectNamePrefix, exact: true, orderedByName: true}
	}
	return nil
}

// equal returns the plan for resources that have a case-folded value in an attribute.
func (p planner) equal(a *scim.Attribute, folded string) *Plan {
	switch {
	case slices.Contains(p.rt.Storage.IndexedAttributes, a.Name) && !slices.Contains(p.incomplete, a.Name):
		source := p.engine.resourcesByIndexedValue(p.rt, a.Name, folded)
		return &Plan{source: source, selectivity: selectIndexedValue, indexed: true, exact: true}
	case a.IsMembership:
		return &Plan{source: p.engine.groupsOfMember(p.rt, folded), selectivity: selectGroupsOfMember, exact: true}
	case a.Name == "groups":
		return &Plan{source: p.engine.membersOfGroup(p.rt, folded), selectivity: selectMembersOfGroup, exact: true}
	}
	return nil
}
