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
	counted() bool
}

// candidate is the id of a resource that a query may mean, and its place in the order.
type candidate struct {
	id, place string
	from      int // which selection's it is
}

// keyRange is the candidates that stand in one partition of the table, in the order of their sort keys.
type keyRange struct {
	*Directory
	said  string
	where table.Range
	mark  string // what sort keys begin with, and places do not
	id    func(table.Item) string
	there func(context.Context) (bool, error) // whether there are any at all; nil: yes
	total func(context.Context) (int, error)  // nil: by counting keys
}

func (s *keyRange) String() string { return s.said }
func (s *keyRange) counted() bool  { return s.total != nil }

func (s *keyRange) next(ctx context.Context, after mark, backward bool, n int) (found []candidate, end bool, err error) {
	if s.there == nil {
		return s.read(ctx, after, backward, n)
	}
	there := true
	err = s.beside(
		func() (err error) { there, err = s.there(ctx); return err },
		func() (err error) { found, end, err = s.read(ctx, after, backward, n); return err },
	)
	if !there {
		return nil, true, err
	}
	return found, end, err
}

func (s *keyRange) read(ctx context.Context, after mark, backward bool, n int) (found []candidate, end bool, err error) {
	r := s.where
	if r.Backward = backward; after.Place != "" {
		r.After = s.mark + after.Place
	}
	if after.Place != "" && !strings.HasPrefix(r.After, r.Prefix) { // it is the place of another source of a union
		if (r.After < r.Prefix) == backward {
			return nil, true, nil
		}
		r.After = ""
	}
	if after.With && r.After != "" { // a Range begins behind a key or before it, not with it
		who, err := s.Table.Get(ctx, r.Attributes, table.Key{PK: r.PK, SK: r.After})
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
		if r.After = page.Next.SK; r.After == "" {
			return found, true, nil
		}
	}
	return found, false, nil
}

func (s *keyRange) candidates(found []candidate, items []table.Item) []candidate {
	found = slices.Grow(found, len(items))
	for _, it := range items {
		found = append(found, candidate{id: s.id(it), place: strings.TrimPrefix(table.Text(it["SK"]), s.mark)})
	}
	return found
}

func (s *keyRange) count(ctx context.Context) (int, error) {
	if s.total != nil {
		return s.total(ctx)
	}
	return s.countIn(ctx, s.where)
}

// countIn counts the items of a range.
func (d *Directory) countIn(ctx context.Context, r table.Range) (n int, err error) {
	r.Attributes = []string{"SK"}
	for {
		page, err := d.Table.Query(ctx, r)
		n += len(page.Items)
		if r.After = page.Next.SK; err != nil || r.After == "" {
			return n, err
		}
	}
}

// idList is a number of candidates that can be held, in the order of their ids.
type idList struct {
	said string
	find func(context.Context) ([]string, error)
	ids  []string // once found
	done bool
}

func (s *idList) String() string { return s.said }
func (s *idList) counted() bool  { return false }

func (s *idList) all(ctx context.Context) (ids []string, err error) {
	if !s.done {
		ids, err = s.find(ctx)
		slices.Sort(ids)
		s.ids, s.done = slices.Compact(ids), err == nil
	}
	return s.ids, err
}

func (s *idList) count(ctx context.Context) (int, error) {
	ids, err := s.all(ctx)
	return len(ids), err
}

func (s *idList) next(ctx context.Context, after mark, backward bool, n int) (found []candidate, end bool, err error) {
	ids, err := s.all(ctx)
	at, there := slices.BinarySearch(ids, after.Place)
	if there && after.With == backward {
		at++
	}
	switch {
	case !backward:
		ids = ids[at:]
	case after.Place != "":
		ids = ids[:at]
	}
	if backward {
		ids = slices.Clone(ids)
		slices.Reverse(ids)
	}
	for _, id := range ids[:min(n, len(ids))] {
		found = append(found, candidate{id: id, place: id})
	}
	return found, len(found) == len(ids), err
}

// none is what can mean nothing.
func none() source { return &idList{said: "nobody", find: given()} }

func given(ids ...string) func(context.Context) ([]string, error) {
	return func(context.Context) ([]string, error) { return ids, nil }
}

// everyone is all resources of a type.
func (d *Directory) everyone(rt *scim.ResourceType) source {
	return &keyRange{
		Directory: d, said: "everyone", id: keyed,
		where: table.Range{PK: d.keys.all(rt), Attributes: []string{"SK"}},
		total: func(ctx context.Context) (int, error) { return d.Count(ctx, rt) },
	}
}

// prefixed is the resources whose folded names begin alike, in the order of these.
func (d *Directory) prefixed(rt *scim.ResourceType, folded string) source {
	return &keyRange{
		Directory: d, said: fmt.Sprintf("%s %q…", rt.Storage.Name, folded),
		where: table.Range{PK: d.keys.resources(rt), Prefix: namePrefix(rt) + folded, Attributes: []string{"SK", "id"}},
		id:    func(it table.Item) string { return table.Text(it["id"]) },
	}
}

// byName is all resources of a type, in the order of their names.
func (d *Directory) byName(rt *scim.ResourceType) source {
	s := d.prefixed(rt, "").(*keyRange)
	s.total = func(ctx context.Context) (int, error) { return d.Count(ctx, rt) }
	return s
}

// bearers is the resources that have a folded value in an attribute.
func (d *Directory) bearers(rt *scim.ResourceType, attribute, folded string) source {
	return &keyRange{
		Directory: d, said: fmt.Sprintf("%s %q", attribute, folded), id: keyed,
		where: table.Range{PK: d.keys.lookup(rt, attribute, folded), Attributes: []string{"SK"}},
	}
}

func keyed(it table.Item) string { return it.Key().SK }

// only is the resource with an id.
func (d *Directory) only(rt *scim.ResourceType, id string) source {
	if !rt.IsID(id) {
		return none()
	}
	return &idList{said: fmt.Sprintf("id %q", id), find: given(id)}
}

// bearer is the resource with a folded name.
func (d *Directory) bearer(rt *scim.ResourceType, folded string) source {
	return &idList{said: fmt.Sprintf("%s %q", rt.Storage.Name, folded), find: func(ctx context.Context) ([]string, error) {
		items, err := d.Table.Get(ctx, nil, d.keys.name(rt, folded))
		if err != nil || len(items) == 0 {
			return nil, err
		}
		n := name{}
		err = unmarshal(items[0], &n)
		return []string{n.ID}, err
	}}
}

// groupsOf is the groups that have a member, as the member tells.
func (d *Directory) groupsOf(rt *scim.ResourceType, member string) source {
	return &idList{said: fmt.Sprintf("groups of %q", member), find: func(ctx context.Context) ([]string, error) {
		of := d.Types.ByID(member)
		if of == nil {
			return nil, nil
		}
		h, err := d.head(ctx, of, member)
		if err != nil || h == nil {
			return nil, err
		}
		return slices.DeleteFunc(h.Groups, func(g string) bool { return !rt.IsID(g) }), nil
	}}
}

// membersOf is the members of a group that are of a type, in the order of their ids.
func (d *Directory) membersOf(rt *scim.ResourceType, group string) source {
	of := d.Types.ByID(group)
	if of == nil || !isGroup(of) {
		return none()
	}
	prefix := memberPrefix + rt.Storage.Letter
	s := &keyRange{
		Directory: d, said: fmt.Sprintf("members of %q", group), mark: memberPrefix,
		where: table.Range{PK: d.keys.resource(of, group), Prefix: prefix, Attributes: []string{"SK"}},
		id:    func(it table.Item) string { return member(it.Key()) },
	}
	s.there = func(ctx context.Context) (bool, error) {
		h, err := d.head(ctx, of, group)
		return h != nil, err
	}
	s.total = func(ctx context.Context) (int, error) { return d.membersLike(ctx, of, group, s.where.PK, prefix) }
	return s
}

// membersLike is how many members of a group have sort keys with a prefix: all but those of other types, who are few.
func (d *Directory) membersLike(ctx context.Context, rt *scim.ResourceType, group, pk, prefix string) (n int, err error) {
	var h *head
	var before, behind int
	err = d.beside(
		func() (err error) { h, err = d.head(ctx, rt, group); return err },
		func() (err error) {
			before, err = d.countIn(ctx, table.Range{PK: pk, From: memberPrefix, To: prefix})
			return err
		},
		func() (err error) {
			behind, err = d.countIn(ctx, table.Range{PK: pk, From: prefix + "~", To: memberPrefix + "~"})
			return err
		},
	)
	if h == nil || err != nil {
		return 0, err
	}
	return max(0, int(h.N)-before-behind), nil
}
