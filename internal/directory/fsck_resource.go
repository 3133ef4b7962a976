package directory

import (
	"fmt"

	"serverless-scim/internal/table"
)

// headChecks is the checks of a head: that it is one, that it is found by what it bears, that what is under way with it is
// known, and that its groups know it.
func (p itemRef) headChecks(l *itemView) (checks []check) {
	add := func(judge func(*itemView) finding) { checks = append(checks, check{p.key, judge}) }
	add(p.checkHead)
	add(p.checkHasNameItem)
	add(p.checkPendingIntent)
	add(p.checkDeleteIntent)
	s := l.resource(p, p.id)
	for _, k := range SortedKeys(s.indexKeys) {
		add(func(l *itemView) finding { return p.checkHasIndexItem(l, k) })
	}
	for _, g := range s.Groups {
		add(func(l *itemView) finding { return p.checkGroupHasEdge(l, g) })
	}
	return checks
}

func (p itemRef) checkHead(l *itemView) finding {
	switch s := l.resource(p, p.id); {
	case s.err != nil:
		return corruptFinding("head", s.err)
	case s.Tenant != p.keys.tenant:
		return finding{problem: fmt.Sprintf("head with the tenant %q", s.Tenant), whyNotRepaired: "it is not known whose it is"}
	}
	return finding{}
}

// checkHasNameItem checks that the name of a head points to it.
func (p itemRef) checkHasNameItem(l *itemView) finding {
	s := l.resource(p, p.id)
	if !s.live() {
		return finding{}
	}
	n, k := NameItem{}, p.keys.Name(p.rt, s.name)
	it := l.item(k)
	if UnmarshalItem(it, &n) != nil || n.ResourceID == p.id {
		return finding{}
	}
	put := table.Put{Item: MarshalItem(NameItem{k, p.id}), If: unchangedConditions(it, "id")}
	if !p.rt.IsID(n.ResourceID) {
		return newFinding("head without its name item", put, l.unchangedCheck(p.key, "ver"))
	}
	if other := l.resource(p, n.ResourceID); other.err != nil || other.live() && other.name == s.name {
		return finding{problem: "head whose name is taken by " + n.ResourceID, whyNotRepaired: "one of the two must have another"}
	}
	return newFinding("head without its name item", put, l.unchangedCheck(p.key, "ver"), l.unchangedCheck(p.keys.Head(p.rt, n.ResourceID), "ver"))
}

// checkNameItem checks a name item.
func (p itemRef) checkNameItem(l *itemView) finding {
	n, it := NameItem{}, l.item(p.key)
	if err := UnmarshalItem(it, &n); err != nil {
		return corruptFinding("name item", err)
	}
	remove := table.Delete{Key: p.key, If: unchangedConditions(it, "id")}
	if !p.rt.IsID(n.ResourceID) {
		return newFinding("name item without a head", remove)
	}
	s := l.resource(p, n.ResourceID)
	if s.err != nil || s.live() && p.keys.Name(p.rt, s.name) == p.key {
		return finding{}
	}
	return newFinding("name item without a head that bears it", remove, l.unchangedCheck(p.keys.Head(p.rt, n.ResourceID), "ver"))
}

// checkHasIndexItem checks that a resource is found by one of its values.
func (p itemRef) checkHasIndexItem(l *itemView, k table.Key) finding {
	s := l.resource(p, p.id)
	if !s.live() || !s.indexKeys[k] || l.item(k) != nil {
		return finding{}
	}
	return newFinding(fmt.Sprintf("head without its lookup item %q", k.PK),
		table.Put{Item: MarshalItem(k), If: unchangedConditions(nil)}, l.unchangedCheck(p.key, "ver"))
}

// checkIndexItem checks a lookup item, whose sort key is the id of a resource.
func (p itemRef) checkIndexItem(l *itemView) finding {
	id, remove := p.key.SK, table.Delete{Key: p.key, If: unchangedConditions(l.item(p.key))}
	if !p.rt.IsID(id) {
		return newFinding("lookup item without a head", remove)
	}
	s := l.resource(p, id)
	if s.err != nil || s.live() && s.indexKeys[p.key] {
		return finding{}
	}
	return newFinding("lookup item that its head does not account for", remove, l.unchangedCheck(p.keys.Head(p.rt, id), "ver"))
}

// checkCursorKey checks what cursors are sealed by. Without it another is made, and clients begin again.
func (p itemRef) checkCursorKey(l *itemView) finding {
	s, it := CursorKeyItem{}, l.item(p.key)
	if err := UnmarshalItem(it, &s); err == nil {
		if _, err = s.NewAEAD(); err == nil {
			return finding{}
		}
	}
	return newFinding("damaged secret of cursors", table.Delete{Key: p.key, If: unchangedConditions(it, "secret")})
}

// checkDeleteIntent checks that a sweep will find a delete that is under way.
func (p itemRef) checkDeleteIntent(l *itemView) finding {
	k := p.keys.IntentMarker(p.rt, p.id, "")
	if !l.resource(p, p.id).Deleting || l.item(k) != nil {
		return finding{}
	}
	return newFinding("latched head without a marker",
		table.Put{Item: MarshalItem(p.NewIntentMarker(p.rt, p.id, "")), If: unchangedConditions(nil)}, l.unchangedCheck(p.key, "deleting"))
}

// checkPendingIntent checks that a sweep will find a change that has taken effect.
func (p itemRef) checkPendingIntent(l *itemView) finding {
	s := l.resource(p, p.id)
	if s.PendingChange == "" {
		return finding{}
	}
	m := p.NewIntentMarker(p.rt, p.id, s.PendingChange)
	it := l.item(m.Key)
	if it == nil {
		m.State, m.ChangeItems = StateCommitted, s.PendingItems
		return newFinding("pending change without a marker",
			table.Put{Item: MarshalItem(m), If: unchangedConditions(nil)}, l.unchangedCheck(p.key, "pending"))
	}
	if UnmarshalItem(it, &m) != nil || m.State == StateCommitted {
		return finding{}
	}
	return newFinding(fmt.Sprintf("pending change with the marker %q", m.State), table.Update{
		Key: m.Key, Set: table.Item{"state": table.S(StateCommitted)}, Remove: []string{"expires"}, If: unchangedConditions(it, "state"),
	}, l.unchangedCheck(p.key, "pending"))
}

// checkIntentMarker checks what a sweep finds.
func (p itemRef) checkIntentMarker(l *itemView) finding {
	m, it, s := IntentMarker{}, l.item(p.key), l.resource(p, p.id)
	if err := UnmarshalItem(it, &m); err != nil {
		return corruptFinding("marker", err)
	}
	head, remove := p.keys.Head(p.rt, p.id), table.Delete{Key: p.key, If: unchangedConditions(it, "state")}
	switch isChange := len(p.keyParts) > 3; {
	case s.err != nil || isChange && s.PendingChange == p.keyParts[3]: // then what its state must be is the head's matter
		return finding{}
	case !isChange && !s.Deleting:
		return newFinding("marker of a delete that is not under way", remove, l.unchangedCheck(head, "deleting"))
	case isChange && m.State == StateCommitted:
		return newFinding("committed marker of a change that is not pending", remove, l.unchangedCheck(head, "ver"))
	case isChange && m.State != StatePrepared && m.State != StateAborted && m.State != StateSwept:
		return corruptFinding("marker", fmt.Errorf("the state is %q", m.State))
	}
	return finding{}
}
