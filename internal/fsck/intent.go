package fsck

import (
	"fmt"
	"strings"

	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// checkDeleteIntent checks that a resource that is being deleted has an intent marker, so that a sweep finds it.
func (ref itemRef) checkDeleteIntent(v *itemView) checkResult {
	k := ref.store.Keys.IntentMarker(ref.rt, ref.id, "")
	if !v.resource(ref, ref.id).head.Deleting || v.item(k) != nil {
		return checkResult{}
	}
	put := table.Put{Item: store.MarshalItem(ref.store.NewIntentMarker(ref.rt, ref.id, "")), If: unchangedConditions(nil)}
	return newFinding("deleting head item without its intent marker", put, v.unchangedCheck(ref.key, "deleting"))
}

// checkPendingIntent checks that a pending change has an intent marker in state committed, so that a sweep finds it. The head
// item decides: a change that it names has taken effect, whatever state the marker has.
func (ref itemRef) checkPendingIntent(v *itemView) checkResult {
	head := v.resource(ref, ref.id).head
	if head.PendingChange == "" {
		return checkResult{}
	}
	m := ref.store.NewIntentMarker(ref.rt, ref.id, head.PendingChange)
	it := v.item(m.Key)
	if it == nil {
		m.State, m.ChangeItems = store.StateCommitted, head.PendingItems
		put := table.Put{Item: store.MarshalItem(m), If: unchangedConditions(nil)}
		return newFinding("pending change without its intent marker", put, v.unchangedCheck(ref.key, "pending"))
	}
	if store.UnmarshalItem(it, &m) != nil || m.State == store.StateCommitted { // checkIntentMarker reports a corrupt item
		return checkResult{}
	}
	commit := table.Update{
		Key: m.Key, Set: table.Item{"state": table.S(store.StateCommitted)}, Remove: []string{"expires"},
		If: unchangedConditions(it, "state"),
	}
	return newFinding(fmt.Sprintf("pending change whose intent marker has the state %q", m.State),
		commit, v.unchangedCheck(ref.key, "pending"))
}

// checkIntentMarker checks that an intent marker records an unfinished delete, an unfinished change, or an aborted change as
// a tombstone (state swept). It leaves the marker of a pending change to checkPendingIntent.
func (ref itemRef) checkIntentMarker(v *itemView) checkResult {
	m, it, r := store.IntentMarker{}, v.item(ref.key), v.resource(ref, ref.id)
	if err := store.UnmarshalItem(it, &m); err != nil {
		return corruptFinding("intent marker", err)
	}
	head, remove := ref.store.Keys.Head(ref.rt, ref.id), table.Delete{Key: ref.key, If: unchangedConditions(it, "state")}
	changeID, isChange := ref.changeID()
	switch {
	case r.err != nil: // checkHead reports it
		return checkResult{}
	case isChange && r.head.PendingChange == changeID:
		return checkResult{}
	case !isChange && !r.head.Deleting:
		return newFinding("intent marker of a delete that is not in progress", remove, v.unchangedCheck(head, "deleting"))
	case isChange && m.State == store.StateCommitted:
		return newFinding("committed intent marker of a change that is not pending", remove, v.unchangedCheck(head, "ver"))
	case isChange && m.State != store.StatePrepared && m.State != store.StateAborted && m.State != store.StateSwept:
		return corruptFinding("intent marker", fmt.Errorf("the state is %q", m.State))
	}
	return checkResult{}
}

// checkChangeItem checks that a change item belongs to a change that is pending, prepared, or being aborted. The writer
// or a sweep deletes the change items of any other change.
func (ref itemRef) checkChangeItem(v *itemView) checkResult {
	changeID, _, _ := strings.Cut(strings.TrimPrefix(ref.key.SK, store.ChangePrefix), "#")
	k, m := ref.store.Keys.IntentMarker(ref.rt, ref.id, changeID), store.IntentMarker{}
	it, r := v.item(k), v.resource(ref, ref.id)
	err := store.UnmarshalItem(it, &m)
	if r.err != nil || r.head.PendingChange == changeID || err != nil {
		return checkResult{}
	}
	if it != nil && m.State != store.StateCommitted && m.State != store.StateSwept {
		return checkResult{}
	}
	return newFinding("change item of a change that is neither pending nor prepared nor being aborted",
		table.Delete{Key: ref.key, If: unchangedConditions(v.item(ref.key))},
		ref.headUnchanged(v, ref.id), v.unchangedCheck(k, "state"))
}
