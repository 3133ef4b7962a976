package directory

import (
	"fmt"

	"serverless-scim/internal/table"
)

// resource is the checks of a head: that it is one, that it is found by what it bears, that what is under way with it is
// known, and that its groups know it.
func (p position) resource(l *look) (checks []check) {
	add := func(judge func(*look) verdict) { checks = append(checks, check{p.key, judge}) }
	add(p.sound)
	add(p.named)
	add(p.pending)
	add(p.latched)
	s := l.resource(p, p.id)
	for _, k := range inOrder(s.lookups) {
		add(func(l *look) verdict { return p.lookedUp(l, k) })
	}
	for _, g := range s.Groups {
		add(func(l *look) verdict { return p.belongs(l, g) })
	}
	return checks
}

func (p position) sound(l *look) verdict {
	switch s := l.resource(p, p.id); {
	case s.damage != nil:
		return damaged("head", s.damage)
	case s.Tenant != p.keys.tenant:
		return verdict{wrong: fmt.Sprintf("head with the tenant %q", s.Tenant), open: "it is not known whose it is"}
	}
	return verdict{}
}

// named checks that the name of a head points to it.
func (p position) named(l *look) verdict {
	s := l.resource(p, p.id)
	if !s.live() {
		return verdict{}
	}
	n, k := name{}, p.keys.name(p.rt, s.name)
	it := l.item(k)
	if unmarshal(it, &n) != nil || n.ID == p.id {
		return verdict{}
	}
	put := table.Put{Item: marshal(name{k, p.id}), If: unchanged(it, "id")}
	if !p.rt.IsID(n.ID) {
		return wrong("head without its name item", put, l.same(p.key, "ver"))
	}
	if other := l.resource(p, n.ID); other.damage != nil || other.live() && other.name == s.name {
		return verdict{wrong: "head whose name is taken by " + n.ID, open: "one of the two must have another"}
	}
	return wrong("head without its name item", put, l.same(p.key, "ver"), l.same(p.keys.head(p.rt, n.ID), "ver"))
}

// name checks a name item.
func (p position) name(l *look) verdict {
	n, it := name{}, l.item(p.key)
	if err := unmarshal(it, &n); err != nil {
		return damaged("name item", err)
	}
	remove := table.Delete{Key: p.key, If: unchanged(it, "id")}
	if !p.rt.IsID(n.ID) {
		return wrong("name item without a head", remove)
	}
	s := l.resource(p, n.ID)
	if s.damage != nil || s.live() && p.keys.name(p.rt, s.name) == p.key {
		return verdict{}
	}
	return wrong("name item without a head that bears it", remove, l.same(p.keys.head(p.rt, n.ID), "ver"))
}

// lookedUp checks that a resource is found by one of its values.
func (p position) lookedUp(l *look, k table.Key) verdict {
	s := l.resource(p, p.id)
	if !s.live() || !s.lookups[k] || l.item(k) != nil {
		return verdict{}
	}
	return wrong(fmt.Sprintf("head without its lookup item %q", k.PK),
		table.Put{Item: marshal(k), If: unchanged(nil)}, l.same(p.key, "ver"))
}

// lookup checks a lookup item, whose sort key is the id of a resource.
func (p position) lookup(l *look) verdict {
	id, remove := p.key.SK, table.Delete{Key: p.key, If: unchanged(l.item(p.key))}
	if !p.rt.IsID(id) {
		return wrong("lookup item without a head", remove)
	}
	s := l.resource(p, id)
	if s.damage != nil || s.live() && s.lookups[p.key] {
		return verdict{}
	}
	return wrong("lookup item that its head does not account for", remove, l.same(p.keys.head(p.rt, id), "ver"))
}

// secret checks what cursors are sealed by. Without it another is made, and clients begin again.
func (p position) secret(l *look) verdict {
	s, it := secret{}, l.item(p.key)
	if err := unmarshal(it, &s); err == nil {
		if _, err = s.aead(); err == nil {
			return verdict{}
		}
	}
	return wrong("damaged secret of cursors", table.Delete{Key: p.key, If: unchanged(it, "secret")})
}

// latched checks that a sweep will find a delete that is under way.
func (p position) latched(l *look) verdict {
	k := p.keys.marker(p.rt, p.id, "")
	if !l.resource(p, p.id).Deleting || l.item(k) != nil {
		return verdict{}
	}
	return wrong("latched head without a marker",
		table.Put{Item: marshal(p.newMarker(p.rt, p.id, "")), If: unchanged(nil)}, l.same(p.key, "deleting"))
}

// pending checks that a sweep will find a change that has taken effect.
func (p position) pending(l *look) verdict {
	s := l.resource(p, p.id)
	if s.Pending == "" {
		return verdict{}
	}
	m := p.newMarker(p.rt, p.id, s.Pending)
	it := l.item(m.Key)
	if it == nil {
		m.State, m.K = committed, s.Left
		return wrong("pending change without a marker",
			table.Put{Item: marshal(m), If: unchanged(nil)}, l.same(p.key, "pending"))
	}
	if unmarshal(it, &m) != nil || m.State == committed {
		return verdict{}
	}
	return wrong(fmt.Sprintf("pending change with the marker %q", m.State), table.Update{
		Key: m.Key, Set: table.Item{"state": table.S(committed)}, Remove: []string{"expires"}, If: unchanged(it, "state"),
	}, l.same(p.key, "pending"))
}

// marker checks what a sweep finds.
func (p position) marker(l *look) verdict {
	m, it, s := marker{}, l.item(p.key), l.resource(p, p.id)
	if err := unmarshal(it, &m); err != nil {
		return damaged("marker", err)
	}
	head, remove := p.keys.head(p.rt, p.id), table.Delete{Key: p.key, If: unchanged(it, "state")}
	switch isChange := len(p.part) > 3; {
	case s.damage != nil || isChange && s.Pending == p.part[3]: // then what its state must be is the head's matter
		return verdict{}
	case !isChange && !s.Deleting:
		return wrong("marker of a delete that is not under way", remove, l.same(head, "deleting"))
	case isChange && m.State == committed:
		return wrong("committed marker of a change that is not pending", remove, l.same(head, "ver"))
	case isChange && m.State != prepared && m.State != aborted && m.State != swept:
		return damaged("marker", fmt.Errorf("the state is %q", m.State))
	}
	return verdict{}
}
