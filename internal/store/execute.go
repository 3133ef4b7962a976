package store

import (
	"context"
	"maps"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// Execute writes the mutation. It returns table.ErrConflict if the caller must read again and build a new mutation, with
// what it has learned in the AttemptState.
func (s *Store) Execute(ctx context.Context, m *Mutation) error {
	if !m.tooLarge && 1+len(m.IndexWrites.Writes)+2*m.MembershipCount() <= s.Limits.TransactionActions {
		err := s.WriteTransaction(ctx, s.buildTransaction(m))
		switch {
		case !IsTooLarge(err):
			return err
		case m.MembershipCount() == 0:
			return &scim.Error{Status: 413, Detail: "The resource is larger than one can be. Leave attributes out."}
		}
		m.tooLarge = true
		return table.ErrConflict
	}
	missing, err := s.FindMissingMembers(ctx, m.Add)
	if err != nil {
		return err
	}
	if maps.Copy(m.Missing, IDSet(missing)); len(missing) > 0 {
		return table.ErrConflict
	}
	return s.executeLarge(ctx, m)
}

// executeLarge writes a mutation of any size. The mutation takes effect in the transaction that sets the head item's
// pending attribute: by then all change items are written or part of that transaction.
func (s *Store) executeLarge(ctx context.Context, m *Mutation) error {
	l, err := s.newRedoLog(m)
	if err != nil {
		return err
	}
	capacity := min(s.Limits.ChangeItemsPerTransaction, s.Limits.TransactionActions-2-len(m.IndexWrites.Writes))
	prepared := max(0, len(l.changeItems)-capacity)
	if err := s.prepare(ctx, l, prepared); err != nil {
		return err
	}
	pending := table.Item{"pending": table.S(l.changeID), "left": table.N(l.intent.ChangeItems)}
	t := &Transaction{}
	t.Add(withAttributes(m.HeadWrite, pending, nil), m.OnHeadFailure)
	t.AddAll(m.IndexWrites)
	if l.intent.State = StateCommitted; prepared == 0 {
		t.Add(table.Put{Item: MarshalItem(l.intent), If: []table.Condition{table.NotExists()}}, ConflictHandler)
	} else {
		t.Add(l.intent.transition(StatePrepared, StateCommitted), ConflictHandler)
	}
	l.addChangeItems(t, prepared, len(l.changeItems))
	if err := s.WriteTransaction(ctx, t); err != nil {
		if prepared == 0 || table.IsTransient(err) {
			return err
		}
		if alreadyCommitted, _ := s.abort(ctx, l.rt, l.id, l.changeID, l.intent.ChangeItems); !alreadyCommitted {
			return err
		}
	}
	s.applyCommitted(ctx, l)
	return nil
}
