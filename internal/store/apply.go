package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// applyCommitted applies a committed change from memory. It returns no error: the change has taken effect, and the next
// read or sweep finishes what remains.
func (s *Store) applyCommitted(ctx context.Context, l *redoLog) {
	var err error
	for batch := range slices.Chunk(l.changeItems, max(1, s.Limits.ApplyConcurrency)) {
		if s.DeadlineNear(ctx) {
			return
		}
		var calls []func() error
		for _, c := range batch {
			calls = append(calls, func() error { return s.applyChangeItem(ctx, l.rt, l.id, l.changeID, c) })
		}
		if err = s.RunConcurrently(calls...); err != nil {
			break
		}
	}
	if err == nil {
		err = s.completeChange(ctx, l.rt, l.id, l.changeID)
	}
	if errors.Is(err, table.ErrConflict) {
		err = s.FinishChange(ctx, l.rt, l.id, l.changeID)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "cannot finish applying a committed change; the next read or sweep will finish it",
			"id", l.id, "change", l.changeID, "error", err)
	}
}

// errAlreadyApplied reports that another process has applied a change item.
var errAlreadyApplied = errors.New("store: the change item is already applied")

// applyChangeItem writes the memberships of one change item and deletes the item in the same transaction, so that no
// membership is written twice. It skips a member that has been deleted since, as if the delete had come later. It also
// skips memberships that already are as they should be, which a restored table can contain.
func (s *Store) applyChangeItem(ctx context.Context, rt *scim.ResourceType, id, changeID string, c ChangeItem) error {
	skipped := map[string]bool{}
	err := s.Backoff.RetryConflicts(ctx, func() error {
		add, remove := Exclude(c.Add, skipped), Exclude(c.Remove, skipped)
		applied := func(table.Item) error { return errAlreadyApplied }
		t := &Transaction{}
		t.Add(table.Update{
			Key: s.Keys.Head(rt, id),
			Add: table.Item{
				"left": table.N(-1),
				"n":    table.N(int64(len(add) - len(remove))),
				"sum":  table.N(SumHashes(add) - SumHashes(remove)),
			},
			If: []table.Condition{table.Equals("pending", table.S(changeID))},
		}, applied)
		t.Add(table.Delete{Key: c.Key, If: []table.Condition{table.Exists()}}, applied)
		for _, m := range add {
			s.putMembership(t, c.Origin, rt, id, m, skipMemberHandler(m, skipped), skipMemberHandler(m, skipped))
		}
		for _, m := range remove {
			s.deleteMembership(t, c.Origin, rt, id, m, skipMemberHandler(m, skipped))
		}
		return s.WriteTransaction(ctx, t)
	})
	if errors.Is(err, errAlreadyApplied) {
		return nil
	}
	return err
}

// skipMemberHandler returns the handler that leaves a member out of the next attempt.
func skipMemberHandler(m string, skipped map[string]bool) FailureHandler {
	return func(table.Item) error {
		skipped[m] = true
		return table.ErrConflict
	}
}

// completeChange ends a change whose change items are all applied.
func (s *Store) completeChange(ctx context.Context, rt *scim.ResourceType, id, changeID string) error {
	t := &Transaction{}
	t.Add(table.Update{
		Key:    s.Keys.Head(rt, id),
		Remove: []string{"pending", "left"},
		If:     []table.Condition{table.Equals("pending", table.S(changeID)), table.Equals("left", table.N(0))},
	}, ConflictHandler)
	t.Add(table.Delete{Key: s.Keys.IntentMarker(rt, id, changeID)}, ConflictHandler)
	return s.WriteTransaction(ctx, t)
}

// FinishChange applies and ends a committed change of a group. Any process may call it. It returns nil if the change is
// no longer pending.
func (s *Store) FinishChange(ctx context.Context, rt *scim.ResourceType, id, changeID string) error {
	return s.Backoff.RetryConflicts(ctx, func() error {
		items, err := s.Table.Get(ctx, nil, s.Keys.Head(rt, id))
		if err != nil || len(items) == 0 {
			return err
		}
		var h HeadItem
		if err := UnmarshalItem(items[0], &h); err != nil || h.PendingChange != changeID {
			return err
		}
		if h.PendingItems > 0 {
			if err := s.applyRemaining(ctx, rt, id, changeID); err != nil {
				return err
			}
			return table.ErrConflict // a Query may not show all change items: read the head item again
		}
		return s.completeChange(ctx, rt, id, changeID)
	})
}

// applyRemaining applies the change items that a Query shows. The order is random, so that processes that do the same
// seldom conflict.
func (s *Store) applyRemaining(ctx context.Context, rt *scim.ResourceType, id, changeID string) error {
	page, err := s.Table.Query(ctx, table.Range{PK: s.Keys.ResourcePartition(rt, id), Prefix: ChangePrefix + changeID + "#"})
	if err != nil {
		return err
	}
	seed, err := s.RandomBytes(32)
	if err != nil {
		return err
	}
	for _, i := range rand.New(rand.NewChaCha8([32]byte(seed))).Perm(len(page.Items)) {
		var c ChangeItem
		if err := UnmarshalItem(page.Items[i], &c); err != nil {
			return err
		}
		if err := s.applyChangeItem(ctx, rt, id, changeID, c); err != nil {
			return err
		}
	}
	return nil
}
