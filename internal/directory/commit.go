package directory

import (
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// Mutation is what a request writes: the head of its resource, the names by which that is found, and the memberships that
// begin and end. It takes effect in one transaction; where that has no room for the memberships, in a commit, which
// these follow one by one, while no reader of the group sees it without them.
type Mutation struct {
	rt            *scim.ResourceType
	id            string
	HeadWrite     table.Write    // a Put or an Update, without what counts the members
	OnHeadFailure FailureHandler // if its condition fails
	IndexWrites   Transaction
	add, remove   []string
	*AttemptState
}

// AttemptState is what the attempts of a request learn of the members that it adds.
type AttemptState struct {
	missing  map[string]bool // they do not exist
	tooLarge bool            // they are too many bytes for one transaction
}

func NewAttemptState() *AttemptState { return &AttemptState{missing: map[string]bool{}} }

// membershipCount is the number of memberships that change.
func (e *Mutation) membershipCount() int { return len(e.add) + len(e.remove) }

// countDelta is by how much the number of members and their digest move.
func (e *Mutation) countDelta() (n, sum int64) {
	return int64(len(e.add) - len(e.remove)), SumHashes(e.add) - SumHashes(e.remove)
}

// Execute makes an effect happen.
func (d *Store) Execute(ctx context.Context, e *Mutation) error {
	if !e.tooLarge && 1+len(e.IndexWrites.writes)+2*e.membershipCount() <= d.sizes.transactionActions {
		err := d.WriteTransaction(ctx, d.buildTransaction(e))
		switch {
		case !isTooLarge(err):
			return err
		case e.membershipCount() == 0:
			return &scim.Error{Status: 413, Detail: "The resource is larger than one can be. Leave attributes out."}
		}
		e.tooLarge = true
		return table.ErrConflict
	}
	gone, err := d.FindMissingMembers(ctx, e.add)
	if err != nil {
		return err
	}
	if maps.Copy(e.missing, IDSet(gone)); len(gone) > 0 {
		return table.ErrConflict
	}
	return d.executeLarge(ctx, e)
}

// buildTransaction is the whole of an effect.
func (d *Store) buildTransaction(e *Mutation) *Transaction {
	t, head := &Transaction{}, e.HeadWrite
	if n, sum := e.countDelta(); e.membershipCount() > 0 {
		head = withAttributes(head, nil, table.Item{"n": table.N(n), "sum": table.N(sum)})
	}
	t.add(head, e.OnHeadFailure)
	t.AddAll(e.IndexWrites)
	for _, m := range e.add {
		d.putMembership(t, e.rt, e.id, m, ConflictHandler, missingMemberHandler(m, e.missing), table.SetSizeBelow("groups", maxGroupsPerMember))
	}
	for _, m := range e.remove {
		d.deleteMembership(t, e.rt, e.id, m, ConflictHandler)
	}
	return t
}

// withAttributes is a write of a head that also sets attributes and adds to them.
func withAttributes(head table.Write, set, add table.Item) table.Write {
	switch w := head.(type) {
	case table.Put:
		w.Item = maps.Clone(w.Item)
		maps.Copy(w.Item, set)
		maps.Copy(w.Item, add) // to nothing
		return w
	case table.Update:
		w.Set, w.Add = maps.Clone(w.Set), maps.Clone(w.Add)
		maps.Copy(w.Set, set)
		maps.Copy(w.Add, add)
		return w
	default:
		return head
	}
}

// redoLog is a large change of a group: its memberships as Change items.
type redoLog struct {
	rt          *scim.ResourceType
	id          string
	changeID    string
	changeItems []ChangeItem
	intent      IntentMarker
}

func (d *Store) newRedoLog(e *Mutation) (*redoLog, error) {
	b, err := d.RandomBytes(16)
	if err != nil {
		return nil, err
	}
	l := &redoLog{rt: e.rt, id: e.id, changeID: hex.EncodeToString(b)}
	added := IDSet(e.add)
	for ids := range slices.Chunk(slices.Concat(e.add, e.remove), d.sizes.changeItemMembers) {
		p := ChangeItem{Key: d.keys.ChangeItem(e.rt, e.id, l.changeID, len(l.changeItems))}
		for _, m := range ids {
			if added[m] {
				p.Add = append(p.Add, m)
			} else {
				p.Remove = append(p.Remove, m)
			}
		}
		l.changeItems = append(l.changeItems, p)
	}
	l.intent = d.NewIntentMarker(e.rt, e.id, l.changeID)
	l.intent.ChangeItems = int64(len(l.changeItems))
	return l, nil
}

func (d *Store) NewIntentMarker(rt *scim.ResourceType, id, change string) IntentMarker {
	return IntentMarker{Key: d.keys.IntentMarker(rt, id, change), StartedAt: d.Now().Unix()}
}

// executeLarge makes an effect of any size happen at one instant: when the head says that the change is pending, beside which
// then all its Change items stand.
func (d *Store) executeLarge(ctx context.Context, e *Mutation) error {
	l, err := d.newRedoLog(e)
	if err != nil {
		return err
	}
	room := min(d.sizes.changeItemsPerTransaction, d.sizes.transactionActions-2-len(e.IndexWrites.writes))
	before := max(0, len(l.changeItems)-room)
	if err := d.prepare(ctx, l, before); err != nil {
		return err
	}
	pending := table.Item{"pending": table.S(l.changeID), "left": table.N(l.intent.ChangeItems)}
	t := &Transaction{}
	t.add(withAttributes(e.HeadWrite, pending, nil), e.OnHeadFailure)
	t.AddAll(e.IndexWrites)
	if l.intent.State = StateCommitted; before == 0 {
		t.add(table.Put{Item: MarshalItem(l.intent), If: []table.Condition{table.NotExists()}}, ConflictHandler)
	} else {
		t.add(l.intent.transition(StatePrepared, StateCommitted), ConflictHandler)
	}
	l.addChangeItems(t, before, len(l.changeItems))
	if err := d.WriteTransaction(ctx, t); err != nil {
		if before == 0 || IsTransient(err) {
			return err
		}
		if tooLate, _ := d.abort(ctx, l.rt, l.id, l.changeID, l.intent.ChangeItems); !tooLate {
			return err
		}
	}
	d.finish(ctx, l)
	return nil
}

// prepare writes the first Change items, for which the commit has no room, under a marker that says so. All that comes
// after depends on that marker: it is a fence, which a sweeper that takes the writer for dead closes first.
func (d *Store) prepare(ctx context.Context, l *redoLog, before int) error {
	l.intent.State = StatePrepared
	for from := 0; from < before; {
		t := &Transaction{}
		if from == 0 {
			t.add(table.Put{Item: MarshalItem(l.intent), If: []table.Condition{table.NotExists()}}, ConflictHandler)
		} else {
			t.add(table.ConditionCheck{Key: l.intent.Key, If: []table.Condition{table.Equals("state", table.S(StatePrepared))}}, ConflictHandler)
		}
		to := min(before, from+d.sizes.changeItemsPerTransaction, from+d.sizes.transactionActions-1)
		l.addChangeItems(t, from, to)
		if err := d.WriteTransaction(ctx, t); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// addChangeItems adds some of the Change items to a transaction.
func (l *redoLog) addChangeItems(t *Transaction, from, to int) {
	for _, p := range l.changeItems[from:to] {
		t.add(table.Put{Item: MarshalItem(p), If: []table.Condition{table.NotExists()}}, ConflictHandler)
	}
}

// transition is the write that moves a marker from one state to another.
func (m IntentMarker) transition(from, to string) table.Update {
	return table.Update{
		Key: m.Key,
		Set: table.Item{"state": table.S(to)},
		If:  []table.Condition{table.Equals("state", table.S(from))},
	}
}

// tombstoneTTL is how long the marker of an aborted change stays.
const tombstoneTTL = 7 * 24 * time.Hour

// abort takes back a change that has not taken effect, or tells that it is too late. First it closes the fence; the
// Change items are then deleted by their keys, because a Query may not show them yet.
func (d *Store) abort(ctx context.Context, rt *scim.ResourceType, id, change string, k int64) (tooLate bool, err error) {
	m := IntentMarker{Key: d.keys.IntentMarker(rt, id, change)}
	state := StateAborted
	t := &Transaction{}
	t.add(m.transition(StatePrepared, StateAborted), func(stood table.Item) error {
		var there IntentMarker
		if err := UnmarshalItem(stood, &there); err != nil {
			return err
		}
		state = there.State
		return nil
	})
	if err := d.WriteTransaction(ctx, t); err != nil || state != StateAborted {
		return state == StateCommitted, err
	}
	for from := 0; from < int(k); from += d.sizes.transactionActions {
		t := &Transaction{}
		for n := from; n < min(int(k), from+d.sizes.transactionActions); n++ {
			t.add(table.Delete{Key: d.keys.ChangeItem(rt, id, change, n)}, ConflictHandler)
		}
		if err := d.WriteTransaction(ctx, t); err != nil {
			return false, err
		}
	}
	end := m.transition(StateAborted, StateSwept)
	end.Set["expires"] = table.N(d.Now().Add(tombstoneTTL).Unix())
	t = &Transaction{}
	t.add(end, func(table.Item) error { return nil }) // another has swept it
	return false, d.WriteTransaction(ctx, t)
}
