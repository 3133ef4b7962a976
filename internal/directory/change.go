package directory

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"

	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// change is what a client asks of a resource that is there.
type change struct {
	*Directory
	rt    *scim.ResourceType
	id    string
	match Precondition
	edit  func(scim.Object) (scim.Object, patch.Members, error) // from the document that is to the one that is to be
	named []string                                              // members that it may add or remove
	whole bool                                                  // it depends on all members
	tree  bool                                                  // … and sees them in the document
	want  parts                                                 // of the answer
	large bool                                                  // the answer has the members of a large group, too
	made  *Change                                               // by the last attempt
	ask   func(Change) error                                    // whether it may be
	*candidates
}

// difference is what has to be done where some are members already.
func difference(m patch.Members, has []string) (add, remove []string) {
	is, stays := set(has), set(m.Add)
	for _, id := range m.Add {
		if !is[id] {
			add = append(add, id)
		}
	}
	from := m.Remove
	if m.Replaced {
		from = has
	}
	for _, id := range from {
		if is[id] && !stays[id] {
			remove = append(remove, id)
		}
	}
	return add, remove
}

func set(ids []string) map[string]bool {
	s := make(map[string]bool, len(ids))
	for _, id := range ids {
		s[id] = true
	}
	return s
}

// plan is what was read before a change.
type plan struct {
	state          // the members are there if known
	has   []string // the members among those that matter
	known bool
	names names // of the members, if edit sees them
}

// do makes the change take effect, trying again until it meets no other.
func (c change) do(ctx context.Context) (answer *Resource, err error) {
	c.candidates, c.made, c.ask = newCandidates(), &Change{}, c.asking(ctx)
	err = c.retry(ctx, func() (err error) {
		answer, err = c.attempt(ctx)
		return err
	})
	if err == nil {
		answer.Change = *c.made
		c.logUnknown(ctx, c.rt, c.id, len(c.gone))
	}
	return answer, err
}

func (c change) attempt(ctx context.Context) (*Resource, error) {
	p, err := c.plan(ctx)
	switch {
	case err != nil:
		return nil, err
	case p.head == nil:
		return nil, notFound(c.rt, c.id)
	case c.match != nil && !c.match(p.head.version(c.rt)):
		return nil, Stale(c.rt)
	}
	e, next, err := c.effect(ctx, p)
	if err == nil {
		err = c.ask(*c.made)
	}
	if err != nil {
		return nil, err
	}
	if e == nil { // RFC 7644 §3.5.2: what changes nothing leaves version and lastModified
		return c.answer(ctx, p)
	}
	var n names
	shown := !c.want.members || p.known && !c.tooLarge(next.head)
	if p.state = next; !shown {
		p.members = nil
	}
	if err := c.takeAndName(ctx, e, p.state, parts{displays: c.want.displays && shown}, &n); err != nil {
		return nil, err
	}
	if !shown {
		if r, err := c.answer(ctx, p); err == nil {
			return r, nil
		}
		return c.partial(p), nil // the change is made, whatever became of the group since
	}
	return c.resource(p.state, n), nil
}

// plan reads what the change depends on, and beside it the members that the answer will show.
func (c change) plan(ctx context.Context) (p plan, err error) {
	p.rt, p.id = c.rt, c.id
	named := c.eligible(c.named, c.id)
	if c.whole || len(named) > c.sizes.some {
		most := int64(math.MaxInt64)
		if !c.whole {
			most = int64(c.sizes.query * len(named))
		}
		p.head, p.members, err = c.Directory.whole(ctx, c.rt, c.id, most)
		if p.has, p.known = p.members, true; c.tree && err == nil {
			p.names, err = c.displays(ctx, p.members)
		}
		if !errors.Is(err, errMany) {
			return p, err
		}
		p.members = nil
	}
	calls := []func() error{func() (err error) {
		p.head, p.has, err = c.some(ctx, c.rt, c.id, named)
		return err
	}}
	next := ""
	if c.want.members {
		calls = append(calls, func() (err error) {
			p.members, next, err = c.edges(ctx, c.rt, c.id, maxReadBack+1)
			return err
		})
	}
	err = c.beside(calls...)
	p.known = c.want.members && next == "" && p.head != nil && p.head.agrees(p.members)
	return p, err
}

// effect is what has to be written, nil if nothing, and the state that it leads to.
func (c change) effect(ctx context.Context, p plan) (*effect, state, error) {
	old, err := decode(p.head.Doc)
	if err != nil {
		return nil, state{}, err
	}
	before := maps.Clone(old)
	if c.tree {
		c.list(before, "members", p.members, p.names)
	}
	o, m, err := c.edit(before)
	if err != nil {
		return nil, state{}, err
	}
	wish := m.Add
	m.Add = without(c.possible(wish, c.id, c.candidates), c.gone)
	add, remove := difference(m, p.has)
	if err := c.strict(ctx, wish, c.id, add, c.candidates); err != nil {
		return nil, state{}, err
	}
	next, u, err := c.update(p.head, o, len(add)+len(remove) > 0)
	if *c.made = changed(c.rt, p.head, p.head, nil, nil, false); err != nil || u == nil {
		return nil, state{}, err
	}
	e := &effect{rt: c.rt, id: c.id, head: *u, refused: lost, add: add, remove: remove, candidates: c.candidates}
	if err := c.rename(&e.rest, old, o); err != nil {
		return nil, state{}, err
	}
	*c.made = changed(c.rt, p.head, next, old, o, e.edges() > 0)
	n, sum := e.counts()
	next.N, next.Sum = next.N+n, next.Sum+sum
	members := slices.Sorted(slices.Values(slices.Concat(without(p.members, set(remove)), add)))
	return e, state{c.rt, c.id, next, members}, nil
}

// possible is the ids that could be members' of a group; the others are noted as gone.
func (d *Directory) possible(ids []string, group string, c *candidates) []string {
	eligible := d.eligible(ids, group)
	is := set(eligible)
	for _, id := range ids {
		if !is[id] {
			c.gone[id] = true
		}
	}
	return eligible
}

// update is the write of the head itself, but for what counts its members, and the head that it leads to; nil if nothing
// changes.
func (c change) update(old *head, o scim.Object, members bool) (*head, *table.Update, error) {
	doc, err := encode(o)
	if err != nil || doc == old.Doc && !members {
		return nil, nil, err
	}
	h := *old
	h.Ver, h.Modified = h.Ver+1, c.now()
	u := &table.Update{
		Key: h.Key,
		Set: table.Item{"modified": table.S(h.Modified)},
		Add: table.Item{"ver": table.N(1)},
		If:  []table.Condition{table.Equals("ver", table.N(old.Ver)), table.Without("deleting")},
	}
	if c.match != nil || c.rt.Attribute("groups") != nil { // the answer shows the groups as read
		u.If = append(u.If, table.Equals("gver", table.N(old.GVer)))
	}
	if doc != old.Doc {
		h.Doc, h.Display = doc, display(o)
		u.Set["doc"], u.Set["display"] = table.S(h.Doc), table.S(h.Display)
	}
	return &h, u, nil
}

// rename adds to a transaction what moves the names by which the resource is found.
func (c change) rename(t *transaction, old, now scim.Object) error {
	from, err := c.bearing(c.rt, c.id, old)
	if err != nil {
		return err
	}
	to, err := c.bearing(c.rt, c.id, now)
	if err == nil {
		c.bear(t, c.rt, c.id, &from, &to)
	}
	return err
}

// answer reads what the answer shows and the plan does not know. A large group is not read back for nothing.
func (c change) answer(ctx context.Context, p plan) (*Resource, error) {
	switch {
	case c.want.members && c.tooLarge(p.head):
		return c.partial(p), nil
	case c.want.members && !p.known:
		return c.get(ctx, c.rt, c.id, c.want)
	}
	r, err := c.show(ctx, []state{p.state}, c.want.displays)
	if err != nil {
		return nil, err
	}
	return r[0], nil
}

func (c change) tooLarge(h *head) bool { return h.N > maxReadBack && !c.large }

// partial is the group without its members.
func (c change) partial(p plan) *Resource {
	r := c.resource(state{c.rt, c.id, p.head, nil}, names{})
	r.Partial = true
	return r
}

// Stale is the error of a request whose If-Match names another version.
func Stale(rt *scim.ResourceType) error {
	return &scim.Error{Status: 412, Detail: "The " + rt.Name + " has another version than If-Match asks for. " +
		"Read it again and repeat the request."}
}
