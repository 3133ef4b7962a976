package directory

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// deadlineReserve is how long before its deadline a request leaves what has taken effect to others, to be answered in time.
const deadlineReserve = 3 * time.Second

func (d *Store) DeadlineNear(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && deadline.Round(0).Sub(d.Now().Round(0)) < deadlineReserve
}

// finish applies a committed change by its writer, who knows the Change items. Whatever goes wrong now, the change is
// made: others finish it.
func (d *Store) finish(ctx context.Context, l *redoLog) {
	var err error
	for some := range slices.Chunk(l.changeItems, max(1, d.ApplyConcurrency)) {
		if d.DeadlineNear(ctx) {
			return
		}
		var calls []func() error
		for _, p := range some {
			calls = append(calls, func() error { return d.applyChangeItem(ctx, l.rt, l.id, l.changeID, p) })
		}
		if err = d.RunConcurrently(calls...); err != nil {
			break
		}
	}
	if err == nil {
		err = d.completeChange(ctx, l.rt, l.id, l.changeID)
	}
	if errors.Is(err, table.ErrConflict) {
		err = d.FinishChange(ctx, l.rt, l.id, l.changeID)
	}
	if err != nil {
		d.Log.WarnContext(ctx, "a change is left to be applied by others", "id", l.id, "change", l.changeID, "error", err)
	}
}

// errAlreadyApplied says that another has applied a Change item.
var errAlreadyApplied = errors.New("directory: applied")

// applyChangeItem writes the memberships of one Change item, which goes with it: so nobody writes them twice. Members that are
// gone are left out, as if they had gone afterwards; so is what is so already, which a restored table can hold.
func (d *Store) applyChangeItem(ctx context.Context, rt *scim.ResourceType, id, change string, p ChangeItem) error {
	out := map[string]bool{}
	err := d.Backoff.RetryConflicts(ctx, func() error {
		add, del := Exclude(p.Add, out), Exclude(p.Remove, out)
		applied := func(table.Item) error { return errAlreadyApplied }
		t := &Transaction{}
		t.add(table.Update{
			Key: d.keys.Head(rt, id),
			Add: table.Item{
				"left": table.N(-1),
				"n":    table.N(int64(len(add) - len(del))),
				"sum":  table.N(SumHashes(add) - SumHashes(del)),
			},
			If: []table.Condition{table.Equals("pending", table.S(change))},
		}, applied)
		t.add(table.Delete{Key: p.Key, If: []table.Condition{table.Exists()}}, applied)
		for _, m := range add {
			d.putMembership(t, rt, id, m, skipMemberHandler(m, out), skipMemberHandler(m, out))
		}
		for _, m := range del {
			d.deleteMembership(t, rt, id, m, skipMemberHandler(m, out))
		}
		return d.WriteTransaction(ctx, t)
	})
	if errors.Is(err, errAlreadyApplied) {
		return nil
	}
	return err
}

func skipMemberHandler(m string, out map[string]bool) FailureHandler {
	return func(table.Item) error {
		out[m] = true
		return table.ErrConflict
	}
}

// completeChange ends a change of which nothing is left to be applied.
func (d *Store) completeChange(ctx context.Context, rt *scim.ResourceType, id, change string) error {
	t := &Transaction{}
	t.add(table.Update{
		Key:    d.keys.Head(rt, id),
		Remove: []string{"pending", "left"},
		If:     []table.Condition{table.Equals("pending", table.S(change)), table.Equals("left", table.N(0))},
	}, ConflictHandler)
	t.add(table.Delete{Key: d.keys.IntentMarker(rt, id, change)}, ConflictHandler)
	return d.WriteTransaction(ctx, t)
}

// FinishChange finishes the pending change of a group, whoever began it.
func (d *Store) FinishChange(ctx context.Context, rt *scim.ResourceType, id, change string) error {
	return d.Backoff.RetryConflicts(ctx, func() error {
		items, err := d.Table.Get(ctx, nil, d.keys.Head(rt, id))
		if err != nil || len(items) == 0 {
			return err
		}
		var h HeadItem
		if err := UnmarshalItem(items[0], &h); err != nil || h.PendingChange != change {
			return err
		}
		if h.PendingItems > 0 {
			if err := d.applyRemaining(ctx, rt, id, change); err != nil {
				return err
			}
			return table.ErrConflict // look again
		}
		return d.completeChange(ctx, rt, id, change)
	})
}

// applyRemaining applies the Change items that can be seen, in random order, so that helpers seldom meet.
func (d *Store) applyRemaining(ctx context.Context, rt *scim.ResourceType, id, change string) error {
	page, err := d.Table.Query(ctx, table.Range{PK: d.keys.ResourcePartition(rt, id), Prefix: ChangePrefix + change + "#"})
	if err != nil {
		return err
	}
	seed, err := d.RandomBytes(32)
	if err != nil {
		return err
	}
	for _, i := range rand.New(rand.NewChaCha8([32]byte(seed))).Perm(len(page.Items)) {
		var p ChangeItem
		if err := UnmarshalItem(page.Items[i], &p); err != nil {
			return err
		}
		if err := d.applyChangeItem(ctx, rt, id, change, p); err != nil {
			return err
		}
	}
	return nil
}
