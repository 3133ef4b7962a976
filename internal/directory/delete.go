package directory

import (
	"context"
	"math"
	"slices"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// Delete removes a resource, its memberships and its members' (RFC 7644 §3.6). Where these are too many for one
// transaction it is latched first, and so gone for every reader, and drained after. It tells what was there.
func (d *Directory) Delete(ctx context.Context, rt *scim.ResourceType, id string, match Precondition) (made Change,
	err error) {
	many, ask := false, d.asking(ctx)
	err = d.retry(ctx, func() error {
		h, members, err := d.deletable(ctx, rt, id, many)
		switch {
		case err != nil:
			return err
		case h == nil:
			return notFound(rt, id)
		case match != nil && !match(h.version(rt)):
			return Stale(rt)
		}
		many = many || int(h.N) > len(members)
		t, c, err := d.deletion(rt, id, h)
		if made = c; err == nil {
			err = ask(made)
		}
		if err != nil {
			return err
		}
		if !many && 1+len(t.writes)+2*len(members)+2*len(h.Groups) <= d.sizes.actions {
			t.add(table.Delete{Key: h.Key, If: h.unchanged()}, lost)
			d.leave(t, rt, id, members, h.Groups)
			err := d.write(ctx, t)
			if many = isTooLarge(err); many {
				return errLost
			}
			return err
		}
		if err := d.write(ctx, d.latch(t, rt, h)); err != nil {
			return err
		}
		h.Deleting, h.Ver = true, h.Ver+1
		if _, err := d.drain(ctx, rt, id, h); err != nil {
			d.Log.WarnContext(ctx, "a delete is left to be finished by others", "id", id, "error", err)
		}
		return nil
	})
	return made, err
}

// deletable reads what a delete depends on: the head, and the members if they may fit one transaction.
func (d *Directory) deletable(ctx context.Context, rt *scim.ResourceType, id string, many bool) (*head, []string, error) {
	h, err := d.head(ctx, rt, id)
	if err != nil || h == nil {
		return nil, nil, err
	}
	if err := d.settled(ctx, rt, h); err != nil {
		return nil, nil, err
	}
	if many || h.N == 0 || 2*int(h.N) > d.sizes.actions {
		return h, nil, nil
	}
	return d.whole(ctx, rt, id, math.MaxInt64)
}

// unchanged is that neither the resource nor the groups it is in have moved since it was read: a set that is the same
// by its elements may have another history, so gver tells.
func (h *head) unchanged() []table.Condition {
	return []table.Condition{table.Equals("ver", table.N(h.Ver)), table.Equals("gver", table.N(h.GVer))}
}

// deletion is the transaction by which a resource is no longer found, nor counted, and what that changes.
func (d *Directory) deletion(rt *scim.ResourceType, id string, h *head) (*transaction, Change, error) {
	o, err := decode(h.Doc)
	if err != nil {
		return nil, Change{}, err
	}
	found, err := d.bearing(rt, id, o)
	if err != nil {
		return nil, Change{}, err
	}
	t := &transaction{}
	d.bear(t, rt, id, &found, nil)
	return t, changed(rt, h, nil, o, nil, h.N > 0), d.count(t, rt, -1)
}

// leave adds to a transaction what ends the memberships of others in a resource and its own in others: one action for
// each item, also where a group is both its member and its parent.
func (d *Directory) leave(t *transaction, rt *scim.ResourceType, id string, members, groups []string) {
	exists, now := []table.Condition{table.Exists()}, table.S(d.now())
	for _, m := range members {
		t.add(table.Delete{Key: d.keys.edge(rt, id, m), If: exists}, lost)
	}
	both := slices.Concat(members, groups)
	slices.Sort(both)
	isMember, isParent := set(members), set(groups)
	for _, y := range slices.Compact(both) {
		other := d.Types.ByID(y)
		u := table.Update{Key: d.keys.head(other, y), Add: table.Item{}, If: exists}
		if isMember[y] {
			u.Delete = table.Item{"groups": table.SS(id)}
			u.Add["gver"] = table.N(1)
		}
		if isParent[y] {
			t.add(table.Delete{Key: d.keys.edge(other, y, id), If: exists}, lost)
			u.Set = table.Item{"modified": now}
			u.Add["ver"], u.Add["n"], u.Add["sum"] = table.N(1), table.N(-1), table.N(-digest(id))
		}
		t.add(u, lost)
	}
}
