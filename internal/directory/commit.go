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

// effect is what a request writes: the head of its resource, the names by which that is found, and the memberships that
// begin and end. It takes effect in one transaction; where that has no room for the memberships, in a commit, which
// these follow one by one, while no reader of the group sees it without them.
type effect struct {
	rt          *scim.ResourceType
	id          string
	head        table.Write // a Put or an Update, without what counts the members
	refused     reason      // if its condition fails
	rest        transaction
	add, remove []string
	*candidates
}

// candidates is what the attempts of a request learn of the members that it adds.
type candidates struct {
	gone map[string]bool // they do not exist
	many bool            // they are too many bytes for one transaction
}

func newCandidates() *candidates { return &candidates{gone: map[string]bool{}} }

// edges is the number of memberships that change.
func (e *effect) edges() int { return len(e.add) + len(e.remove) }

// counts is by how much the number of members and their digest move.
func (e *effect) counts() (n, sum int64) {
	return int64(len(e.add) - len(e.remove)), digests(e.add) - digests(e.remove)
}

// take makes an effect happen.
func (d *Directory) take(ctx context.Context, e *effect) error {
	if !e.many && 1+len(e.rest.writes)+2*e.edges() <= d.sizes.actions {
		err := d.write(ctx, d.transaction(e))
		switch {
		case !isTooLarge(err):
			return err
		case e.edges() == 0:
			return &scim.Error{Status: 413, Detail: "The resource is larger than one can be. Leave attributes out."}
		}
		e.many = true
		return errLost
	}
	gone, err := d.vet(ctx, e.add)
	if err != nil {
		return err
	}
	if maps.Copy(e.gone, set(gone)); len(gone) > 0 {
		return errLost
	}
	return d.commit(ctx, e)
}

// transaction is the whole of an effect.
func (d *Directory) transaction(e *effect) *transaction {
	t, head := &transaction{}, e.head
	if n, sum := e.counts(); e.edges() > 0 {
		head = plus(head, nil, table.Item{"n": table.N(n), "sum": table.N(sum)})
	}
	t.add(head, e.refused)
	t.append(e.rest)
	for _, m := range e.add {
		d.link(t, e.rt, e.id, m, lost, join(m, e.gone), table.SizeBelow("groups", maxGroups))
	}
	for _, m := range e.remove {
		d.unlink(t, e.rt, e.id, m, lost)
	}
	return t
}

// plus is a write of a head that also sets attributes and adds to them.
func plus(head table.Write, set, add table.Item) table.Write {
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

// redo is a large change of a group: its memberships as Change items.
type redo struct {
	rt     *scim.ResourceType
	id     string
	change string
	parts  []part
	marker marker
}

func (d *Directory) redo(e *effect) (*redo, error) {
	b, err := d.random(16)
	if err != nil {
		return nil, err
	}
	l := &redo{rt: e.rt, id: e.id, change: hex.EncodeToString(b)}
	added := set(e.add)
	for ids := range slices.Chunk(slices.Concat(e.add, e.remove), d.sizes.part) {
		p := part{Key: d.keys.change(e.rt, e.id, l.change, len(l.parts))}
		for _, m := range ids {
			if added[m] {
				p.Add = append(p.Add, m)
			} else {
				p.Del = append(p.Del, m)
			}
		}
		l.parts = append(l.parts, p)
	}
	l.marker = d.newMarker(e.rt, e.id, l.change)
	l.marker.K = int64(len(l.parts))
	return l, nil
}

func (d *Directory) newMarker(rt *scim.ResourceType, id, change string) marker {
	return marker{Key: d.keys.marker(rt, id, change), At: d.Now().Unix()}
}

// commit makes an effect of any size happen at one instant: when the head says that the change is pending, beside which
// then all its Change items stand.
func (d *Directory) commit(ctx context.Context, e *effect) error {
	l, err := d.redo(e)
	if err != nil {
		return err
	}
	room := min(d.sizes.log, d.sizes.actions-2-len(e.rest.writes))
	before := max(0, len(l.parts)-room)
	if err := d.prepare(ctx, l, before); err != nil {
		return err
	}
	pending := table.Item{"pending": table.S(l.change), "left": table.N(l.marker.K)}
	t := &transaction{}
	t.add(plus(e.head, pending, nil), e.refused)
	t.append(e.rest)
	if l.marker.State = committed; before == 0 {
		t.add(table.Put{Item: marshal(l.marker), If: []table.Condition{table.Absent()}}, lost)
	} else {
		t.add(l.marker.becomes(prepared, committed), lost)
	}
	l.log(t, before, len(l.parts))
	if err := d.write(ctx, t); err != nil {
		if before == 0 || IsBusy(err) {
			return err
		}
		if tooLate, _ := d.abort(ctx, l.rt, l.id, l.change, l.marker.K); !tooLate {
			return err
		}
	}
	d.finish(ctx, l)
	return nil
}

// prepare writes the first Change items, for which the commit has no room, under a marker that says so. All that comes
// after depends on that marker: it is a fence, which a sweeper that takes the writer for dead closes first.
func (d *Directory) prepare(ctx context.Context, l *redo, before int) error {
	l.marker.State = prepared
	for from := 0; from < before; {
		t := &transaction{}
		if from == 0 {
			t.add(table.Put{Item: marshal(l.marker), If: []table.Condition{table.Absent()}}, lost)
		} else {
			t.add(table.Check{Key: l.marker.Key, If: []table.Condition{table.Equals("state", table.S(prepared))}}, lost)
		}
		to := min(before, from+d.sizes.log, from+d.sizes.actions-1)
		l.log(t, from, to)
		if err := d.write(ctx, t); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// log adds some of the Change items to a transaction.
func (l *redo) log(t *transaction, from, to int) {
	for _, p := range l.parts[from:to] {
		t.add(table.Put{Item: marshal(p), If: []table.Condition{table.Absent()}}, lost)
	}
}

// becomes is the write that moves a marker from one state to another.
func (m marker) becomes(from, to string) table.Update {
	return table.Update{
		Key: m.Key,
		Set: table.Item{"state": table.S(to)},
		If:  []table.Condition{table.Equals("state", table.S(from))},
	}
}

// tombstone is how long the marker of an aborted change stays.
const tombstone = 7 * 24 * time.Hour

// abort takes back a change that has not taken effect, or tells that it is too late. First it closes the fence; the
// Change items are then deleted by their keys, because a Query may not show them yet.
func (d *Directory) abort(ctx context.Context, rt *scim.ResourceType, id, change string, k int64) (tooLate bool, err error) {
	m := marker{Key: d.keys.marker(rt, id, change)}
	state := aborted
	t := &transaction{}
	t.add(m.becomes(prepared, aborted), func(stood table.Item) error {
		var there marker
		if err := unmarshal(stood, &there); err != nil {
			return err
		}
		state = there.State
		return nil
	})
	if err := d.write(ctx, t); err != nil || state != aborted {
		return state == committed, err
	}
	for from := 0; from < int(k); from += d.sizes.actions {
		t := &transaction{}
		for n := from; n < min(int(k), from+d.sizes.actions); n++ {
			t.add(table.Delete{Key: d.keys.change(rt, id, change, n)}, lost)
		}
		if err := d.write(ctx, t); err != nil {
			return false, err
		}
	}
	end := m.becomes(aborted, swept)
	end.Set["expires"] = table.N(d.Now().Add(tombstone).Unix())
	t = &transaction{}
	t.add(end, func(table.Item) error { return nil }) // another has swept it
	return false, d.write(ctx, t)
}
