package store

import (
	"context"
	"slices"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// MarkDeleting adds the writes that delete a resource for every reader, and returns t. From then on the resource joins no
// group, and no member joins it. The intent marker lets the sweep find the resource.
func (s *Store) MarkDeleting(t *Transaction, rt *scim.ResourceType, h *HeadItem) *Transaction {
	u := table.Update{
		Key: h.Key,
		Set: table.Item{"deleting": table.BOOL(true)},
		Add: table.Item{"ver": table.N(1)},
		If:  h.VersionConditions(),
	}
	s.Origin.Stamp(&u)
	t.Add(u, ConflictHandler)
	t.Add(table.Put{Item: MarshalItem(s.NewIntentMarker(rt, h.ResourceID(), ""))}, ConflictHandler)
	return t
}

func isDeletingCondition() table.Condition { return table.Equals("deleting", table.BOOL(true)) }

// FinishDelete removes the members, the memberships and last the head item of a resource that is marked as deleting. It
// begins with h; if h is nil, it reads the head item. It stops when the deadline is near, and reports whether the delete
// is finished.
func (s *Store) FinishDelete(ctx context.Context, rt *scim.ResourceType, id string, h *HeadItem) (done bool, err error) {
	err = s.Backoff.RetryConflicts(ctx, func() (err error) {
		if h == nil {
			if h, err = s.readDeleting(ctx, rt, id); err != nil || h == nil {
				done = err == nil
				return err
			}
		}
		for !done && !s.DeadlineNear(ctx) {
			if done, err = s.finishDeleteStep(ctx, rt, id, h); err != nil {
				h = nil // h is outdated
				return err
			}
		}
		return nil
	})
	return done, err
}

// readDeleting returns the head item of a resource that is being deleted, or nil if there is none.
func (s *Store) readDeleting(ctx context.Context, rt *scim.ResourceType, id string) (*HeadItem, error) {
	items, err := s.Table.Get(ctx, nil, s.Keys.Head(rt, id))
	if err != nil || len(items) == 0 {
		return nil, err
	}
	h := &HeadItem{}
	if err := UnmarshalItem(items[0], h); err != nil || !h.Deleting {
		return nil, err
	}
	return h, nil
}

// finishDeleteStep removes a batch of members, or a batch of memberships, or the head item if it has neither.
func (s *Store) finishDeleteStep(ctx context.Context, rt *scim.ResourceType, id string, h *HeadItem) (done bool, err error) {
	switch {
	case h.MemberCount > 0:
		return false, s.deleteMembers(ctx, rt, id, h)
	case len(h.Groups) > 0:
		return false, s.leaveGroups(ctx, rt, id, h)
	}
	t := &Transaction{}
	empty := []table.Condition{isDeletingCondition(), table.AttributeNotExists("groups"), table.Equals("n", table.N(0))}
	t.Add(table.Delete{Key: h.Key, If: empty}, ConflictHandler)
	t.Add(table.Delete{Key: s.Keys.IntentMarker(rt, id, "")}, ConflictHandler)
	return true, s.WriteTransaction(ctx, t)
}

// deleteMembers removes one table page of members, a batch per transaction.
func (s *Store) deleteMembers(ctx context.Context, rt *scim.ResourceType, id string, h *HeadItem) error {
	members, _, err := s.ListEdges(ctx, rt, id, 0)
	if err != nil {
		return err
	}
	if len(members) == 0 {
		return table.ErrConflict // the Query does not show them yet, or another process has removed them
	}
	for batch := range slices.Chunk(members, s.Limits.ChangeItemMembers) {
		if s.DeadlineNear(ctx) {
			return nil
		}
		n, sum := int64(len(batch)), SumHashes(batch)
		t := &Transaction{}
		t.Add(table.Update{
			Key: h.Key,
			Add: table.Item{"n": table.N(-n), "sum": table.N(-sum)},
			If:  []table.Condition{isDeletingCondition()},
		}, ConflictHandler)
		for _, m := range batch {
			s.deleteMembership(t, h.Origin, rt, id, m, ConflictHandler)
		}
		if err := s.WriteTransaction(ctx, t); err != nil {
			return err
		}
		h.MemberCount -= n
	}
	return nil
}

// leaveGroups removes the resource from a batch of its groups.
func (s *Store) leaveGroups(ctx context.Context, rt *scim.ResourceType, id string, h *HeadItem) error {
	batch := h.Groups[:min(s.Limits.ChangeItemMembers, len(h.Groups))]
	t := &Transaction{}
	t.Add(table.Update{
		Key:    h.Key,
		Delete: table.Item{"groups": table.SS(batch...)},
		Add:    table.Item{"gver": table.N(1)},
		If:     []table.Condition{isDeletingCondition()},
	}, ConflictHandler)
	s.DeleteMemberships(t, h.Origin, rt, id, nil, batch)
	if err := s.WriteTransaction(ctx, t); err != nil {
		return err
	}
	h.Groups = h.Groups[len(batch):]
	return nil
}
