package directory

import (
	"context"
	"math"
	"slices"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// Query is what a client asks of a list (RFC 7644 §3.4.2).
type Query struct {
	Types      []*scim.ResourceType
	Filter     filter.Expr // nil: all
	SortBy     filter.Attr // the zero Attr: by name
	Descending bool
	StartIndex int // from 1
	Count      int // resources at most; may be 0
	Projection scim.Projection
}

// List is one page of an answer.
type List struct {
	Total      int // of all pages
	StartIndex int
	Resources  []*Resource
}

// Query lists the resources that the filter means. Those of several types come one type after the other, unless they
// are sorted; a type that does not have the filter's attributes has none of them.
func (d *Directory) Query(ctx context.Context, q Query) (*List, error) {
	if len(q.Types) == 1 && q.Filter == nil && q.SortBy == (filter.Attr{}) {
		return d.page(ctx, q.Types[0], q)
	}
	selections, err := d.selections(q)
	if err != nil {
		return nil, err
	}
	m := matches{Directory: d, query: q, seen: map[string]bool{}}
	for _, s := range selections {
		if err := m.collect(ctx, s); err != nil {
			return nil, err
		}
	}
	states, err := m.page(ctx)
	if err != nil {
		return nil, err
	}
	return d.reply(ctx, q, m.total, states[:fitting(states, q)])
}

// page lists all resources, one page of them.
func (d *Directory) page(ctx context.Context, rt *scim.ResourceType, q Query) (*List, error) {
	total, more, states := 0, false, []state(nil)
	err := d.together(
		func() (err error) { total, err = d.total(ctx, rt); return err },
		func() (err error) { states, more, err = d.listed(ctx, rt, q); return err },
	)
	if err != nil {
		return nil, err
	}
	if cut := fitting(states, q); cut < len(states) {
		states, more = states[:cut], true
	}
	reached := q.StartIndex - 1 + len(states)
	if len(states) == 0 {
		reached = 0
	}
	if more { // clients stop at the total, so it must not be behind while there is more
		reached++
	}
	return d.reply(ctx, q, max(total, reached), states)
}

// listed reads the heads of one page in the order of names, and whether there are names behind it: it reads one more.
func (d *Directory) listed(ctx context.Context, rt *scim.ResourceType, q Query) (states []state, more bool, err error) {
	skip, ids, there := q.StartIndex-1, []string(nil), map[string]bool{}
	r := table.Range{PK: d.keys.resources(rt), Prefix: namePrefix(rt)}
	for q.Count > 0 {
		r.Limit = min(skip+q.Count-len(states)+1, batch)
		if ids, r.After, err = d.directory(ctx, r); err != nil {
			return nil, false, err
		}
		n := min(skip, len(ids))
		skip, ids = skip-n, ids[n:]
		if over := len(states) + len(ids) - q.Count; over > 0 {
			ids, more = ids[:len(ids)-over], true
		}
		heads, err := d.heads(ctx, rt, ids)
		if err != nil {
			return nil, false, err
		}
		for _, s := range heads { // who is renamed between two calls is met twice
			if !there[s.id] {
				there[s.id], states = true, append(states, s)
			}
		}
		if more || r.After == "" {
			break
		}
	}
	return states, more, nil
}

// directory reads ids in the order of names, and where to go on.
func (d *Directory) directory(ctx context.Context, r table.Range) (ids []string, next string, err error) {
	page, err := d.Table.Query(ctx, r)
	for _, it := range page.Items {
		n := name{}
		if err := unmarshal(it, &n); err != nil {
			return nil, "", err
		}
		ids = append(ids, n.ID)
	}
	return ids, page.Next.SK, err
}

// heads reads the heads of resources, in the order of their ids given; those that cannot be seen are left out. An id
// may stand twice: while a rename is shown in part, the old name and the new one point to the same resource.
func (d *Directory) heads(ctx context.Context, rt *scim.ResourceType, ids []string) ([]state, error) {
	var keys []table.Key
	there := map[string]bool{}
	for _, id := range ids {
		if !there[id] {
			there[id], keys = true, append(keys, d.keys.head(rt, id))
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	items, err := d.Table.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	found := make(map[table.Key]*head, len(items))
	for _, it := range items {
		if found[it.Key()], err = seen(it); err != nil {
			return nil, err
		}
	}
	var states []state
	for _, k := range keys {
		if h := found[k]; h != nil {
			states = append(states, state{rt: rt, id: h.id(), head: h})
		}
	}
	return states, nil
}

// total is the number of resources of a type.
func (d *Directory) total(ctx context.Context, rt *scim.ResourceType) (int, error) {
	page, err := d.Table.Query(ctx, table.Range{PK: d.keys.counts(rt)})
	n := int64(0)
	for _, it := range page.Items {
		n += table.Int(it["n"])
	}
	return int(max(n, 0)), err
}

// fitting is how many of the states fit one answer, by a rough measure, and at least one.
func fitting(states []state, q Query) int {
	size := 0
	for i, s := range states {
		related := len(s.head.Groups)
		if wanted(s.rt, q.Projection).members {
			related += int(s.head.most())
		}
		if size += len(s.head.Doc) + 170*related; i > 0 && size > maxPage {
			return i
		}
	}
	return len(states)
}

// reply makes the page of its heads: with the members and names that the answer shows.
func (d *Directory) reply(ctx context.Context, q Query, total int, states []state) (*List, error) {
	displays := false
	states, err := d.withMembers(ctx, states, func(rt *scim.ResourceType) bool {
		w := wanted(rt, q.Projection)
		displays = displays || w.displays
		return w.members
	})
	if err != nil {
		return nil, err
	}
	resources, err := d.show(ctx, states, displays)
	return &List{Total: total, StartIndex: q.StartIndex, Resources: resources}, err
}

// withMembers reads the members of groups, several at a time; those that are gone by now are left out.
func (d *Directory) withMembers(ctx context.Context, states []state, want func(*scim.ResourceType) bool) ([]state, error) {
	states = slices.Clone(states)
	for some := range slices.Chunk(states, 16) {
		var calls []func() error
		for i := range some {
			if want(some[i].rt) && some[i].head.most() > 0 {
				calls = append(calls, func() error { return d.fill(ctx, &some[i]) })
			}
		}
		if err := d.together(calls...); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(states, func(s state) bool { return s.head == nil }), nil
}

// fill reads the members of a group whose head is known, and the head again where they do not agree.
func (d *Directory) fill(ctx context.Context, s *state) error {
	members, next, err := d.edges(ctx, s.rt, s.id, 0)
	if s.members = members; err != nil || next == "" && s.head.agrees(members) {
		return err
	}
	s.head, s.members, err = d.whole(ctx, s.rt, s.id, math.MaxInt64)
	return err
}
