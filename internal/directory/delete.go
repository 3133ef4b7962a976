package directory

import (
	"context"
	"slices"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// Delete removes a resource, its memberships and its members' (RFC 7644 §3.6).
func (d *Directory) Delete(ctx context.Context, rt *scim.ResourceType, id string, match Precondition) error {
	return d.retry(ctx, func() error {
		h, err := d.head(ctx, rt, id)
		var members []string
		if h != nil && 0 < h.N && 2*h.N <= maxActions {
			h, members, err = d.whole(ctx, rt, id)
		}
		switch {
		case err != nil:
			return err
		case h == nil:
			return notFound(rt, id)
		case match != nil && !match(h.version(rt)):
			return Stale(rt)
		}
		t, err := d.deletion(rt, id, h, members)
		if err != nil {
			return err
		}
		return d.write(ctx, t)
	})
}

// deletion is the transaction that deletes a resource. It depends on the groups as read: gver moves with them, and a
// set that is the same by its elements may have another history.
func (d *Directory) deletion(rt *scim.ResourceType, id string, h *head, members []string) (*transaction, error) {
	o, err := decode(h.Doc)
	if err != nil {
		return nil, err
	}
	found, err := d.bearing(rt, id, o)
	if err != nil {
		return nil, err
	}
	t := &transaction{}
	t.add(table.Delete{Key: h.Key, If: []table.Condition{
		table.Equals("ver", table.N(h.Ver)), table.Equals("gver", table.N(h.GVer)),
	}}, lost)
	d.bear(t, rt, id, &found, nil)
	if err := d.count(t, rt, -1); err != nil {
		return nil, err
	}
	if len(t.writes)+2*int(h.N)+2*len(h.Groups) > maxActions {
		return nil, &scim.Error{Status: 413, Detail: "The " + rt.Name + " has too many memberships to be deleted at once. " +
			"Remove members, or remove it from groups, with PATCH first."}
	}
	d.leave(t, rt, id, members, h.Groups)
	return t, nil
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
