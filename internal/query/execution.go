package query

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
)

// An execution is one query while it runs.
type execution struct {
	engine          *Engine
	params          Params
	subqueries      []subquery
	sorter          *scim.Sorter // nil: the order of the subqueries, one after the other
	exact           bool         // every plan is exact, and testing a candidate needs no member list
	remainingBudget int          // candidates that may still be tested; not used if exact
	remainingBytes  int          // bytes that the filters may still compare
	speculative     bool         // an index may be incomplete; the result may be dropped, so no bookmark is saved
}

func (e *Engine) newExecution(p Params, incomplete map[*scim.ResourceType][]string) (*execution, error) {
	subqueries, err := e.newSubqueries(p, incomplete)
	x := &execution{engine: e, params: p, subqueries: subqueries, exact: true, remainingBudget: e.scanBudget, remainingBytes: e.evaluationBudget}
	for _, s := range subqueries {
		x.exact = x.exact && s.plan.exact && !s.reads.allMembers
		x.sorter = s.sorter
	}
	return x, err
}

// A subquery is the part of a query for one resource type.
type subquery struct {
	rt         *scim.ResourceType
	plan       Plan
	matches    scim.Predicate // nil: all resources match
	reads      filterReads    // what matches needs
	needsMeta  bool           // matches or sorter reads the attribute meta
	sorter     *scim.Sorter   // nil: the order of the plan
	descending bool           // the reverse order of the plan
}

// newSubqueries returns a subquery for each type that can have matches. There is always at least one subquery, even if
// the tenant's settings allow no type that is served.
func (e *Engine) newSubqueries(p Params, incomplete map[*scim.ResourceType][]string) (all []subquery, err error) {
	for _, rt := range p.Types {
		s, err := e.newSubquery(rt, p, incomplete[rt])
		if err != nil {
			return nil, err
		}
		if s.plan.source != (emptySource{}) {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		all = []subquery{{plan: Plan{source: emptySource{}, exact: true}}}
	}
	return all, nil
}

// scanBatchSize returns how many candidates are read and tested before the budget and the deadline are checked again.
func (x *execution) scanBatchSize() int {
	if x.needsAllMembers() {
		return memberScanBatch
	}
	return scanBatch
}

// needsAllMembers reports whether the filter needs the whole member lists of groups.
func (x *execution) needsAllMembers() bool {
	return slices.ContainsFunc(x.subqueries, func(s subquery) bool { return s.reads.allMembers })
}

// fingerprint identifies the query, apart from the page that it asks for.
func (x *execution) fingerprint(parts ...string) string {
	p := x.params
	for _, rt := range p.Types {
		parts = append(parts, rt.Name)
	}
	if parts = append(parts, p.SortBy.URN, p.SortBy.Name, p.SortBy.Sub, fmt.Sprint(p.Descending)); p.Filter != nil {
		parts = append(parts, p.Filter.String())
	}
	text, err := json.Marshal(parts)
	if err != nil {
		panic(err) // strings can be marshaled
	}
	hash := sha256.Sum256(text)
	return hex.EncodeToString(hash[:])
}

func (e *Engine) newSubquery(rt *scim.ResourceType, p Params, incomplete []string) (s subquery, err error) {
	specialized, matchesAll, err := rt.SpecializeFilter(p.Filter, p.Types, p.Leniency)
	switch {
	case err != nil:
		return s, err
	case specialized != nil:
		s, err = e.newFilteredSubquery(rt, specialized, incomplete)
	case matchesAll:
		s = subquery{rt: rt, plan: e.plan(rt, nil, nil)}
	default:
		s = subquery{rt: rt, plan: Plan{source: emptySource{}, exact: true}}
	}
	if err != nil || p.SortBy == (filter.Attr{}) {
		return s, err
	}
	return e.withSort(s, p)
}

func (e *Engine) newFilteredSubquery(rt *scim.ResourceType, f filter.Expr, incomplete []string) (s subquery, err error) {
	s = subquery{rt: rt, plan: e.plan(rt, f, incomplete), reads: readsForFilter(rt, f)}
	s.reads.memberIDs = e.store.ValidMemberIDs(s.reads.memberIDs, "")
	s.reads.allMembers = s.reads.allMembers || len(s.reads.memberIDs) >= e.store.Limits.SnapshotEdges
	// A group or a member that is being deleted must not match, as its head item shows. Exact plans have tested that already.
	s.reads.displayNames = s.reads.displayNames || s.reads.allMembers || !s.plan.exact && filtersBy(rt, f, "groups")
	s.needsMeta = filtersBy(rt, f, "meta")
	s.matches, err = rt.Matcher(f)
	return s, err
}

// withSort returns the subquery in the order of SortBy. It rejects an order by members, for which the members of all
// groups would have to be read. It does so for a query of several types, too, in which groups would be sorted as if they
// had no members.
func (e *Engine) withSort(s subquery, p Params) (subquery, error) {
	sorter, err := s.rt.Sorter(p.SortBy, p.Descending, p.Leniency, p.Types...)
	if err != nil {
		return s, err
	}
	r, _ := s.rt.Resolve(p.SortBy)
	switch {
	case r.Attr != nil && r.Attr.IsMembership:
		return s, scim.BadRequest(scim.InvalidPath, "Resources cannot be sorted by %s, since all members would have to be read. "+
			"Sort by an attribute of the resource itself, such as %s.", p.SortBy, s.rt.Storage.NameAttribute)
	case len(p.Types) == 1 && s.plan.selectivity == selectAll && r.Extension == "" && r.Attr.Name == s.rt.Storage.NameAttribute &&
		!r.Attr.CaseExact: // the name items are in this order
		s.plan.source, s.plan.orderedByName, s.descending = e.allByName(s.rt), true, p.Descending
		return s, nil
	}
	s.reads.displayNames = s.reads.displayNames || isAttribute(s.rt, r, "groups")
	s.needsMeta = s.needsMeta || isAttribute(s.rt, r, "meta")
	s.sorter = &sorter
	return s, nil
}
