package directory

import (
	"context"
	"math"
	"slices"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// selection is the resources of one type that a query is about.
type selection struct {
	rt      *scim.ResourceType
	access  access
	matches scim.Predicate // nil: all do
	needs   needs          // to test it
	sorter  *scim.Sorter   // nil: in the order of access
	reverse bool           // … or against it
}

// match is a resource that a query means.
type match struct {
	state
	at  candidate
	key any // by which it is sorted
}

// behind is the place behind the resource in the order of the query.
func (m match) behind() mark {
	b := m.at.behind()
	b.Key = m.key
	return b
}

func statesOf(matches []match) []state {
	states := make([]state, len(matches))
	for i, m := range matches {
		states[i] = m.state
	}
	return states
}

// selections is what a query asks of those of its types of which it may mean any. There is always one.
func (d *Directory) selections(q Query) (all []selection, err error) {
	for _, rt := range q.Types {
		s, err := d.selection(rt, q)
		if err != nil {
			return nil, err
		}
		if s.access.source != (nothing{}) {
			all = append(all, s)
		}
	}
	if len(all) == 0 { // or there are no types: the tenant's settings name some that are not served any more
		all = []selection{{access: access{source: nothing{}, whole: true}}}
	}
	return all, nil
}

// nothing is the candidates of what can mean no resource. Their number is known, so that a total is told by cursor, too.
type nothing struct{}

func (nothing) String() string                     { return "nothing" }
func (nothing) count(context.Context) (int, error) { return 0, nil }
func (nothing) counted() bool                      { return true }

func (nothing) next(context.Context, mark, bool, int) ([]candidate, bool, error) {
	return nil, true, nil
}

func (d *Directory) selection(rt *scim.ResourceType, q Query) (s selection, err error) {
	part, all, err := rt.Part(q.Filter, q.Types)
	if err != nil {
		return s, err
	}
	s = selection{rt: rt, access: d.plan(rt, part)}
	switch {
	case part != nil:
		if s.matches, err = rt.Matcher(part); err != nil {
			return s, err
		}
		s.needs = mentioned(rt, part)
		s.needs.edges = d.eligible(s.needs.edges, "")
		s.needs.members = s.needs.members || len(s.needs.edges) >= d.sizes.snapshot
		// A group or a member that is latched is gone already. Where keys are exact they have looked for that.
		s.needs.displays = s.needs.displays || s.needs.members || !s.access.whole && asksGroups(rt, part)
	case !all:
		s.access = access{source: nothing{}, whole: true}
	}
	if q.SortBy == (filter.Attr{}) {
		return s, nil
	}
	return d.sortedBy(s, q)
}

// sortedBy is a selection in the order that the query asks for. Nothing is sorted by members, for which all of them would
// have to be read; not at the root either, where groups would stand among the others as if they had none.
func (d *Directory) sortedBy(s selection, q Query) (selection, error) {
	sorter, err := s.rt.Sorter(q.SortBy, q.Descending, q.Types...)
	if err != nil {
		return s, err
	}
	r, _ := s.rt.Resolve(q.SortBy)
	switch {
	case r.Attr != nil && r.Attr.Edges:
		return s, scim.BadRequest(scim.InvalidPath, "Resources cannot be sorted by %s, since all members would have to be read. "+
			"Sort by an attribute of the resource itself, such as %s.", q.SortBy, s.rt.Storage.Name)
	case len(q.Types) == 1 && s.access.width == byWalk && r.Extension == "" && r.Attr.Name == s.rt.Storage.Name &&
		!r.Attr.CaseExact: // this order is there already
		s.access.source, s.access.named, s.reverse = d.byName(s.rt), true, q.Descending
		return s, nil
	}
	s.needs.displays = s.needs.displays || isGroups(s.rt, r)
	s.sorter = &sorter
	return s, nil
}

// matching gives those of candidates that match, in their order. It holds 16 times tested resources at once, or, where it
// must know all their members, those of one part.
func (l *listing) matching(ctx context.Context, candidates []candidate) ([]match, error) {
	var calls []func() error
	chunks := l.chunks(candidates)
	all := make([][]match, len(chunks))
	for i, some := range chunks {
		calls = append(calls, func() (err error) {
			all[i], err = l.test(ctx, &l.selections[some[0].from], some)
			return err
		})
	}
	run := l.together
	if l.heavy() {
		run = inTurn
	}
	err := run(calls...)
	return slices.Concat(all...), err
}

// heavy tells whether all members of what is tested must be known.
func (l *listing) heavy() bool {
	return slices.ContainsFunc(l.selections, func(s selection) bool { return s.needs.members })
}

// chunks splits candidates where another selection begins, and where they are too many to be held.
func (l *listing) chunks(candidates []candidate) (chunks [][]candidate) {
	begin := 0
	for i := range candidates {
		s := &l.selections[candidates[i].from]
		if i+1 == len(candidates) || candidates[i+1].from != candidates[i].from || i+1-begin == s.atOnce(l.sizes.snapshot) {
			chunks, begin = append(chunks, candidates[begin:i+1]), i+1
		}
	}
	return chunks
}

// tested is how many resources are read at once to test them; a document may have 64 KB.
const tested = 100

// atOnce is how many are read at once: with edges as many as fit a Snapshot, in keys and, at 100 KB a head, in bytes.
func (s *selection) atOnce(snapshot int) int {
	if s.needs.edgesAlone() {
		return max(1, min(30, (snapshot+1)/(1+len(s.needs.edges))))
	}
	return tested
}

// test reads candidates of one selection and gives those that match. An item by which a resource is found may be seen
// before or after what it points to, so what is found by keys is tested like anything else.
func (l *listing) test(ctx context.Context, s *selection, candidates []candidate) ([]match, error) {
	states, err := l.load(ctx, s, candidates)
	all := joined(candidates, states)
	switch {
	case err != nil || s.matches == nil && s.sorter == nil && !s.access.named:
		return all, err
	case s.needs.members:
		return l.judgeWithMembers(ctx, s, all)
	}
	return l.judgeAll(ctx, s, all)
}

// heldMembers is how many members are held at once to test the groups that have them, unless a single group has more.
const heldMembers = 10_000

// judgeWithMembers gives those groups that match. Their members count as resources that the request tests.
func (l *listing) judgeWithMembers(ctx context.Context, s *selection, all []match) (found []match, err error) {
	for len(all) > 0 {
		n, members := 0, 0
		for ; n < len(all) && (n == 0 || members+int(all[n].head.most()) <= heldMembers); n++ {
			members += int(all[n].head.most())
		}
		l.left -= members
		states, err := l.withMembers(ctx, statesOf(all[:n]), func(*scim.ResourceType) bool { return true })
		if err != nil {
			return nil, err
		}
		some := all[:0]
		for i, st := range states {
			if st.head != nil {
				some = append(some, match{state: st, at: all[i].at})
			}
		}
		if some, err = l.judgeAll(ctx, s, some); err != nil {
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

// judgeAll gives those resources that match.
func (d *Directory) judgeAll(ctx context.Context, s *selection, all []match) (found []match, err error) {
	n := names{}
	if s.needs.displays {
		if n, err = d.names(ctx, math.MaxInt, statesOf(all)...); err != nil {
			return nil, err
		}
	}
	for _, m := range all {
		ok, err := d.judge(s, &m, n)
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, m)
		}
	}
	return found, nil
}

// judge tells whether a resource matches, and finds the key by which it is sorted.
func (d *Directory) judge(s *selection, m *match, n names) (bool, error) {
	o, err := d.object(m.state, n)
	if err != nil {
		return false, err
	}
	if named, _ := o[s.rt.Storage.Name].(string); s.sorter == nil && s.access.named && m.at.place != namePrefix(s.rt)+scim.Fold(named) {
		// Who is being renamed can be met under both names, and is meant by the one in the head.
		return false, nil
	}
	if s.sorter != nil {
		m.key = shortened(s.sorter.Key(o))
	}
	return s.matches == nil || s.matches(o), nil
}

// load reads what the test of candidates needs, but for all members. What cannot be seen is left out.
func (l *listing) load(ctx context.Context, s *selection, candidates []candidate) ([]state, error) {
	ids := make([]string, len(candidates))
	for i, c := range candidates {
		ids[i] = c.id
	}
	if s.needs.edgesAlone() {
		return l.withEdges(ctx, s.rt, ids, s.needs.edges)
	}
	return l.heads(ctx, s.rt, ids)
}

// withEdges reads groups and which of some ids are their members, each as of one instant; but those that are latched are
// nobody's, and latched they stay.
func (d *Directory) withEdges(ctx context.Context, rt *scim.ResourceType, ids, members []string) (states []state, err error) {
	var keys []table.Key
	ids = slices.Compact(slices.Sorted(slices.Values(ids))) // one stands twice while it is being renamed
	for _, id := range ids {
		keys = append(keys, d.keys.head(rt, id))
		for _, m := range members {
			keys = append(keys, d.keys.edge(rt, id, m))
		}
	}
	var items []table.Item
	var n names
	err = d.beside(
		func() (err error) { n, err = d.displays(ctx, members); return err },
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
		s := state{rt: rt, id: id}
		if it := there[d.keys.head(rt, id)]; it == nil {
			continue
		} else if s.head, err = seen(it); err != nil {
			return nil, err
		}
		for _, m := range members {
			if there[d.keys.edge(rt, id, m)] != nil {
				s.members = append(s.members, m)
			}
		}
		if s.head != nil && s.head.Pending != "" { // what it adds and removes is members' already
			if s.head, s.members, err = d.some(ctx, rt, id, members); err != nil {
				return nil, err
			}
		}
		s.members = without(s.members, n.gone)
		if s.head != nil {
			states = append(states, s)
		}
	}
	return states, nil
}

// joined is the states of candidates, in their order. An id may stand twice among these.
func joined(candidates []candidate, states []state) (all []match) {
	read := make(map[string]state, len(states))
	for _, s := range states {
		read[s.id] = s
	}
	all = make([]match, 0, len(states))
	for _, c := range candidates {
		if s := read[c.id]; s.head != nil {
			all = append(all, match{state: s, at: c})
		}
	}
	return all
}
