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

// Params is what a client asks of a list (RFC 7644 §3.4.2).
type Params struct {
	Types      []*scim.ResourceType
	Filter     filter.Expr // nil: all
	SortBy     filter.Attr // the zero Attr: in an order that does not change
	Descending bool
	StartIndex int    // from 1; 0: the page is that of a cursor (RFC 9865)
	Cursor     string // as an earlier answer gave it; "": the first page
	Count      int    // resources at most; may be 0
	Projection scim.Projection
	Client     string // who asks: one walk by StartIndex at a time is undisturbed for each
}

// ListResult is one page of an answer.
type ListResult struct {
	TotalResults               int    // of all pages; -1, by cursor alone: not known
	StartIndex                 int    // 0: by cursor
	NextCursor, PreviousCursor string // cursors of the pages behind and before; "": there is none
	Resources                  []*Resource
}

// List lists the resources that the filter means. Those of several types come one type after the other, unless they
// are sorted; what only some of them have is in the others an attribute without a value. Who is there from the first
// page to the last, whatever their names become, is on exactly one; but where the order goes by something that changes
// meanwhile (SortBy, or the names that begin with what the filter asks for), who it moves may be on two or on none.
func (d *Store) List(ctx context.Context, q Params) (*ListResult, error) {
	l, err := d.newExecution(q)
	switch {
	case err != nil:
		return nil, err
	case q.StartIndex == 0:
		return l.pageByCursor(ctx)
	}
	return l.pageByIndex(ctx)
}

// ReadHeads reads the heads of resources, in the order of their ids given; those that cannot be seen are left out. An id
// may stand twice: while a rename is shown in part, the old name and the new one point to the same resource.
func (d *Store) ReadHeads(ctx context.Context, rt *scim.ResourceType, ids []string) ([]ResourceState, error) {
	keys, found := make([]table.Key, 0, len(ids)), make(map[string]*HeadItem, len(ids))
	for _, id := range ids {
		if _, twice := found[id]; !twice {
			found[id], keys = nil, append(keys, d.keys.Head(rt, id))
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
		if found[idFromPartition(table.StringValue(it["PK"]))], err = VisibleHead(it); err != nil {
			return nil, err
		}
	}
	states := make([]ResourceState, 0, len(keys))
	for _, k := range keys {
		if h := found[idFromPartition(k.PK)]; h != nil {
			states = append(states, ResourceState{rt: rt, id: h.ResourceID(), head: h})
		}
	}
	return states, nil
}

// Count is the number of resources of a type.
func (d *Store) Count(ctx context.Context, rt *scim.ResourceType) (int, error) {
	page, err := d.Table.Query(ctx, table.Range{PK: d.keys.CounterPartition(rt)})
	n := int64(0)
	for _, it := range page.Items {
		n += table.IntValue(it["n"])
	}
	return int(max(n, 0)), err
}

// countFitting is how many of the states fit one answer, by a rough measure, and at least one. Within an answer of a Lambda
// function what is escaped in JSON is escaped once more.
func countFitting(states []ResourceState, q Params) int {
	size := 0
	for i, s := range states {
		escaped := strings.Count(s.head.Document, `"`) + strings.Count(s.head.Document, `\`)
		if size += s.size(int(s.head.MaxMemberCount()), q.Projection) + escaped; i > 0 && size > maxPageBytes {
			return i
		}
	}
	return len(states)
}

// loadPage makes the page of its heads: with the members and names that the answer shows. A group that has changed since
// it matched is tested again.
func (l *execution) loadPage(ctx context.Context, matches []match) ([]*Resource, error) {
	displays := false
	read, err := l.LoadMembers(ctx, states(matches), func(rt *scim.ResourceType) bool {
		w := readsForResponse(rt, l.Projection)
		displays = displays || w.displayNames
		return w.members
	})
	if err != nil {
		return nil, err
	}
	for i, m := range matches {
		s := &l.selections[m.candidate.subquery]
		if read[i].head == m.head || read[i].head == nil || s.matches == nil {
			continue
		}
		m.ResourceState = read[i]
		still, err := l.evaluateAll(ctx, s, []match{m})
		if err != nil {
			return nil, err
		}
		if len(still) == 0 {
			read[i].head = nil
		}
	}
	return l.newResources(ctx, VisibleStates(read), displays)
}

// LoadMembers reads the members of groups, several at a time. Those that are gone by now have no head.
func (d *Store) LoadMembers(ctx context.Context, states []ResourceState, want func(*scim.ResourceType) bool) ([]ResourceState, error) {
	states = slices.Clone(states)
	for some := range slices.Chunk(states, 16) {
		var calls []func() error
		for i := range some {
			some[i].members = nil
			if want(some[i].rt) && some[i].head.MaxMemberCount() > 0 {
				calls = append(calls, func() error { return d.loadGroupMembers(ctx, &some[i]) })
			}
		}
		if err := d.RunConcurrently(calls...); err != nil {
			return nil, err
		}
	}
	return states, nil
}

func VisibleStates(states []ResourceState) []ResourceState {
	return slices.DeleteFunc(states, func(s ResourceState) bool { return s.head == nil })
}

// loadGroupMembers reads the members of a group whose head is known, and the head again where they do not agree.
func (d *Store) loadGroupMembers(ctx context.Context, s *ResourceState) error {
	members, next, err := d.ListEdges(ctx, s.rt, s.id, 0)
	if s.members = members; err != nil || next == "" && s.head.DigestMatches(members) {
		return err
	}
	s.head, s.members, err = d.ReadGroup(ctx, s.rt, s.id, math.MaxInt64)
	return err
}
