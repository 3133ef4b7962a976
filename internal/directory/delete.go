package directory

import (
	"context"
	"math"
	"slices"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// Delete removes a resource, its memberships and its members' (RFC 7644 §3.6). Where these are too many for one
// transaction it is latched first, and so gone for every reader, and drained after. It tells what was there.
func (d *Store) Delete(ctx context.Context, rt *scim.ResourceType, id string, match Precondition) (made ChangeSummary,
	err error) {
	many, ask := false, d.guardOnce(ctx)
	err = d.Backoff.RetryConflicts(ctx, func() error {
		h, members, err := d.readForDelete(ctx, rt, id, many)
		switch {
		case err != nil:
			return err
		case h == nil:
			return notFoundError(rt, id)
		case match != nil && !match(h.EntityTag(rt)):
			return PreconditionFailedError(rt)
		}
		many = many || int(h.MemberCount) > len(members)
		t, c, err := d.deleteTransaction(rt, id, h)
		if made = c; err == nil {
			err = ask(made)
		}
		if err != nil {
			return err
		}
		if !many && 1+len(t.writes)+2*len(members)+2*len(h.Groups) <= d.sizes.transactionActions {
			t.add(table.Delete{Key: h.Key, If: h.VersionConditions()}, ConflictHandler)
			d.DeleteMemberships(t, rt, id, members, h.Groups)
			err := d.WriteTransaction(ctx, t)
			if many = isTooLarge(err); many {
				return table.ErrConflict
			}
			return err
		}
		if err := d.WriteTransaction(ctx, d.MarkDeleting(t, rt, h)); err != nil {
			return err
		}
		h.Deleting, h.Version = true, h.Version+1
		if _, err := d.FinishDelete(ctx, rt, id, h); err != nil {
			d.Log.WarnContext(ctx, "a delete is left to be finished by others", "id", id, "error", err)
		}
		return nil
	})
	return made, err
}

// readForDelete reads what a delete depends on: the head, and the members if they may fit one transaction.
func (d *Store) readForDelete(ctx context.Context, rt *scim.ResourceType, id string, many bool) (*HeadItem, []string, error) {
	h, err := d.ReadHead(ctx, rt, id)
	if err != nil || h == nil {
		return nil, nil, err
	}
	if err := d.RequireNoPending(ctx, rt, h); err != nil {
		return nil, nil, err
	}
	if many || h.MemberCount == 0 || 2*int(h.MemberCount) > d.sizes.transactionActions {
		return h, nil, nil
	}
	return d.ReadGroup(ctx, rt, id, math.MaxInt64)
}

// VersionConditions is that neither the resource nor the groups it is in have moved since it was read: a set that is the same
// by its elements may have another history, so gver tells.
func (h *HeadItem) VersionConditions() []table.Condition {
	return []table.Condition{table.Equals("ver", table.N(h.Version)), table.Equals("gver", table.N(h.GroupsVersion))}
}

// deleteTransaction is the transaction by which a resource is no longer found, nor counted, and what that changes.
func (d *Store) deleteTransaction(rt *scim.ResourceType, id string, h *HeadItem) (*Transaction, ChangeSummary, error) {
	o, err := DecodeDocument(h.Document)
	if err != nil {
		return nil, ChangeSummary{}, err
	}
	found, err := d.NewIndexEntries(rt, id, o)
	if err != nil {
		return nil, ChangeSummary{}, err
	}
	t := &Transaction{}
	d.WriteIndex(t, rt, id, &found, nil)
	return t, summarize(rt, h, nil, o, nil, h.MemberCount > 0), d.AddToCounter(t, rt, -1)
}

// DeleteMemberships adds to a transaction what ends the memberships of others in a resource and its own in others: one action for
// each item, also where a group is both its member and its parent.
func (d *Store) DeleteMemberships(t *Transaction, rt *scim.ResourceType, id string, members, groups []string) {
	exists, now := []table.Condition{table.Exists()}, table.S(d.Timestamp())
	for _, m := range members {
		t.add(table.Delete{Key: d.keys.Edge(rt, id, m), If: exists}, ConflictHandler)
	}
	both := slices.Concat(members, groups)
	slices.Sort(both)
	isMember, isParent := IDSet(members), IDSet(groups)
	for _, y := range slices.Compact(both) {
		other := d.Types.ByID(y)
		u := table.Update{Key: d.keys.Head(other, y), Add: table.Item{}, If: exists}
		if isMember[y] {
			u.Delete = table.Item{"groups": table.SS(id)}
			u.Add["gver"] = table.N(1)
		}
		if isParent[y] {
			t.add(table.Delete{Key: d.keys.Edge(other, y, id), If: exists}, ConflictHandler)
			u.Set = table.Item{"modified": now}
			u.Add["ver"], u.Add["n"], u.Add["sum"] = table.N(1), table.N(-1), table.N(-MemberHash(id))
		}
		t.add(u, ConflictHandler)
	}
}
