package directory

import (
	"context"
	"math"
	"slices"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// subquery is the resources of one type that a query is about.
type subquery struct {
	rt         *scim.ResourceType
	plan       Plan
	matches    scim.Predicate // nil: all do
	reads      filterReads    // to test it
	sorter     *scim.Sorter   // nil: in the order of access
	descending bool           // … or against it
}

// match is a resource that a query means.
type match struct {
	ResourceState
	candidate candidate
	sortValue any // by which it is sorted
}

// positionAfter is the place behind the resource in the order of the query.
func (m match) positionAfter() mark {
	b := m.candidate.positionAfter()
	b.SortValue = m.sortValue
	return b
}

func states(matches []match) []ResourceState {
	states := make([]ResourceState, len(matches))
	for i, m := range matches {
		states[i] = m.ResourceState
	}
	return states
}

// newSubqueries is what a query asks of those of its types of which it may mean any. There is always one.
func (d *Store) newSubqueries(q Params) (all []subquery, err error) {
	for _, rt := range q.Types {
		s, err := d.newSubquery(rt, q)
		if err != nil {
			return nil, err
		}
		if s.plan.source != (emptySource{}) {
			all = append(all, s)
		}
	}
	if len(all) == 0 { // or there are no types: the tenant's settings name some that are not served any more
		all = []subquery{{plan: Plan{source: emptySource{}, exact: true}}}
	}
	return all, nil
}

// emptySource is the candidates of what can mean no resource. Their number is known, so that a total is told by cursor, too.
type emptySource struct{}

func (emptySource) String() string                     { return "nothing" }
func (emptySource) count(context.Context) (int, error) { return 0, nil }
func (emptySource) hasCheapCount() bool                { return true }

func (emptySource) next(context.Context, mark, bool, int) ([]candidate, bool, error) {
	return nil, true, nil
}

func (d *Store) newSubquery(rt *scim.ResourceType, q Params) (s subquery, err error) {
	part, all, err := rt.SpecializeFilter(q.Filter, q.Types)
	if err != nil {
		return s, err
	}
	s = subquery{rt: rt, plan: d.planFilter(rt, part)}
	switch {
	case part != nil:
		if s.matches, err = rt.Matcher(part); err != nil {
			return s, err
		}
		s.reads = readsForFilter(rt, part)
		s.reads.memberIDs = d.ValidMemberIDs(s.reads.memberIDs, "")
		s.reads.allMembers = s.reads.allMembers || len(s.reads.memberIDs) >= d.sizes.snapshotEdges
		// A group or a member that is latched is gone already. Where keys are exact they have looked for that.
		s.reads.displayNames = s.reads.displayNames || s.reads.allMembers || !s.plan.exact && filtersByGroups(rt, part)
	case !all:
		s.plan = Plan{source: emptySource{}, exact: true}
	}
	if q.SortBy == (filter.Attr{}) {
		return s, nil
	}
	return d.withSort(s, q)
}

// withSort is a selection in the order that the query asks for. Nothing is sorted by members, for which all of them would
// have to be read; not at the root either, where groups would stand among the others as if they had none.
func (d *Store) withSort(s subquery, q Params) (subquery, error) {
	sorter, err := s.rt.Sorter(q.SortBy, q.Descending, q.Types...)
	if err != nil {
		return s, err
	}
	r, _ := s.rt.Resolve(q.SortBy)
	switch {
	case r.Attr != nil && r.Attr.IsMembership:
		return s, scim.BadRequest(scim.InvalidPath, "Resources cannot be sorted by %s, since all members would have to be read. "+
			"Sort by an attribute of the resource itself, such as %s.", q.SortBy, s.rt.Storage.NameAttribute)
	case len(q.Types) == 1 && s.plan.selectivity == selectAll && r.Extension == "" && r.Attr.Name == s.rt.Storage.NameAttribute &&
		!r.Attr.CaseExact: // this order is there already
		s.plan.source, s.plan.orderedByName, s.descending = d.allByName(s.rt), true, q.Descending
		return s, nil
	}
	s.reads.displayNames = s.reads.displayNames || isGroupsAttribute(s.rt, r)
	s.sorter = &sorter
	return s, nil
}

// filterCandidates gives those of candidates that match, in their order. It holds 16 times tested resources at once, or, where it
// must know all their members, those of one part.
func (l *execution) filterCandidates(ctx context.Context, candidates []candidate) ([]match, error) {
	var calls []func() error
	chunks := l.batches(candidates)
	all := make([][]match, len(chunks))
	for i, some := range chunks {
		calls = append(calls, func() (err error) {
			all[i], err = l.evaluate(ctx, &l.selections[some[0].subquery], some)
			return err
		})
	}
	run := l.RunConcurrently
	if l.needsAllMembers() {
		run = RunSequentially
	}
	err := run(calls...)
	return slices.Concat(all...), err
}

// needsAllMembers tells whether all members of what is tested must be known.
func (l *execution) needsAllMembers() bool {
	return slices.ContainsFunc(l.selections, func(s subquery) bool { return s.reads.allMembers })
}

// batches splits candidates where another selection begins, and where they are too many to be held.
func (l *execution) batches(candidates []candidate) (chunks [][]candidate) {
	begin := 0
	for i := range candidates {
		s := &l.selections[candidates[i].subquery]
		if i+1 == len(candidates) || candidates[i+1].subquery != candidates[i].subquery || i+1-begin == s.batchSize(l.sizes.snapshotEdges) {
			chunks, begin = append(chunks, candidates[begin:i+1]), i+1
		}
	}
	return chunks
}

// testBatchSize is how many resources are read at once to test them; a document may have 64 KB.
const testBatchSize = 100

// batchSize is how many are read at once: with edges as many as fit a Snapshot, in keys and, at 100 KB a head, in bytes.
func (s *subquery) batchSize(snapshot int) int {
	if s.reads.onlyNamedEdges() {
		return max(1, min(30, (snapshot+1)/(1+len(s.reads.memberIDs))))
	}
	return testBatchSize
}

// evaluate reads candidates of one selection and gives those that match. An item by which a resource is found may be seen
// before or after what it points to, so what is found by keys is tested like anything else.
func (l *execution) evaluate(ctx context.Context, s *subquery, candidates []candidate) ([]match, error) {
	states, err := l.loadStates(ctx, s, candidates)
	all := joinStates(candidates, states)
	switch {
	case err != nil || s.matches == nil && s.sorter == nil && !s.plan.orderedByName:
		return all, err
	case s.reads.allMembers:
		return l.evaluateWithMembers(ctx, s, all)
	}
	return l.evaluateAll(ctx, s, all)
}

// maxLoadedMembers is how many members are held at once to test the groups that have them, unless a single group has more.
const maxLoadedMembers = 10_000

// evaluateWithMembers gives those groups that match. Their members count as resources that the request tests.
func (l *execution) evaluateWithMembers(ctx context.Context, s *subquery, all []match) (found []match, err error) {
	for len(all) > 0 {
		n, members := 0, 0
		for ; n < len(all) && (n == 0 || members+int(all[n].head.MaxMemberCount()) <= maxLoadedMembers); n++ {
			members += int(all[n].head.MaxMemberCount())
		}
		l.remainingBudget -= members
		states, err := l.LoadMembers(ctx, states(all[:n]), func(*scim.ResourceType) bool { return true })
		if err != nil {
			return nil, err
		}
		some := all[:0]
		for i, st := range states {
			if st.head != nil {
				some = append(some, match{ResourceState: st, candidate: all[i].candidate})
			}
		}
		if some, err = l.evaluateAll(ctx, s, some); err != nil {
			return nil, err
		}
		for _, m := range some {
			m.members = nil // are let go
			found = append(found, m)
		}
		all = all[n:]
	}
	return found, nil
}

// evaluateAll gives those resources that match.
func (d *Store) evaluateAll(ctx context.Context, s *subquery, all []match) (found []match, err error) {
	n := DisplayNames{}
	if s.reads.displayNames {
		if n, err = d.ReadDisplayNamesFor(ctx, math.MaxInt, states(all)...); err != nil {
			return nil, err
		}
	}
	for _, m := range all {
		ok, err := d.evaluateOne(s, &m, n)
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, m)
		}
	}
	return found, nil
}

// evaluateOne tells whether a resource matches, and finds the key by which it is sorted.
func (d *Store) evaluateOne(s *subquery, m *match, n DisplayNames) (bool, error) {
	o, err := d.BuildObject(m.ResourceState, n)
	if err != nil {
		return false, err
	}
	if named, _ := o[s.rt.Storage.NameAttribute].(string); s.sorter == nil && s.plan.orderedByName && m.candidate.orderKey != NamePrefix(s.rt)+scim.Fold(named) {
		// Who is being renamed can be met under both names, and is meant by the one in the head.
		return false, nil
	}
	if s.sorter != nil {
		m.sortValue = truncateSortValue(s.sorter.SortValue(o))
	}
	return s.matches == nil || s.matches(o), nil
}

// loadStates reads what the test of candidates needs, but for all members. What cannot be seen is left out.
func (l *execution) loadStates(ctx context.Context, s *subquery, candidates []candidate) ([]ResourceState, error) {
	ids := make([]string, len(candidates))
	for i, c := range candidates {
		ids[i] = c.id
	}
	if s.reads.onlyNamedEdges() {
		return l.loadWithEdges(ctx, s.rt, ids, s.reads.memberIDs)
	}
	return l.ReadHeads(ctx, s.rt, ids)
}

// loadWithEdges reads groups and which of some ids are their members, each as of one instant; but those that are latched are
// nobody's, and latched they stay.
func (d *Store) loadWithEdges(ctx context.Context, rt *scim.ResourceType, ids, members []string) (states []ResourceState, err error) {
	var keys []table.Key
	ids = slices.Compact(slices.Sorted(slices.Values(ids))) // one stands twice while it is being renamed
	for _, id := range ids {
		keys = append(keys, d.keys.Head(rt, id))
		for _, m := range members {
			keys = append(keys, d.keys.Edge(rt, id, m))
		}
	}
	var items []table.Item
	var n DisplayNames
	err = d.RunShortReads(
		func() (err error) { n, err = d.ReadDisplayNames(ctx, members); return err },
		func() (err error) { items, err = d.Table.Snapshot(ctx, keys...); return err },
	)
	if err != nil {
		return nil, err
	}
	there := map[table.Key]table.Item{}
	for _, it := range items {
		there[it.Key()] = it
	}
	for _, id := range ids {
		s := ResourceState{rt: rt, id: id}
		if it := there[d.keys.Head(rt, id)]; it == nil {
			continue
		} else if s.head, err = VisibleHead(it); err != nil {
			return nil, err
		}
		for _, m := range members {
			if there[d.keys.Edge(rt, id, m)] != nil {
				s.members = append(s.members, m)
			}
		}
		if s.head != nil && s.head.PendingChange != "" { // what it adds and removes is members' already
			if s.head, s.members, err = d.ReadMemberships(ctx, rt, id, members); err != nil {
				return nil, err
			}
		}
		s.members = Exclude(s.members, n.missing)
		if s.head != nil {
			states = append(states, s)
		}
	}
	return states, nil
}

// joinStates is the states of candidates, in their order. An id may stand twice among these.
func joinStates(candidates []candidate, states []ResourceState) (all []match) {
	read := make(map[string]ResourceState, len(states))
	for _, s := range states {
		read[s.id] = s
	}
	all = make([]match, 0, len(states))
	for _, c := range candidates {
		if s := read[c.id]; s.head != nil {
			all = append(all, match{ResourceState: s, candidate: c})
		}
	}
	return all
}
