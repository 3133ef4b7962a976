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

// update is what a client asks of a resource that is there.
type update struct {
	*Store
	rt                *scim.ResourceType
	id                string
	precondition      Precondition
	edit              func(scim.Object) (scim.Object, patch.MemberChanges, error) // from the document that is to the one that is to be
	memberIDs         []string                                                    // members that it may add or remove
	needsAllMembers   bool                                                        // it depends on all members
	membersInDocument bool                                                        // … and sees them in the document
	reads             responseReads                                               // of the answer
	returnLargeGroup  bool                                                        // the answer has the members of a large group, too
	summary           *ChangeSummary                                              // by the last attempt
	guard             func(ChangeSummary) error                                   // whether it may be
	*AttemptState
}

// diffMembers is what has to be done where some are members already.
func diffMembers(m patch.MemberChanges, has []string) (add, remove []string) {
	is, stays := IDSet(has), IDSet(m.Add)
	for _, id := range m.Add {
		if !is[id] {
			add = append(add, id)
		}
	}
	from := m.Remove
	if m.ReplaceAll {
		from = has
	}
	for _, id := range from {
		if is[id] && !stays[id] {
			remove = append(remove, id)
		}
	}
	return add, remove
}

func IDSet(ids []string) map[string]bool {
	s := make(map[string]bool, len(ids))
	for _, id := range ids {
		s[id] = true
	}
	return s
}

// currentState is what was read before a change.
type currentState struct {
	ResourceState           // the members are there if known
	presentMembers []string // the members among those that matter
	membersKnown   bool
	names          DisplayNames // of the members, if edit sees them
}

// run makes the change take effect, trying again until it meets no other.
func (c update) run(ctx context.Context) (answer *Resource, err error) {
	c.AttemptState, c.summary, c.guard = NewAttemptState(), &ChangeSummary{}, c.guardOnce(ctx)
	err = c.Backoff.RetryConflicts(ctx, func() (err error) {
		answer, err = c.attempt(ctx)
		return err
	})
	if err == nil {
		answer.Summary = *c.summary
		c.logSkippedMembers(ctx, c.rt, c.id, len(c.missing))
	}
	return answer, err
}

func (c update) attempt(ctx context.Context) (*Resource, error) {
	p, err := c.readCurrent(ctx)
	switch {
	case err != nil:
		return nil, err
	case p.head == nil:
		return nil, notFoundError(c.rt, c.id)
	case c.precondition != nil && !c.precondition(p.head.EntityTag(c.rt)):
		return nil, PreconditionFailedError(c.rt)
	}
	e, next, err := c.buildMutation(ctx, p)
	if err == nil {
		err = c.guard(*c.summary)
	}
	if err != nil {
		return nil, err
	}
	if e == nil { // RFC 7644 §3.5.2: what changes nothing leaves version and lastModified
		return c.response(ctx, p)
	}
	var n DisplayNames
	shown := !c.reads.members || p.membersKnown && !c.omitsMembers(next.head)
	if p.ResourceState = next; !shown {
		p.members = nil
	}
	if err := c.executeAndReadNames(ctx, e, p.ResourceState, responseReads{displayNames: c.reads.displayNames && shown}, &n); err != nil {
		return nil, err
	}
	if !shown {
		if r, err := c.response(ctx, p); err == nil {
			return r, nil
		}
		return c.withoutMembers(p), nil // the change is made, whatever became of the group since
	}
	return c.newResource(p.ResourceState, n), nil
}

// readCurrent reads what the change depends on, and beside it the members that the answer will show.
func (c update) readCurrent(ctx context.Context) (p currentState, err error) {
	p.rt, p.id = c.rt, c.id
	named := c.ValidMemberIDs(c.memberIDs, c.id)
	if c.needsAllMembers || len(named) > c.sizes.snapshotMembers {
		most := int64(math.MaxInt64)
		if !c.needsAllMembers {
			most = int64(c.sizes.queryEdgesPerSnapshotEdge * len(named))
		}
		p.head, p.members, err = c.Store.ReadGroup(ctx, c.rt, c.id, most)
		if p.presentMembers, p.membersKnown = p.members, true; c.membersInDocument && err == nil {
			p.names, err = c.ReadDisplayNames(ctx, p.members)
		}
		if !errors.Is(err, ErrTooManyMembers) {
			return p, err
		}
		p.members = nil
	}
	calls := []func() error{func() (err error) {
		p.head, p.presentMembers, err = c.ReadMemberships(ctx, c.rt, c.id, named)
		return err
	}}
	next := ""
	if c.reads.members {
		calls = append(calls, func() (err error) {
			p.members, next, err = c.ListEdges(ctx, c.rt, c.id, maxReturnedMembers+1)
			return err
		})
	}
	err = c.RunShortReads(calls...)
	p.membersKnown = c.reads.members && next == "" && p.head != nil && p.head.DigestMatches(p.members)
	return p, err
}

// buildMutation is what has to be written, nil if nothing, and the state that it leads to.
func (c update) buildMutation(ctx context.Context, p currentState) (*Mutation, ResourceState, error) {
	old, err := DecodeDocument(p.head.Document)
	if err != nil {
		return nil, ResourceState{}, err
	}
	before := maps.Clone(old)
	if c.membersInDocument {
		c.setReferences(before, "members", p.members, p.names)
	}
	o, m, err := c.edit(before)
	if err != nil {
		return nil, ResourceState{}, err
	}
	wish := m.Add
	m.Add = Exclude(c.CheckMemberIDs(wish, c.id, c.AttemptState), c.missing)
	add, remove := diffMembers(m, p.presentMembers)
	if err := c.CheckStrictMembers(ctx, wish, c.id, add, c.AttemptState); err != nil {
		return nil, ResourceState{}, err
	}
	next, u, err := c.headUpdate(p.head, o, len(add)+len(remove) > 0)
	if *c.summary = summarize(c.rt, p.head, p.head, nil, nil, false); err != nil || u == nil {
		return nil, ResourceState{}, err
	}
	e := &Mutation{rt: c.rt, id: c.id, HeadWrite: *u, OnHeadFailure: ConflictHandler, add: add, remove: remove, AttemptState: c.AttemptState}
	if err := c.reindex(&e.IndexWrites, old, o); err != nil {
		return nil, ResourceState{}, err
	}
	*c.summary = summarize(c.rt, p.head, next, old, o, e.membershipCount() > 0)
	n, sum := e.countDelta()
	next.MemberCount, next.MemberDigest = next.MemberCount+n, next.MemberDigest+sum
	members := slices.Sorted(slices.Values(slices.Concat(Exclude(p.members, IDSet(remove)), add)))
	return e, ResourceState{c.rt, c.id, next, members}, nil
}

// CheckMemberIDs is the ids that could be members' of a group; the others are noted as gone.
func (d *Store) CheckMemberIDs(ids []string, group string, c *AttemptState) []string {
	eligible := d.ValidMemberIDs(ids, group)
	is := IDSet(eligible)
	for _, id := range ids {
		if !is[id] {
			c.missing[id] = true
		}
	}
	return eligible
}

// headUpdate is the write of the head itself, but for what counts its members, and the head that it leads to; nil if nothing
// changes.
func (c update) headUpdate(old *HeadItem, o scim.Object, members bool) (*HeadItem, *table.Update, error) {
	doc, err := EncodeDocument(o)
	if err != nil || doc == old.Document && !members {
		return nil, nil, err
	}
	h := *old
	h.Version, h.LastModified = h.Version+1, c.Timestamp()
	u := &table.Update{
		Key: h.Key,
		Set: table.Item{"modified": table.S(h.LastModified)},
		Add: table.Item{"ver": table.N(1)},
		If:  []table.Condition{table.Equals("ver", table.N(old.Version)), table.AttributeNotExists("deleting")},
	}
	if c.precondition != nil || c.rt.Attribute("groups") != nil { // the answer shows the groups as read
		u.If = append(u.If, table.Equals("gver", table.N(old.GroupsVersion)))
	}
	if doc != old.Document {
		h.Document, h.DisplayName = doc, displayName(o)
		u.Set["doc"], u.Set["display"] = table.S(h.Document), table.S(h.DisplayName)
	}
	return &h, u, nil
}

// reindex adds to a transaction what moves the names by which the resource is found.
func (c update) reindex(t *Transaction, old, now scim.Object) error {
	from, err := c.NewIndexEntries(c.rt, c.id, old)
	if err != nil {
		return err
	}
	to, err := c.NewIndexEntries(c.rt, c.id, now)
	if err == nil {
		c.WriteIndex(t, c.rt, c.id, &from, &to)
	}
	return err
}

// response reads what the answer shows and the plan does not know. A large group is not read back for nothing.
func (c update) response(ctx context.Context, p currentState) (*Resource, error) {
	switch {
	case c.reads.members && c.omitsMembers(p.head):
		return c.withoutMembers(p), nil
	case c.reads.members && !p.membersKnown:
		return c.readResource(ctx, c.rt, c.id, c.reads)
	}
	r, err := c.newResources(ctx, []ResourceState{p.ResourceState}, c.reads.displayNames)
	if err != nil {
		return nil, err
	}
	return r[0], nil
}

func (c update) omitsMembers(h *HeadItem) bool {
	return h.MemberCount > maxReturnedMembers && !c.returnLargeGroup
}

// withoutMembers is the group without its members.
func (c update) withoutMembers(p currentState) *Resource {
	r := c.newResource(ResourceState{c.rt, c.id, p.head, nil}, DisplayNames{})
	r.MembersOmitted = true
	return r
}

// PreconditionFailedError is the error of a request whose If-Match names another version.
func PreconditionFailedError(rt *scim.ResourceType) error {
	return &scim.Error{Status: 412, Detail: "The " + rt.Name + " has another version than If-Match asks for. " +
		"Read it again and repeat the request."}
}
