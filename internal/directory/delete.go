package directory

import (
	"context"
	"math"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// Delete removes a resource, its memberships and its members (RFC 7644 §3.6). If these are too many for one transaction,
// Delete first marks the resource as deleting, so that no reader sees it any more. Then it removes the memberships. Delete
// returns what was deleted.
func (d *Directory) Delete(ctx context.Context, rt *scim.ResourceType, id string, match Precondition) (summary ChangeSummary, err error) {
	tooLarge, guard := false, d.guardOnce(ctx)
	err = d.store.Backoff.RetryConflicts(ctx, func() error {
		h, members, err := d.readForDelete(ctx, rt, id, tooLarge)
		switch {
		case err != nil:
			return err
		case h == nil:
			return notFoundError(rt, id)
		case match != nil && !match(h.EntityTag(rt)):
			return PreconditionFailedError(rt)
		}
		tooLarge = tooLarge || int(h.MemberCount) > len(members)
		t, s, err := d.deleteTransaction(rt, id, h)
		if summary = s; err == nil {
			err = guard(summary)
		}
		if err != nil {
			return err
		}
		if tooLarge || 1+len(t.Writes)+2*len(members)+2*len(h.Groups) > d.store.Limits.TransactionActions {
			return d.deleteLarge(ctx, t, rt, h)
		}
		t.Add(table.Delete{Key: h.Key, If: h.VersionConditions()}, store.ConflictHandler)
		d.store.DeleteMemberships(t, d.store.Origin, rt, id, members, h.Groups)
		err = d.store.WriteTransaction(ctx, t)
		if tooLarge = store.IsTooLarge(err); tooLarge {
			return table.ErrConflict
		}
		return err
	})
	return summary, err
}

// deleteLarge deletes a resource with more memberships than one transaction can remove. t holds the writes for its index
// entries and its counter. What the deadline leaves undone, the sweep finishes.
func (d *Directory) deleteLarge(ctx context.Context, t *store.Transaction, rt *scim.ResourceType, h *store.HeadItem) error {
	if err := d.store.WriteTransaction(ctx, d.store.MarkDeleting(t, rt, h)); err != nil {
		return err
	}
	h.Deleting, h.Version, h.Origin = true, h.Version+1, d.store.Origin
	if _, err := d.store.FinishDelete(ctx, rt, h.ResourceID(), h); err != nil {
		d.store.Log.WarnContext(ctx, "cannot finish a delete; the sweep will finish it", "id", h.ResourceID(), "error", err)
	}
	return nil
}

// readForDelete reads the head item, and the members if they may fit one transaction.
func (d *Directory) readForDelete(ctx context.Context, rt *scim.ResourceType, id string, tooLarge bool) (*store.HeadItem, []string, error) {
	h, err := d.store.ReadHead(ctx, rt, id)
	if err != nil || h == nil {
		return nil, nil, err
	}
	if err := d.store.RequireNoPending(ctx, rt, h); err != nil {
		return nil, nil, err
	}
	if tooLarge || h.MemberCount == 0 || 2*int(h.MemberCount) > d.store.Limits.TransactionActions {
		return h, nil, nil
	}
	return d.store.ReadGroup(ctx, rt, id, math.MaxInt64)
}

// deleteTransaction returns the writes that remove the index entries of a resource and count it no longer, and the summary
// of the delete.
func (d *Directory) deleteTransaction(rt *scim.ResourceType, id string, h *store.HeadItem) (*store.Transaction, ChangeSummary, error) {
	o, err := store.DecodeDocument(h.Document)
	if err != nil {
		return nil, ChangeSummary{}, err
	}
	entries, err := d.store.NewIndexEntries(rt, id, o)
	if err != nil {
		return nil, ChangeSummary{}, err
	}
	t := &store.Transaction{}
	d.store.WriteIndex(t, rt, id, &entries, nil)
	return t, summarize(rt, h, nil, o, nil, h.MemberCount > 0), d.store.AddToCounter(t, rt, -1)
}
