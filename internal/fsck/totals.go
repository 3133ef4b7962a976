package fsck

import (
	"context"
	"fmt"

	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// partitionTotals describes the items of a group's partition whose sort keys begin with a prefix. The head item
// declares them, and countPartition counts them.
type partitionTotals struct {
	prefix string // "": the head item declares nothing
	items  int64
	digest int64 // of edge items; otherwise 0
}

// A declaredTotals returns totals that a head item declares.
type declaredTotals func(*store.HeadItem) partitionTotals

// declaredMembers returns the totals of the edge items.
func declaredMembers(h *store.HeadItem) partitionTotals {
	return partitionTotals{prefix: store.EdgePrefix, items: h.MemberCount, digest: h.MemberDigest}
}

// declaredChangeItems returns the totals of the change items of the pending change.
func declaredChangeItems(h *store.HeadItem) partitionTotals {
	if h.PendingChange == "" {
		return partitionTotals{}
	}
	return partitionTotals{prefix: store.ChangePrefix + h.PendingChange + "#", items: h.PendingItems}
}

// checkTotals checks the totals that the head item of a group declares. It reads the whole partition of the group.
func (run *checkRun) checkTotals(ctx context.Context, ref itemRef, view *itemView) error {
	r := view.resource(ref, ref.id)
	if r.err != nil {
		return nil
	}
	for _, declared := range []declaredTotals{declaredMembers, declaredChangeItems} {
		want := declared(&r.head)
		if want.prefix == "" {
			continue
		}
		counted, err := run.countPartition(ctx, ref.key.PK, want.prefix)
		if err == nil && counted != want {
			err = run.confirmTotals(ctx, ref, declared)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// countPartition returns the totals of the items of a partition that a plain read shows.
func (run *checkRun) countPartition(ctx context.Context, pk, prefix string) (partitionTotals, error) {
	totals := partitionTotals{prefix: prefix}
	for r := (table.Range{PK: pk, Prefix: prefix, Attributes: []string{"PK", "SK"}}); ; {
		page, err := run.store.Table.Query(ctx, r)
		if err != nil {
			return totals, err
		}
		for _, it := range page.Items {
			totals.items++
			if prefix == store.EdgePrefix {
				totals.digest += store.MemberHash(store.MemberID(it.Key()))
			}
		}
		if r.ExclusiveStart = page.LastEvaluatedKey.SK; r.ExclusiveStart == "" {
			return totals, nil
		}
	}
}

// confirmTotals repairs or reports totals that differ from the items. Two successive counts must agree, and the head
// item must be the same before, between, and after them. A group that changes all the time is left to a later run.
func (run *checkRun) confirmTotals(ctx context.Context, ref itemRef, declared declaredTotals) error {
	view, err := run.snapshot(ctx, ref.key)
	if err != nil {
		return err
	}
	last := partitionTotals{}
	for range maxConfirmAttempts {
		before := view.resource(ref, ref.id)
		want := declared(&before.head)
		if !before.exists || before.err != nil || want.prefix == "" {
			return nil
		}
		counted, err := run.countPartition(ctx, ref.key.PK, want.prefix)
		if err != nil || counted == want {
			return err
		}
		if view, err = run.snapshot(ctx, ref.key); err != nil {
			return err
		}
		if after := view.resource(ref, ref.id); !after.sameTotals(before) {
			last = partitionTotals{}
		} else if counted != last {
			last = counted
		} else if done, err := run.repairOrReport(ctx, ref.key, ref.totalsFinding(view, counted)); done || err != nil {
			return err
		}
		if err := run.waitForVisibility(ctx); err != nil {
			return err
		}
	}
	return nil
}

// sameTotals reports whether two reads of a head item show the same version and totals.
func (r *resourceView) sameTotals(other *resourceView) bool {
	a, b := &r.head, &other.head
	return a.Version == b.Version && a.PendingChange == b.PendingChange && a.PendingItems == b.PendingItems &&
		a.MemberCount == b.MemberCount && a.MemberDigest == b.MemberDigest
}

// totalsFinding returns the finding for a head item whose totals differ from the counted ones.
func (ref itemRef) totalsFinding(v *itemView, counted partitionTotals) checkResult {
	head := v.resource(ref, ref.id).head
	update := table.Update{Key: ref.key, If: unchangedConditions(v.item(ref.key), "ver", "pending", "left", "n", "sum")}
	if counted.prefix == store.EdgePrefix {
		update.Set = table.Item{"n": table.N(counted.items), "sum": table.N(counted.digest)}
		return newFinding(fmt.Sprintf("n=%d or sum does not match %d edge items", head.MemberCount, counted.items), update)
	}
	update.Set = table.Item{"left": table.N(counted.items)}
	left := head.PendingItems
	problem := fmt.Sprintf("left=%d does not match %d change items of the pending change", left, counted.items)
	if counted.items < left {
		problem += ", memberships may be lost"
	}
	return newFinding(problem, update)
}
