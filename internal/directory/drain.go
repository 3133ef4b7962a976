package directory

import (
	"context"
	"slices"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// latch adds to a transaction what makes a resource gone for every reader at once. Nothing joins it any more, nor does it
// join anything.
func (d *Directory) latch(t *transaction, rt *scim.ResourceType, h *head) *transaction {
	t.add(table.Update{
		Key: h.Key,
		Set: table.Item{"deleting": table.BOOL(true)},
		Add: table.Item{"ver": table.N(1)},
		If:  h.unchanged(),
	}, lost)
	t.add(table.Put{Item: marshal(d.newMarker(rt, h.id(), ""))}, lost)
	return t
}

func latchedHead() table.Condition { return table.Equals("deleting", table.BOOL(true)) }

// drain ends what is left of a latched resource, as it was read if that is known: its members, its memberships, and its
// head last. It may leave the rest to others when the deadline is near, and tells whether all is done.
func (d *Directory) drain(ctx context.Context, rt *scim.ResourceType, id string, h *head) (done bool, err error) {
	err = d.retry(ctx, func() (err error) {
		if h == nil {
			if h, err = d.latched(ctx, rt, id); err != nil || h == nil {
				done = err == nil
				return err
			}
		}
		for !done && !d.hurried(ctx) {
			if done, err = d.drainSome(ctx, rt, id, h); err != nil {
				h = nil // to be read again
				return err
			}
		}
		return nil
	})
	return done, err
}

// latched is the head of a resource that is being deleted, nil if there is none.
func (d *Directory) latched(ctx context.Context, rt *scim.ResourceType, id string) (*head, error) {
	items, err := d.Table.Get(ctx, nil, d.keys.head(rt, id))
	if err != nil || len(items) == 0 {
		return nil, err
	}
	h := &head{}
	if err := unmarshal(items[0], h); err != nil || !h.Deleting {
		return nil, err
	}
	return h, nil
}

// drainSome ends some members or memberships, or, when there are none, removes the head.
func (d *Directory) drainSome(ctx context.Context, rt *scim.ResourceType, id string, h *head) (done bool, err error) {
	switch {
	case h.N > 0:
		return false, d.drainMembers(ctx, rt, id, h)
	case len(h.Groups) > 0:
		return false, d.drainGroups(ctx, rt, id, h)
	}
	t := &transaction{}
	t.add(table.Delete{Key: h.Key, If: []table.Condition{latchedHead(), table.Without("groups"), table.Equals("n", table.N(0))}}, lost)
	t.add(table.Delete{Key: d.keys.marker(rt, id, "")}, lost)
	return true, d.write(ctx, t)
}

// drainMembers ends a page of members, some at a time.
func (d *Directory) drainMembers(ctx context.Context, rt *scim.ResourceType, id string, h *head) error {
	members, _, err := d.edges(ctx, rt, id, 0)
	if err != nil {
		return err
	}
	if len(members) == 0 {
		return errLost // they are yet to be seen, or another has ended them
	}
	for some := range slices.Chunk(members, d.sizes.part) {
		if d.hurried(ctx) {
			return nil
		}
		n, sum := int64(len(some)), digests(some)
		t := &transaction{}
		t.add(table.Update{
			Key: h.Key,
			Add: table.Item{"n": table.N(-n), "sum": table.N(-sum)},
			If:  []table.Condition{latchedHead()},
		}, lost)
		for _, m := range some {
			d.unlink(t, rt, id, m, lost)
		}
		if err := d.write(ctx, t); err != nil {
			return err
		}
		h.N -= n
	}
	return nil
}

// drainGroups ends some memberships in other groups.
func (d *Directory) drainGroups(ctx context.Context, rt *scim.ResourceType, id string, h *head) error {
	some := h.Groups[:min(d.sizes.part, len(h.Groups))]
	t := &transaction{}
	t.add(table.Update{
		Key:    h.Key,
		Delete: table.Item{"groups": table.SS(some...)},
		Add:    table.Item{"gver": table.N(1)},
		If:     []table.Condition{latchedHead()},
	}, lost)
	d.leave(t, rt, id, nil, some)
	if err := d.write(ctx, t); err != nil {
		return err
	}
	h.Groups = h.Groups[len(some):]
	return nil
}
