package directory

import (
	"context"
	"math"
	"slices"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// selection is the resources of one type that a query is about.
type selection struct {
	rt      *scim.ResourceType
	matches scim.Predicate
	needs   parts // to test it
	access  access
	sorter  *scim.Sorter // nil: by name
}

// selections is what a query asks of each of its types. It is an error if it makes sense for none.
func (d *Directory) selections(q Query) (all []selection, first error) {
	for _, rt := range q.Types {
		s, err := d.selection(rt, q)
		if err == nil {
			all = append(all, s)
		} else if first == nil {
			first = err
		}
	}
	if len(all) > 0 {
		return all, nil
	}
	return nil, first
}

func (d *Directory) selection(rt *scim.ResourceType, q Query) (s selection, err error) {
	s = selection{rt: rt, matches: func(scim.Object) bool { return true }}
	if q.Filter != nil {
		if s.matches, err = rt.Matcher(q.Filter); err != nil {
			return s, err
		}
		s.needs, s.access = mentioned(rt, q.Filter), d.access(rt, q.Filter)
	}
	if q.SortBy.Name != "" {
		sorter, err := rt.Sorter(q.SortBy, q.Descending)
		if err != nil {
			return s, err
		}
		s.sorter = &sorter
	}
	return s, nil
}

// matches collects what a query means: how much that is, and the page that was asked for.
type matches struct {
	*Directory
	query  Query
	total  int
	window []state  // the page, if nothing has to be sorted
	sorted []sorted // otherwise all that match
	sorter *scim.Sorter
	seen   map[string]bool // those counted: who is renamed meanwhile is met twice
}

// sorted is what has to be known of a resource to find its place.
type sorted struct {
	rt  *scim.ResourceType
	id  string
	key any
}

// collect tests all that a selection can mean. A name or a lookup item may be seen before or after what it points to,
// so what is found by keys is tested like anything else.
func (m *matches) collect(ctx context.Context, s selection) error {
	if s.access == nil {
		return m.walk(ctx, s)
	}
	ids, err := s.access(ctx)
	if err != nil {
		return err
	}
	return m.test(ctx, s, ids)
}

// walk tests every resource, in the order of names.
func (m *matches) walk(ctx context.Context, s selection) error {
	r := table.Range{PK: m.keys.resources(s.rt), Prefix: namePrefix(s.rt), Limit: batch}
	for {
		ids, next, err := m.directory(ctx, r)
		if err != nil {
			return err
		}
		if err := m.test(ctx, s, ids); err != nil || next == "" {
			return err
		}
		r.After = next
	}
}

// test counts the resources that match, and keeps those of the page. It holds a few at a time: a document may have 64 KB.
func (m *matches) test(ctx context.Context, s selection, ids []string) error {
	for some := range slices.Chunk(ids, tested) {
		states, err := m.heads(ctx, s.rt, some)
		if err != nil {
			return err
		}
		if states, err = m.withMembers(ctx, states, func(*scim.ResourceType) bool { return s.needs.members }); err != nil {
			return err
		}
		n := names{}
		if s.needs.displays {
			if n, err = m.names(ctx, math.MaxInt, states...); err != nil {
				return err
			}
		}
		for _, found := range states {
			r, err := m.resource(found, n)
			if err != nil {
				return err
			}
			if s.matches(r.Object) && !m.seen[found.id] {
				m.add(s, found, r.Object)
			}
		}
	}
	return nil
}

func (m *matches) add(s selection, found state, o scim.Object) {
	m.total++
	m.seen[found.id] = true
	if s.sorter != nil {
		m.sorter, m.sorted = s.sorter, append(m.sorted, sorted{s.rt, found.id, s.sorter.Key(o)})
	} else if m.total >= m.query.StartIndex && len(m.window) < m.query.Count {
		m.window = append(m.window, state{rt: s.rt, id: found.id, head: found.head})
	}
}

// page is the heads of the page. Of what is sorted they are read again: only the keys of all are held.
func (m *matches) page(ctx context.Context) ([]state, error) {
	if m.sorter == nil {
		return m.window, nil
	}
	slices.SortStableFunc(m.sorted, func(a, b sorted) int { return m.sorter.Compare(a.key, b.key) })
	from := min(m.query.StartIndex-1, len(m.sorted))
	var states []state
	for _, s := range m.sorted[from:min(from+m.query.Count, len(m.sorted))] {
		states = append(states, state{rt: s.rt, id: s.id})
	}
	return m.readAll(ctx, states)
}

// readAll reads the heads of states; those that are gone by now are left out.
func (m *matches) readAll(ctx context.Context, states []state) ([]state, error) {
	heads := map[string]*head{}
	for _, rt := range m.query.Types {
		var ids []string
		for _, s := range states {
			if s.rt == rt {
				ids = append(ids, s.id)
			}
		}
		read, err := m.heads(ctx, rt, ids)
		if err != nil {
			return nil, err
		}
		for _, s := range read {
			heads[s.id] = s.head
		}
	}
	for i := range states {
		states[i].head = heads[states[i].id]
	}
	return slices.DeleteFunc(states, func(s state) bool { return s.head == nil }), nil
}
