package store

import (
	"context"
	"encoding/hex"
	"slices"
	"time"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// A redoLog is one large change of a group: its memberships as change items, and its intent marker.
type redoLog struct {
	rt          *scim.ResourceType
	id          string
	changeID    string
	changeItems []ChangeItem
	intent      IntentMarker
}

func (s *Store) newRedoLog(m *Mutation) (*redoLog, error) {
	b, err := s.RandomBytes(16)
	if err != nil {
		return nil, err
	}
	l := &redoLog{rt: m.Type, id: m.ID, changeID: hex.EncodeToString(b)}
	isAdded := IDSet(m.Add)
	for ids := range slices.Chunk(slices.Concat(m.Add, m.Remove), s.Limits.ChangeItemMembers) {
		c := ChangeItem{Key: s.Keys.ChangeItem(m.Type, m.ID, l.changeID, len(l.changeItems)), Origin: s.Origin}
		for _, id := range ids {
			if isAdded[id] {
				c.Add = append(c.Add, id)
			} else {
				c.Remove = append(c.Remove, id)
			}
		}
		l.changeItems = append(l.changeItems, c)
	}
	l.intent = s.NewIntentMarker(m.Type, m.ID, l.changeID)
	l.intent.ChangeItems = int64(len(l.changeItems))
	return l, nil
}

// NewIntentMarker returns the marker of a large change that starts now, or of a delete if changeID is empty.
func (s *Store) NewIntentMarker(rt *scim.ResourceType, id, changeID string) IntentMarker {
	return IntentMarker{Key: s.Keys.IntentMarker(rt, id, changeID), StartedAt: s.Now().Unix()}
}

// prepare writes the first n change items, for which the commit transaction has no room. The first transaction creates
// the intent marker. Every later write of the change depends on the marker, which a sweep takes away before it aborts.
func (s *Store) prepare(ctx context.Context, l *redoLog, n int) error {
	l.intent.State = StatePrepared
	for from := 0; from < n; {
		t := &Transaction{}
		if from == 0 {
			t.Add(table.Put{Item: MarshalItem(l.intent), If: []table.Condition{table.NotExists()}}, ConflictHandler)
		} else {
			t.Add(table.ConditionCheck{Key: l.intent.Key, If: []table.Condition{table.Equals("state", table.S(StatePrepared))}}, ConflictHandler)
		}
		to := min(n, from+s.Limits.ChangeItemsPerTransaction, from+s.Limits.TransactionActions-1)
		l.addChangeItems(t, from, to)
		if err := s.WriteTransaction(ctx, t); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// addChangeItems adds the writes of the change items from (inclusive) to (exclusive).
func (l *redoLog) addChangeItems(t *Transaction, from, to int) {
	for _, c := range l.changeItems[from:to] {
		t.Add(table.Put{Item: MarshalItem(c), If: []table.Condition{table.NotExists()}}, ConflictHandler)
	}
}

// transition returns the write that moves a marker from one state to another.
func (m IntentMarker) transition(from, to string) table.Update {
	return table.Update{
		Key: m.Key,
		Set: table.Item{"state": table.S(to)},
		If:  []table.Condition{table.Equals("state", table.S(from))},
	}
}

// TombstoneTTL is how long a tombstone blocks late writes of an aborted change.
const TombstoneTTL = 7 * 24 * time.Hour

// abort prevents a prepared change from committing, and then deletes its change items. It reports whether the change has
// committed already; then it deletes nothing. The change items are deleted by key, because a Query may not show them yet.
func (s *Store) abort(ctx context.Context, rt *scim.ResourceType, id, changeID string, changeItems int64) (alreadyCommitted bool, err error) {
	m := IntentMarker{Key: s.Keys.IntentMarker(rt, id, changeID)}
	state := StateAborted
	t := &Transaction{}
	t.Add(m.transition(StatePrepared, StateAborted), func(existing table.Item) error {
		var current IntentMarker
		err := UnmarshalItem(existing, &current)
		state = current.State
		return err
	})
	if err := s.WriteTransaction(ctx, t); err != nil || state != StateAborted {
		return state == StateCommitted, err
	}
	for from := 0; from < int(changeItems); from += s.Limits.TransactionActions {
		t := &Transaction{}
		for n := from; n < min(int(changeItems), from+s.Limits.TransactionActions); n++ {
			t.Add(table.Delete{Key: s.Keys.ChangeItem(rt, id, changeID, n)}, ConflictHandler)
		}
		if err := s.WriteTransaction(ctx, t); err != nil {
			return false, err
		}
	}
	end := m.transition(StateAborted, StateSwept)
	end.Set["expires"] = table.N(s.Now().Add(TombstoneTTL).Unix())
	t = &Transaction{}
	t.Add(end, func(table.Item) error { return nil }) // another process has written the tombstone
	return false, s.WriteTransaction(ctx, t)
}
