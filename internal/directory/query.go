package directory

import (
	"context"
	"math"
	"slices"
	"strings"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// Query is what a client asks of a list (RFC 7644 §3.4.2).
type Query struct {
	Types      []*scim.ResourceType
	Filter     filter.Expr // nil: all
	SortBy     filter.Attr // the zero Attr: in an order that does not change
	Descending bool
	StartIndex int    // from 1; 0: the page is that of a cursor (RFC 9865)
	Cursor     string // as an earlier answer gave it; "": the first page
	Count      int    // resources at most; may be 0
	Projection scim.Projection
	Reader     string // who asks: one walk by StartIndex at a time is undisturbed for each
}

// List is one page of an answer.
type List struct {
	Total          int    // of all pages; -1, by cursor alone: not known
	StartIndex     int    // 0: by cursor
	Next, Previous string // cursors of the pages behind and before; "": there is none
	Resources      []*Resource
}

// Query lists the resources that the filter means. Those of several types come one type after the other, unless they
// are sorted; what only some of them have is in the others an attribute without a value. Who is there from the first
// page to the last, whatever their names become, is on exactly one; but where the order goes by something that changes
// meanwhile (SortBy, or the names that begin with what the filter asks for), who it moves may be on two or on none.
func (d *Directory) Query(ctx context.Context, q Query) (*List, error) {
	l, err := d.listing(q)
	switch {
	case err != nil:
		return nil, err
	case q.StartIndex == 0:
		return l.byCursor(ctx)
	}
	return l.byIndex(ctx)
}

// heads reads the heads of resources, in the order of their ids given; those that cannot be seen are left out. An id
// may stand twice: while a rename is shown in part, the old name and the new one point to the same resource.
func (d *Directory) heads(ctx context.Context, rt *scim.ResourceType, ids []string) ([]state, error) {
	keys, found := make([]table.Key, 0, len(ids)), make(map[string]*head, len(ids))
	for _, id := range ids {
		if _, twice := found[id]; !twice {
			found[id], keys = nil, append(keys, d.keys.head(rt, id))
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	items, err := d.Table.Get(ctx, nil, keys...)
	if err != nil {
		return nil, err
	}
	for _, it := range items {
		if found[idIn(table.Text(it["PK"]))], err = seen(it); err != nil {
			return nil, err
		}
	}
	states := make([]state, 0, len(keys))
	for _, k := range keys {
		if h := found[idIn(k.PK)]; h != nil {
			states = append(states, state{rt: rt, id: h.id(), head: h})
		}
	}
	return states, nil
}

// Count is the number of resources of a type.
func (d *Directory) Count(ctx context.Context, rt *scim.ResourceType) (int, error) {
	page, err := d.Table.Query(ctx, table.Range{PK: d.keys.counts(rt)})
	n := int64(0)
	for _, it := range page.Items {
		n += table.Int(it["n"])
	}
	return int(max(n, 0)), err
}

// fitting is how many of the states fit one answer, by a rough measure, and at least one. Within an answer of a Lambda
// function what is escaped in JSON is escaped once more.
func fitting(states []state, q Query) int {
	size := 0
	for i, s := range states {
		escaped := strings.Count(s.head.Doc, `"`) + strings.Count(s.head.Doc, `\`)
		if size += s.size(int(s.head.most()), q.Projection) + escaped; i > 0 && size > maxPage {
			return i
		}
	}
	return len(states)
}

// reply makes the page of its heads: with the members and names that the answer shows. A group that has changed since
// it matched is tested again.
func (l *listing) reply(ctx context.Context, matches []match) ([]*Resource, error) {
	displays := false
	read, err := l.withMembers(ctx, statesOf(matches), func(rt *scim.ResourceType) bool {
		w := wanted(rt, l.Projection)
		displays = displays || w.displays
		return w.members
	})
	if err != nil {
		return nil, err
	}
	for i, m := range matches {
		s := &l.selections[m.at.from]
		if read[i].head == m.head || read[i].head == nil || s.matches == nil {
			continue
		}
		m.state = read[i]
		still, err := l.judgeAll(ctx, s, []match{m})
		if err != nil {
			return nil, err
		}
		if len(still) == 0 {
			read[i].head = nil
		}
	}
	return l.show(ctx, visible(read), displays)
}

// withMembers reads the members of groups, several at a time. Those that are gone by now have no head.
func (d *Directory) withMembers(ctx context.Context, states []state, want func(*scim.ResourceType) bool) ([]state, error) {
	states = slices.Clone(states)
	for some := range slices.Chunk(states, 16) {
		var calls []func() error
		for i := range some {
			some[i].members = nil
			if want(some[i].rt) && some[i].head.most() > 0 {
				calls = append(calls, func() error { return d.fill(ctx, &some[i]) })
			}
		}
		if err := d.together(calls...); err != nil {
			return nil, err
		}
	}
	return states, nil
}

func visible(states []state) []state {
	return slices.DeleteFunc(states, func(s state) bool { return s.head == nil })
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
