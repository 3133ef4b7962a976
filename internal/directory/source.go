package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// source gives the candidates of a query in one order, which does not change while a client pages through them. It is
// made for one request.
type source interface {
	// String tells the way, for people and tests.
	String() string

	// next gives up to n candidates behind the place of a mark in the order ("": from its beginning), or those before it
	// from the last to the first, and tells whether these are all that there are.
	next(ctx context.Context, after mark, backward bool, n int) (found []candidate, end bool, err error)

	// count is how many there are.
	count(ctx context.Context) (int, error)

	// counted tells whether count costs less than to go through them.
	hasCheapCount() bool
}

// candidate is the id of a resource that a query may mean, and its place in the order.
type candidate struct {
	id, orderKey string
	subquery     int // which selection's it is
}

// rangeSource is the candidates that stand in one partition of the table, in the order of their sort keys.
type rangeSource struct {
	*Store
	description string
	keyRange    table.Range
	keyPrefix   string // what sort keys begin with, and places do not
	id          func(table.Item) string
	exists      func(context.Context) (bool, error) // whether there are any at all; nil: yes
	countTotal  func(context.Context) (int, error)  // nil: by counting keys
}

func (s *rangeSource) String() string      { return s.description }
func (s *rangeSource) hasCheapCount() bool { return s.countTotal != nil }

func (s *rangeSource) next(ctx context.Context, after mark, backward bool, n int) (found []candidate, end bool, err error) {
	if s.exists == nil {
		return s.read(ctx, after, backward, n)
	}
	there := true
	err = s.RunShortReads(
		func() (err error) { there, err = s.exists(ctx); return err },
		func() (err error) { found, end, err = s.read(ctx, after, backward, n); return err },
	)
	if !there {
		return nil, true, err
	}
	return found, end, err
}

func (s *rangeSource) read(ctx context.Context, after mark, backward bool, n int) (found []candidate, end bool, err error) {
	r := s.keyRange
	if r.Backward = backward; after.OrderKey != "" {
		r.ExclusiveStart = s.keyPrefix + after.OrderKey
	}
	if after.OrderKey != "" && !strings.HasPrefix(r.ExclusiveStart, r.Prefix) { // it is the place of another source of a union
		if (r.ExclusiveStart < r.Prefix) == backward {
			return nil, true, nil
		}
		r.ExclusiveStart = ""
	}
	if after.Inclusive && r.ExclusiveStart != "" { // a Range begins behind a key or before it, not with it
		who, err := s.Table.Get(ctx, r.Attributes, table.Key{PK: r.PK, SK: r.ExclusiveStart})
		if err != nil {
			return nil, false, err
		}
		found = s.candidates(found, who)
	}
	for len(found) < n {
		r.Limit = n - len(found)
		page, err := s.Table.Query(ctx, r)
		if err != nil {
			return nil, false, err
		}
		found = s.candidates(found, page.Items)
		if r.ExclusiveStart = page.LastEvaluatedKey.SK; r.ExclusiveStart == "" {
			return found, true, nil
		}
	}
	return found, false, nil
}

func (s *rangeSource) candidates(found []candidate, items []table.Item) []candidate {
	found = slices.Grow(found, len(items))
	for _, it := range items {
		found = append(found, candidate{id: s.id(it), orderKey: strings.TrimPrefix(table.StringValue(it["SK"]), s.keyPrefix)})
	}
	return found
}

func (s *rangeSource) count(ctx context.Context) (int, error) {
	if s.countTotal != nil {
		return s.countTotal(ctx)
	}
	return s.countRange(ctx, s.keyRange)
}

// countRange counts the items of a range.
func (d *Store) countRange(ctx context.Context, r table.Range) (n int, err error) {
	r.Attributes = []string{"SK"}
	for {
		page, err := d.Table.Query(ctx, r)
		n += len(page.Items)
		if r.ExclusiveStart = page.LastEvaluatedKey.SK; err != nil || r.ExclusiveStart == "" {
			return n, err
		}
	}
}

// idSource is a number of candidates that can be held, in the order of their ids.
type idSource struct {
	description string
	load        func(context.Context) ([]string, error)
	ids         []string // once found
	loaded      bool
}

func (s *idSource) String() string      { return s.description }
func (s *idSource) hasCheapCount() bool { return false }

func (s *idSource) all(ctx context.Context) (ids []string, err error) {
	if !s.loaded {
		ids, err = s.load(ctx)
		slices.Sort(ids)
		s.ids, s.loaded = slices.Compact(ids), err == nil
	}
	return s.ids, err
}

func (s *idSource) count(ctx context.Context) (int, error) {
	ids, err := s.all(ctx)
	return len(ids), err
}

func (s *idSource) next(ctx context.Context, after mark, backward bool, n int) (found []candidate, end bool, err error) {
	ids, err := s.all(ctx)
	at, there := slices.BinarySearch(ids, after.OrderKey)
	if there && after.Inclusive == backward {
		at++
	}
	switch {
	case !backward:
		ids = ids[at:]
	case after.OrderKey != "":
		ids = ids[:at]
	}
	if backward {
		ids = slices.Clone(ids)
		slices.Reverse(ids)
	}
	for _, id := range ids[:min(n, len(ids))] {
		found = append(found, candidate{id: id, orderKey: id})
	}
	return found, len(found) == len(ids), err
}

// noCandidates is what can mean nothing.
func noCandidates() source { return &idSource{description: "nobody", load: fixedIDs()} }

func fixedIDs(ids ...string) func(context.Context) ([]string, error) {
	return func(context.Context) ([]string, error) { return ids, nil }
}

// allResources is all resources of a type.
func (d *Store) allResources(rt *scim.ResourceType) source {
	return &rangeSource{
		Store: d, description: "everyone", id: idFromSortKey,
		keyRange:   table.Range{PK: d.keys.AllPartition(rt), Attributes: []string{"SK"}},
		countTotal: func(ctx context.Context) (int, error) { return d.Count(ctx, rt) },
	}
}

// resourcesByNamePrefix is the resources whose folded names begin alike, in the order of these.
func (d *Store) resourcesByNamePrefix(rt *scim.ResourceType, folded string) source {
	return &rangeSource{
		Store: d, description: fmt.Sprintf("%s %q…", rt.Storage.NameAttribute, folded),
		keyRange: table.Range{PK: d.keys.TypePartition(rt), Prefix: NamePrefix(rt) + folded, Attributes: []string{"SK", "id"}},
		id:       func(it table.Item) string { return table.StringValue(it["id"]) },
	}
}

// allByName is all resources of a type, in the order of their names.
func (d *Store) allByName(rt *scim.ResourceType) source {
	s := d.resourcesByNamePrefix(rt, "").(*rangeSource)
	s.countTotal = func(ctx context.Context) (int, error) { return d.Count(ctx, rt) }
	return s
}

// resourcesByIndexedValue is the resources that have a folded value in an attribute.
func (d *Store) resourcesByIndexedValue(rt *scim.ResourceType, attribute, folded string) source {
	return &rangeSource{
		Store: d, description: fmt.Sprintf("%s %q", attribute, folded), id: idFromSortKey,
		keyRange: table.Range{PK: d.keys.IndexPartition(rt, attribute, folded), Attributes: []string{"SK"}},
	}
}

func idFromSortKey(it table.Item) string { return it.Key().SK }

// resourceByID is the resource with an id.
func (d *Store) resourceByID(rt *scim.ResourceType, id string) source {
	if !rt.IsID(id) {
		return noCandidates()
	}
	return &idSource{description: fmt.Sprintf("id %q", id), load: fixedIDs(id)}
}

// resourceByName is the resource with a folded name.
func (d *Store) resourceByName(rt *scim.ResourceType, folded string) source {
	return &idSource{description: fmt.Sprintf("%s %q", rt.Storage.NameAttribute, folded), load: func(ctx context.Context) ([]string, error) {
		items, err := d.Table.Get(ctx, nil, d.keys.Name(rt, folded))
		if err != nil || len(items) == 0 {
			return nil, err
		}
		n := NameItem{}
		err = UnmarshalItem(items[0], &n)
		return []string{n.ResourceID}, err
	}}
}

// groupsOfMember is the groups that have a member, as the member tells.
func (d *Store) groupsOfMember(rt *scim.ResourceType, member string) source {
	return &idSource{description: fmt.Sprintf("groups of %q", member), load: func(ctx context.Context) ([]string, error) {
		of := d.Types.ByID(member)
		if of == nil {
			return nil, nil
		}
		h, err := d.ReadHead(ctx, of, member)
		if err != nil || h == nil {
			return nil, err
		}
		return slices.DeleteFunc(h.Groups, func(g string) bool { return !rt.IsID(g) }), nil
	}}
}

// membersOfGroup is the members of a group that are of a type, in the order of their ids.
func (d *Store) membersOfGroup(rt *scim.ResourceType, group string) source {
	of := d.Types.ByID(group)
	if of == nil || !isGroup(of) {
		return noCandidates()
	}
	prefix := EdgePrefix + rt.Storage.IDPrefix
	s := &rangeSource{
		Store: d, description: fmt.Sprintf("members of %q", group), keyPrefix: EdgePrefix,
		keyRange: table.Range{PK: d.keys.ResourcePartition(of, group), Prefix: prefix, Attributes: []string{"SK"}},
		id:       func(it table.Item) string { return MemberID(it.Key()) },
	}
	s.exists = func(ctx context.Context) (bool, error) {
		h, err := d.ReadHead(ctx, of, group)
		return h != nil, err
	}
	s.countTotal = func(ctx context.Context) (int, error) {
		return d.countMembersOfType(ctx, of, group, s.keyRange.PK, prefix)
	}
	return s
}

// countMembersOfType is how many members of a group have sort keys with a prefix: all but those of other types, who are few.
func (d *Store) countMembersOfType(ctx context.Context, rt *scim.ResourceType, group, pk, prefix string) (n int, err error) {
	var h *HeadItem
	var before, behind int
	err = d.RunShortReads(
		func() (err error) { h, err = d.ReadHead(ctx, rt, group); return err },
		func() (err error) {
			before, err = d.countRange(ctx, table.Range{PK: pk, From: EdgePrefix, To: prefix})
			return err
		},
		func() (err error) {
			behind, err = d.countRange(ctx, table.Range{PK: pk, From: prefix + "~", To: EdgePrefix + "~"})
			return err
		},
	)
	if h == nil || err != nil {
		return 0, err
	}
	return max(0, int(h.MemberCount)-before-behind), nil
}
