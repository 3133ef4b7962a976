package directory

import (
	"context"
	"slices"
	"strings"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// isGroup tells whether resources of a type have members.
func isGroup(rt *scim.ResourceType) bool { return rt.Storage.Edges != "" }

// link adds to a transaction what makes m a member of the group: the edge and its reverse. A member that cannot be one
// is noted in gone, to be left out of the next attempt.
func (d *Directory) link(t *transaction, group *scim.ResourceType, id, m string, gone map[string]bool) {
	rt := d.Types.ByID(m)
	t.add(table.Put{
		Item: marshal(edge{Key: d.keys.edge(group, id, m), Type: rt.Name}),
		If:   []table.Condition{table.Absent()},
	}, lost)
	t.add(table.Update{
		Key: d.keys.head(rt, m),
		Add: table.Item{"groups": table.SS(id), "gver": table.N(1)},
		If:  []table.Condition{table.Exists(), table.Without("deleting"), table.SizeBelow("groups", maxGroups)},
	}, func(stood table.Item) error {
		if stood != nil && stood["deleting"] == nil && len(table.Strings(stood["groups"])) >= maxGroups {
			return scim.BadRequest(scim.InvalidValue,
				"%s is a member of %d groups already, and cannot be in more. Remove it from some.", m, maxGroups)
		}
		if stood == nil || stood["deleting"] != nil {
			gone[m] = true
		}
		return errLost
	})
}

// unlink adds to a transaction what ends the membership of m in the group.
func (d *Directory) unlink(t *transaction, group *scim.ResourceType, id, m string) {
	exists := []table.Condition{table.Exists()}
	t.add(table.Delete{Key: d.keys.edge(group, id, m), If: exists}, lost)
	t.add(table.Update{
		Key:    d.keys.head(d.Types.ByID(m), m),
		Delete: table.Item{"groups": table.SS(id)},
		Add:    table.Item{"gver": table.N(1)},
		If:     exists,
	}, lost)
}

// eligible is the ids that could be those of members of the group, each once. What has not the form of an id is an
// unknown member, and a group is never its own.
func (d *Directory) eligible(ids []string, group string) []string {
	ids = slices.DeleteFunc(slices.Clone(ids), func(m string) bool { return m == group || d.Types.ByID(m) == nil })
	slices.Sort(ids)
	return slices.Compact(ids)
}

// head reads the head of a resource, nil if it cannot be seen.
func (d *Directory) head(ctx context.Context, rt *scim.ResourceType, id string) (*head, error) {
	if !rt.IsID(id) {
		return nil, nil
	}
	items, err := d.Table.Get(ctx, d.keys.head(rt, id))
	if err != nil || len(items) == 0 {
		return nil, err
	}
	return seen(items[0])
}

// seen is the head that an item holds, nil if it cannot be seen.
func seen(it table.Item) (*head, error) {
	h := &head{}
	if err := unmarshal(it, h); err != nil || h.Deleting {
		return nil, err
	}
	return h, nil
}

// maxSnapshot is how many members one Snapshot reads beside the head, which is in each.
const maxSnapshot = 99

// some reads the head of a group and which of some ids are members, as of one instant.
func (d *Directory) some(ctx context.Context, rt *scim.ResourceType, id string, ids []string) (*head, []string, error) {
	chunks := slices.Collect(slices.Chunk(ids, maxSnapshot))
	if len(chunks) == 0 {
		h, err := d.head(ctx, rt, id)
		return h, nil, err
	}
	heads, members := make([]*head, len(chunks)), make([][]string, len(chunks))
	err := d.retry(ctx, func() error {
		var calls []func() error
		for i, chunk := range chunks {
			calls = append(calls, func() (err error) {
				heads[i], members[i], err = d.snapshot(ctx, rt, id, chunk)
				return err
			})
		}
		if err := together(calls...); err != nil {
			return err
		}
		for _, h := range heads {
			if (h == nil) != (heads[0] == nil) || h != nil && h.Ver != heads[0].Ver {
				return errLost
			}
		}
		return nil
	})
	return heads[0], slices.Concat(members...), err
}

func (d *Directory) snapshot(ctx context.Context, rt *scim.ResourceType, id string, ids []string) (h *head, members []string, err error) {
	wanted := []table.Key{d.keys.head(rt, id)}
	for _, m := range ids {
		wanted = append(wanted, d.keys.edge(rt, id, m))
	}
	items, err := d.Table.Snapshot(ctx, wanted...)
	for _, it := range items {
		if k := it.Key(); k.SK != headKey {
			members = append(members, member(k))
		} else if h, err = seen(it); err != nil {
			return nil, nil, err
		}
	}
	return h, members, err
}

func member(edge table.Key) string { return strings.TrimPrefix(edge.SK, memberPrefix) }

// whole reads a group with all its members, as of one instant. Plain reads may see a transaction in part; the digest
// tells.
func (d *Directory) whole(ctx context.Context, rt *scim.ResourceType, id string) (h *head, members []string, err error) {
	err = d.retry(ctx, func() error {
		all := true
		if err := together(
			func() (err error) { h, err = d.head(ctx, rt, id); return err },
			func() (err error) { members, all, err = d.edges(ctx, rt, id, 0); return err },
		); err != nil {
			return err
		}
		if h != nil && !(all && h.agrees(members)) {
			return errLost
		}
		return nil
	})
	return h, members, err
}

// agrees tells whether these are the members of the group in this state.
func (h *head) agrees(members []string) bool {
	return h.N == int64(len(members)) && h.Sum == digests(members)
}

// edges lists the members of a group as plain reads show them, in the order of their ids, most of them at most (0: no
// limit); all tells whether that is all.
func (d *Directory) edges(ctx context.Context, rt *scim.ResourceType, id string, most int) (members []string, all bool, err error) {
	if !rt.IsID(id) {
		return nil, true, nil
	}
	r := table.Range{PK: d.keys.resource(rt, id), Prefix: memberPrefix, Attributes: []string{"PK", "SK"}, Limit: most}
	for {
		page, err := d.Table.Query(ctx, r)
		if err != nil {
			return nil, false, err
		}
		for _, it := range page.Items {
			members = append(members, member(it.Key()))
		}
		if r.After = page.Next.SK; r.After == "" || most > 0 && len(members) >= most {
			return members, r.After == "", nil
		}
	}
}

// displays reads the names of resources by their ids.
func (d *Directory) displays(ctx context.Context, ids []string) (names, error) {
	n := names{map[string]string{}, map[string]bool{}}
	var keys []table.Key
	for _, id := range ids {
		if rt := d.Types.ByID(id); rt != nil {
			keys, n.gone[id] = append(keys, d.keys.head(rt, id)), true
		}
	}
	if len(keys) == 0 {
		return n, nil
	}
	items, err := d.Table.Get(ctx, keys...)
	for _, it := range items {
		h, err := seen(it)
		if err != nil {
			return n, err
		}
		if h != nil {
			n.display[h.id()] = h.Display
			delete(n.gone, h.id())
		}
	}
	return n, err
}
