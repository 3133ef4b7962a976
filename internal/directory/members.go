package directory

import (
	"context"
	"errors"
	"slices"
	"strings"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// isGroup tells whether resources of a type have members.
func isGroup(rt *scim.ResourceType) bool { return rt.Storage.Edges != "" }

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
	items, err := d.Table.Get(ctx, nil, d.keys.head(rt, id))
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

// settled waits until no large change of the group is pending, and lends a hand; then the group is to be read again.
func (d *Directory) settled(ctx context.Context, rt *scim.ResourceType, h *head) error {
	if h == nil || h.Pending == "" {
		return nil
	}
	if err := d.help(ctx, rt, h.id(), h.Pending); err != nil {
		return err
	}
	return errLost
}

// some reads the head of a group and which of some ids are members, as of one instant.
func (d *Directory) some(ctx context.Context, rt *scim.ResourceType, id string, ids []string) (h *head, members []string, err error) {
	chunks := slices.Collect(slices.Chunk(ids, d.sizes.snapshot))
	if len(chunks) == 0 {
		h, err = d.head(ctx, rt, id)
		return h, nil, err
	}
	heads, found := make([]*head, len(chunks)), make([][]string, len(chunks))
	err = d.retry(ctx, func() error {
		var calls []func() error
		for i, chunk := range chunks {
			calls = append(calls, func() (err error) {
				heads[i], found[i], err = d.snapshot(ctx, rt, id, chunk)
				return err
			})
		}
		if err := d.together(calls...); err != nil {
			return err
		}
		for _, h := range heads {
			if err := d.settled(ctx, rt, h); err != nil {
				return err
			}
			if (h == nil) != (heads[0] == nil) || h != nil && h.Ver != heads[0].Ver {
				return errLost
			}
		}
		return nil
	})
	return heads[0], slices.Concat(found...), err
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

// torn is how often a group may be read at one version before its digest is taken to be wrong.
const torn = 8

// errMany says that a group has more members than are to be read.
var errMany = errors.New("directory: too many members")

// whole reads a group with all its members, as of one instant, or gives errMany if these are more than most. Plain reads
// may see a transaction in part; the digest tells.
func (d *Directory) whole(ctx context.Context, rt *scim.ResourceType, id string, most int64) (h *head, members []string, err error) {
	at, times := int64(0), 0
	err = d.retry(ctx, func() error {
		var next string
		if err := d.beside(
			func() (err error) { h, err = d.head(ctx, rt, id); return err },
			func() (err error) { members, next, err = d.edges(ctx, rt, id, 0); return err },
		); err != nil || h == nil {
			return err
		}
		if err := d.settled(ctx, rt, h); err != nil {
			return err
		}
		if h.N > most {
			return errMany
		}
		if next != "" {
			abreast := !d.Near && h.N > 3*int64(len(members))/2 // for half a page more it does not pay
			rest, err := d.edgesBehind(ctx, rt, id, next, abreast)
			if err != nil {
				return err
			}
			members = append(members, rest...)
		}
		if h.agrees(members) {
			return nil
		}
		if h.Ver != at {
			at, times = h.Ver, 0
		}
		if times++; times == torn {
			d.Log.ErrorContext(ctx, "members do not agree with their digest: fsck will mend it", "resourceType", rt.Name, "id", id)
			return &table.Busy{Err: errLost}
		}
		return errLost
	})
	return h, members, err
}

// agrees tells whether these are the members of the group in this state.
func (h *head) agrees(members []string) bool {
	return h.Pending == "" && h.N == int64(len(members)) && h.Sum == digests(members)
}

// most is how many members a group has at most when what is pending is applied.
func (h *head) most() int64 { return h.N + h.Left*maxPart }

// edges lists the members of a group as plain reads show them, in the order of their ids: a page, or the first most of
// them, and where the next page begins.
func (d *Directory) edges(ctx context.Context, rt *scim.ResourceType, id string, most int) (members []string, next string, err error) {
	if !rt.IsID(id) {
		return nil, "", nil
	}
	return d.edgesIn(ctx, table.Range{PK: d.keys.resource(rt, id), Prefix: memberPrefix, Limit: most})
}

func (d *Directory) edgesIn(ctx context.Context, r table.Range) (members []string, next string, err error) {
	r.Attributes = []string{"SK"}
	page, err := d.Table.Query(ctx, r)
	for _, it := range page.Items {
		members = append(members, member(it.Key()))
	}
	return members, page.Next.SK, err
}

// edgesBehind lists all members behind a sort key; abreast, in up to 17 parts at once, by the first digit of their ids, which
// is random unless the table is near.
func (d *Directory) edgesBehind(ctx context.Context, rt *scim.ResourceType, id, last string, abreast bool) ([]string, error) {
	bounds := []string{last}
	letter := last[:len(memberPrefix)+1]
	for _, digit := range "02468acegikmoqsu" {
		if b := letter + string(digit); abreast && b > last { // and no key is as short as this
			bounds = append(bounds, b)
		}
	}
	bounds = append(bounds, memberPrefix+"~")
	parts := make([][]string, len(bounds)-1)
	var calls []func() error
	for i := range parts {
		r := table.Range{PK: d.keys.resource(rt, id), From: bounds[i], To: bounds[i+1], After: bounds[i]}
		calls = append(calls, func() error {
			for {
				members, next, err := d.edgesIn(ctx, r)
				parts[i] = append(parts[i], members...)
				if r.After = next; err != nil || next == "" {
					return err
				}
			}
		})
	}
	err := d.together(calls...)
	return slices.Concat(parts...), err
}

func member(edge table.Key) string { return strings.TrimPrefix(edge.SK, memberPrefix) }

// displays reads the names of resources by their ids.
func (d *Directory) displays(ctx context.Context, ids []string) (names, error) {
	var keys []table.Key
	for _, id := range ids {
		if rt := d.Types.ByID(id); rt != nil {
			keys = append(keys, d.keys.head(rt, id))
		}
	}
	n := names{make(map[string]string, len(keys)), map[string]bool{}}
	if len(keys) == 0 {
		return n, nil
	}
	items, err := d.Table.Get(ctx, []string{"PK", "display", "deleting"}, keys...)
	for _, it := range items {
		if it["deleting"] == nil {
			n.display[idIn(table.Text(it["PK"]))] = table.Text(it["display"])
		}
	}
	for _, k := range keys {
		if _, there := n.display[idIn(k.PK)]; !there {
			n.gone[idIn(k.PK)] = true
		}
	}
	return n, err
}
