package directory

import (
	"context"
	"slices"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// MarkDeleting adds to a transaction what makes a resource gone for every reader at once. Nothing joins it any more, nor does it
// join anything.
func (d *Store) MarkDeleting(t *Transaction, rt *scim.ResourceType, h *HeadItem) *Transaction {
	t.add(table.Update{
		Key: h.Key,
		Set: table.Item{"deleting": table.BOOL(true)},
		Add: table.Item{"ver": table.N(1)},
		If:  h.VersionConditions(),
	}, ConflictHandler)
	t.add(table.Put{Item: MarshalItem(d.NewIntentMarker(rt, h.ResourceID(), ""))}, ConflictHandler)
	return t
}

func isDeletingCondition() table.Condition { return table.Equals("deleting", table.BOOL(true)) }

// FinishDelete ends what is left of a latched resource, as it was read if that is known: its members, its memberships, and its
// head last. It may leave the rest to others when the deadline is near, and tells whether all is done.
func (d *Store) FinishDelete(ctx context.Context, rt *scim.ResourceType, id string, h *HeadItem) (done bool, err error) {
	err = d.Backoff.RetryConflicts(ctx, func() (err error) {
		if h == nil {
			if h, err = d.readDeleting(ctx, rt, id); err != nil || h == nil {
				done = err == nil
				return err
			}
		}
		for !done && !d.DeadlineNear(ctx) {
			if done, err = d.finishDeleteStep(ctx, rt, id, h); err != nil {
				h = nil // to be read again
				return err
			}
		}
		return nil
	})
	return done, err
}

// readDeleting is the head of a resource that is being deleted, nil if there is none.
func (d *Store) readDeleting(ctx context.Context, rt *scim.ResourceType, id string) (*HeadItem, error) {
	items, err := d.Table.Get(ctx, nil, d.keys.Head(rt, id))
	if err != nil || len(items) == 0 {
		return nil, err
	}
	h := &HeadItem{}
	if err := UnmarshalItem(items[0], h); err != nil || !h.Deleting {
		return nil, err
	}
	return h, nil
}

// finishDeleteStep ends some members or memberships, or, when there are none, removes the head.
func (d *Store) finishDeleteStep(ctx context.Context, rt *scim.ResourceType, id string, h *HeadItem) (done bool, err error) {
	switch {
	case h.MemberCount > 0:
		return false, d.deleteMembers(ctx, rt, id, h)
	case len(h.Groups) > 0:
		return false, d.leaveGroups(ctx, rt, id, h)
	}
	t := &Transaction{}
	t.add(table.Delete{Key: h.Key, If: []table.Condition{isDeletingCondition(), table.AttributeNotExists("groups"), table.Equals("n", table.N(0))}}, ConflictHandler)
	t.add(table.Delete{Key: d.keys.IntentMarker(rt, id, "")}, ConflictHandler)
	return true, d.WriteTransaction(ctx, t)
}

// deleteMembers ends a page of members, some at a time.
func (d *Store) deleteMembers(ctx context.Context, rt *scim.ResourceType, id string, h *HeadItem) error {
	members, _, err := d.ListEdges(ctx, rt, id, 0)
	if err != nil {
		return err
	}
	if len(members) == 0 {
		return table.ErrConflict // they are yet to be seen, or another has ended them
	}
	for some := range slices.Chunk(members, d.sizes.changeItemMembers) {
		if d.DeadlineNear(ctx) {
			return nil
		}
		n, sum := int64(len(some)), SumHashes(some)
		t := &Transaction{}
		t.add(table.Update{
			Key: h.Key,
			Add: table.Item{"n": table.N(-n), "sum": table.N(-sum)},
			If:  []table.Condition{isDeletingCondition()},
		}, ConflictHandler)
		for _, m := range some {
			d.deleteMembership(t, rt, id, m, ConflictHandler)
		}
		if err := d.WriteTransaction(ctx, t); err != nil {
			return err
		}
		h.MemberCount -= n
	}
	return nil
}

// leaveGroups ends some memberships in other groups.
func (d *Store) leaveGroups(ctx context.Context, rt *scim.ResourceType, id string, h *HeadItem) error {
	some := h.Groups[:min(d.sizes.changeItemMembers, len(h.Groups))]
	t := &Transaction{}
	t.add(table.Update{
		Key:    h.Key,
		Delete: table.Item{"groups": table.SS(some...)},
		Add:    table.Item{"gver": table.N(1)},
		If:     []table.Condition{isDeletingCondition()},
	}, ConflictHandler)
	d.DeleteMemberships(t, rt, id, nil, some)
	if err := d.WriteTransaction(ctx, t); err != nil {
		return err
	}
	h.Groups = h.Groups[len(some):]
	return nil
}
