package directory

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"

	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// maxReturnedMembers is the number of members up to which the response to a PATCH shows a group's members unasked.
// Clients seldom look at them.
const maxReturnedMembers = 100

// An update is a request that changes an existing resource.
type update struct {
	dir               *Directory
	rt                *scim.ResourceType
	id                string
	precondition      Precondition
	edit              editFunc
	origin            store.Origin
	memberIDs         []string // members that edit may add or remove
	needsAllMembers   bool     // edit depends on the whole member list
	membersInDocument bool     // edit expects the members in the document
	reads             responseReads
	returnLargeGroup  bool                      // the response shows the members of any group
	summary           *ChangeSummary            // of the last attempt
	guard             func(ChangeSummary) error // rejects a change
	attempts          *store.AttemptState
}

// An editFunc returns the new document for the current one, and how the members change. The display names are those of
// memberIDs and of the current members, if the document has the members.
type editFunc func(scim.Object, store.DisplayNames) (scim.Object, patch.MemberChanges, error)

// currentState is what an attempt has read.
type currentState struct {
	resource       store.ResourceState // Members is set if membersKnown
	presentMembers []string            // the members among those that matter to edit
	membersKnown   bool
	names          store.DisplayNames // of the members and of memberIDs, if edit expects the members in the document
}

// run makes the change, with a new attempt after each conflict.
func (u update) run(ctx context.Context) (response *Resource, err error) {
	u.attempts, u.summary, u.guard = store.NewAttemptState(), &ChangeSummary{}, u.dir.guardOnce(ctx)
	err = u.dir.store.Backoff.RetryConflicts(ctx, func() (err error) {
		response, err = u.attempt(ctx)
		return err
	})
	if err == nil {
		response.Summary = *u.summary
		u.dir.logSkippedMembers(ctx, u.rt, u.id, len(u.attempts.Missing))
	}
	return response, err
}

func (u update) attempt(ctx context.Context) (*Resource, error) {
	current, err := u.readCurrent(ctx)
	switch head := current.resource.Head; {
	case err != nil:
		return nil, err
	case head == nil:
		return nil, notFoundError(u.rt, u.id)
	case u.precondition != nil && !u.precondition(head.EntityTag(u.rt)):
		return nil, PreconditionFailedError(u.rt)
	}
	m, next, err := u.buildMutation(ctx, current)
	if err == nil {
		err = u.guard(*u.summary)
	}
	if err != nil {
		return nil, err
	}
	if m == nil { // RFC 7644 §3.5.2: a request that changes nothing leaves version and lastModified
		return u.response(ctx, current)
	}
	return u.execute(ctx, m, current, next)
}

// execute writes the mutation that leads from the current to the next state, and returns the response.
func (u update) execute(ctx context.Context, m *store.Mutation, current currentState, next store.ResourceState) (*Resource, error) {
	complete := !u.reads.members || current.membersKnown && !u.omitsMembers(next.Head) // next has all that the response shows
	if current.resource = next; !complete {
		current.resource.Members = nil
	}
	names, err := u.dir.executeAndReadNames(ctx, m, current.resource, u.reads.displayNames && complete)
	if err != nil {
		return nil, err
	}
	if complete {
		return u.dir.newResource(current.resource, names), nil
	}
	response, err := u.response(ctx, current)
	if err != nil { // the change is committed, so a failed read must not fail the request
		return u.withoutMembers(current), nil
	}
	return response, nil
}

// readCurrent reads what edit depends on and, at the same time, the members that the response shows. If edit depends on
// many members, it reads the whole group, unless that costs more than reading the memberships one by one.
func (u update) readCurrent(ctx context.Context) (c currentState, err error) {
	s := u.dir.store
	c.resource.Type, c.resource.ID = u.rt, u.id
	ids := s.ValidMemberIDs(u.memberIDs, u.id)
	if u.needsAllMembers || len(ids) > s.Limits.SnapshotMembers {
		limit := int64(math.MaxInt64)
		if !u.needsAllMembers {
			limit = int64(s.Limits.QueryEdgesPerSnapshotEdge * len(ids))
		}
		c.resource.Head, c.resource.Members, err = s.ReadGroup(ctx, u.rt, u.id, limit)
		if c.presentMembers, c.membersKnown = c.resource.Members, true; u.membersInDocument && err == nil {
			c.names, err = s.ReadDisplayNames(ctx, s.ValidMemberIDs(slices.Concat(c.resource.Members, ids), u.id))
		}
		if !errors.Is(err, store.ErrTooManyMembers) {
			return c, err
		}
		c.resource.Members = nil
	}
	calls := []func() error{func() (err error) {
		c.resource.Head, c.presentMembers, err = s.ReadMemberships(ctx, u.rt, u.id, ids)
		return err
	}}
	next := ""
	if u.reads.members {
		calls = append(calls, func() (err error) {
			c.resource.Members, next, err = s.ListEdges(ctx, u.rt, u.id, maxReturnedMembers+1)
			return err
		})
	}
	err = s.RunShortReads(calls...)
	head := c.resource.Head
	c.membersKnown = u.reads.members && next == "" && head != nil && head.DigestMatches(c.resource.Members)
	return c, err
}

// buildMutation returns the mutation and the state that it leads to. The mutation is nil if nothing changes.
func (u update) buildMutation(ctx context.Context, c currentState) (*store.Mutation, store.ResourceState, error) {
	s, none := u.dir.store, store.ResourceState{}
	old, err := store.DecodeDocument(c.resource.Head.Document)
	if err != nil {
		return nil, none, err
	}
	before := maps.Clone(old)
	if u.membersInDocument {
		s.SetReferences(before, u.rt.Attribute("members"), u.dir.baseURL, c.resource.Members, c.names)
	}
	updated, members, err := u.edit(before, c.names)
	if err != nil {
		return nil, none, err
	}
	requested := members.Add
	members.Add = store.Exclude(u.dir.checkMemberIDs(requested, u.id, u.attempts), u.attempts.Missing)
	add, remove := diffMembers(members, c.presentMembers)
	if err := u.dir.checkStrictMembers(ctx, requested, u.id, add, u.attempts); err != nil {
		return nil, none, err
	}
	head, headWrite, err := u.headUpdate(c.resource.Head, updated, len(add)+len(remove) > 0)
	if *u.summary = summarize(u.rt, c.resource.Head, c.resource.Head, nil, nil, false); err != nil || headWrite == nil {
		return nil, none, err
	}
	m := &store.Mutation{
		Type: u.rt, ID: u.id, HeadWrite: *headWrite, OnHeadFailure: store.ConflictHandler,
		Add: add, Remove: remove, AttemptState: u.attempts,
	}
	if err := u.reindex(&m.IndexWrites, old, updated); err != nil {
		return nil, none, err
	}
	*u.summary = summarize(u.rt, c.resource.Head, head, old, updated, m.MembershipCount() > 0)
	n, sum := m.CountDelta()
	head.MemberCount, head.MemberDigest = head.MemberCount+n, head.MemberDigest+sum
	all := slices.Concat(store.Exclude(c.resource.Members, store.IDSet(remove)), add)
	slices.Sort(all)
	return m, store.ResourceState{Type: u.rt, ID: u.id, Head: head, Members: all}, nil
}

// headUpdate returns the new head item and its write, both without the change of the member count. The write is nil if
// neither the document nor a membership changes.
func (u update) headUpdate(old *store.HeadItem, o scim.Object, membersChange bool) (*store.HeadItem, *table.Update, error) {
	doc, err := store.EncodeDocument(o)
	if err != nil || doc == old.Document && !membersChange {
		return nil, nil, err
	}
	h := *old
	h.Version, h.LastModified = h.Version+1, u.dir.store.Timestamp()
	w := &table.Update{
		Key: h.Key,
		Set: table.Item{"modified": table.S(h.LastModified)},
		Add: table.Item{"ver": table.N(1)},
		If:  []table.Condition{table.Equals("ver", table.N(old.Version)), table.AttributeNotExists("deleting")},
	}
	if u.precondition != nil || u.rt.Attribute("groups") != nil { // the response shows the groups that were read
		w.If = append(w.If, table.Equals("gver", table.N(old.GroupsVersion)))
	}
	h.Origin = u.origin
	u.origin.Stamp(w)
	if doc != old.Document {
		h.SetDocument(doc, o)
		w.Set["doc"], w.Set["display"] = table.S(h.Document), table.S(h.DisplayName)
	}
	return &h, w, nil
}

// reindex adds the writes that replace the index entries of the old document by those of the new one.
func (u update) reindex(t *store.Transaction, old, updated scim.Object) error {
	if store.SameIndexEntries(u.rt, old, updated) {
		return nil
	}
	from, err := u.dir.store.NewIndexEntries(u.rt, u.id, old)
	if err != nil {
		return err
	}
	to, err := u.dir.store.NewIndexEntries(u.rt, u.id, updated)
	if err == nil {
		err = store.CheckIndexLimits(u.rt, old, updated)
	}
	if err == nil {
		u.dir.store.WriteIndex(t, u.rt, u.id, &from, &to)
	}
	return err
}

// response returns the resource, and reads what the response shows and c does not have.
func (u update) response(ctx context.Context, c currentState) (*Resource, error) {
	switch {
	case u.reads.members && u.omitsMembers(c.resource.Head):
		return u.withoutMembers(c), nil
	case u.reads.members && !c.membersKnown:
		return u.dir.readResource(ctx, u.rt, u.id, u.reads)
	}
	r, err := u.dir.newResources(ctx, []store.ResourceState{c.resource}, u.reads.displayNames)
	if err != nil {
		return nil, err
	}
	return r[0], nil
}

// omitsMembers reports whether the group is too large to read its members for the response.
func (u update) omitsMembers(h *store.HeadItem) bool {
	return h.MemberCount > maxReturnedMembers && !u.returnLargeGroup
}

func (u update) withoutMembers(c currentState) *Resource {
	r := u.dir.newResource(store.ResourceState{Type: u.rt, ID: u.id, Head: c.resource.Head}, store.DisplayNames{})
	r.MembersOmitted = true
	return r
}

// PreconditionFailedError returns the error of a request whose If-Match or If-None-Match excludes the current version
// (RFC 7644 §3.14, RFC 9110 §13.1.2).
func PreconditionFailedError(rt *scim.ResourceType) error {
	return &scim.Error{Status: 412, Detail: "If-Match or If-None-Match excludes the current version of the " + rt.Name +
		". Read it again and repeat the request."}
}
