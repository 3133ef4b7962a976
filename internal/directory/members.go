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
func isGroup(rt *scim.ResourceType) bool { return rt.Storage.MembersAttribute != "" }

// ValidMemberIDs is the ids that could be those of members of the group, each once. What has not the form of an id is an
// unknown member, and a group is never its own.
func (d *Store) ValidMemberIDs(ids []string, group string) []string {
	ids = slices.DeleteFunc(slices.Clone(ids), func(m string) bool { return m == group || d.Types.ByID(m) == nil })
	slices.Sort(ids)
	return slices.Compact(ids)
}

// ReadHead reads the head of a resource, nil if it cannot be seen.
func (d *Store) ReadHead(ctx context.Context, rt *scim.ResourceType, id string) (*HeadItem, error) {
	if !rt.IsID(id) {
		return nil, nil
	}
	items, err := d.Table.Get(ctx, nil, d.keys.Head(rt, id))
	if err != nil || len(items) == 0 {
		return nil, err
	}
	return VisibleHead(items[0])
}

// VisibleHead is the head that an item holds, nil if it cannot be seen.
func VisibleHead(it table.Item) (*HeadItem, error) {
	h := &HeadItem{}
	if err := UnmarshalItem(it, h); err != nil || h.Deleting {
		return nil, err
	}
	return h, nil
}

// RequireNoPending waits until no large change of the group is pending, and lends a hand; then the group is to be read again.
func (d *Store) RequireNoPending(ctx context.Context, rt *scim.ResourceType, h *HeadItem) error {
	if h == nil || h.PendingChange == "" {
		return nil
	}
	if err := d.FinishChange(ctx, rt, h.ResourceID(), h.PendingChange); err != nil {
		return err
	}
	return table.ErrConflict
}

// ReadMemberships reads the head of a group and which of some ids are members, as of one instant.
func (d *Store) ReadMemberships(ctx context.Context, rt *scim.ResourceType, id string, ids []string) (h *HeadItem, members []string, err error) {
	chunks := slices.Collect(slices.Chunk(ids, d.sizes.snapshotEdges))
	if len(chunks) == 0 {
		h, err = d.ReadHead(ctx, rt, id)
		return h, nil, err
	}
	heads, found := make([]*HeadItem, len(chunks)), make([][]string, len(chunks))
	err = d.Backoff.RetryConflicts(ctx, func() error {
		var calls []func() error
		for i, chunk := range chunks {
			calls = append(calls, func() (err error) {
				heads[i], found[i], err = d.snapshotMemberships(ctx, rt, id, chunk)
				return err
			})
		}
		if err := d.RunConcurrently(calls...); err != nil {
			return err
		}
		for _, h := range heads {
			if err := d.RequireNoPending(ctx, rt, h); err != nil {
				return err
			}
			if (h == nil) != (heads[0] == nil) || h != nil && h.Version != heads[0].Version {
				return table.ErrConflict
			}
		}
		return nil
	})
	return heads[0], slices.Concat(found...), err
}

func (d *Store) snapshotMemberships(ctx context.Context, rt *scim.ResourceType, id string, ids []string) (h *HeadItem, members []string, err error) {
	wanted := []table.Key{d.keys.Head(rt, id)}
	for _, m := range ids {
		wanted = append(wanted, d.keys.Edge(rt, id, m))
	}
	items, err := d.Table.Snapshot(ctx, wanted...)
	for _, it := range items {
		if k := it.Key(); k.SK != HeadSortKey {
			members = append(members, MemberID(k))
		} else if h, err = VisibleHead(it); err != nil {
			return nil, nil, err
		}
	}
	return h, members, err
}

// maxDigestMismatches is how often a group may be read at one version before its digest is taken to be wrong.
const maxDigestMismatches = 8

// ErrTooManyMembers says that a group has more members than are to be read.
var ErrTooManyMembers = errors.New("directory: too many members")

// ReadGroup reads a group with all its members, as of one instant, or gives errMany if these are more than most. Plain reads
// may see a transaction in part; the digest tells.
func (d *Store) ReadGroup(ctx context.Context, rt *scim.ResourceType, id string, most int64) (h *HeadItem, members []string, err error) {
	at, times := int64(0), 0
	err = d.Backoff.RetryConflicts(ctx, func() error {
		var next string
		if err := d.RunShortReads(
			func() (err error) { h, err = d.ReadHead(ctx, rt, id); return err },
			func() (err error) { members, next, err = d.ListEdges(ctx, rt, id, 0); return err },
		); err != nil || h == nil {
			return err
		}
		if err := d.RequireNoPending(ctx, rt, h); err != nil {
			return err
		}
		if h.MemberCount > most {
			return ErrTooManyMembers
		}
		if next != "" {
			abreast := !d.InProcess && h.MemberCount > 3*int64(len(members))/2 // for half a page more it does not pay
			rest, err := d.listEdgesAfter(ctx, rt, id, next, abreast)
			if err != nil {
				return err
			}
			members = append(members, rest...)
		}
		if h.DigestMatches(members) {
			return nil
		}
		if h.Version != at {
			at, times = h.Version, 0
		}
		if times++; times == maxDigestMismatches {
			d.Log.ErrorContext(ctx, "members do not agree with their digest: fsck will mend it", "resourceType", rt.Name, "id", id)
			return &table.TransientError{Err: table.ErrConflict}
		}
		return table.ErrConflict
	})
	return h, members, err
}

// DigestMatches tells whether these are the members of the group in this state.
func (h *HeadItem) DigestMatches(members []string) bool {
	return h.PendingChange == "" && h.MemberCount == int64(len(members)) && h.MemberDigest == SumHashes(members)
}

// MaxMemberCount is how many members a group has at most when what is pending is applied.
func (h *HeadItem) MaxMemberCount() int64 { return h.MemberCount + h.PendingItems*maxChangeItemMembers }

// ListEdges lists the members of a group as plain reads show them, in the order of their ids: a page, or the first most of
// them, and where the next page begins.
func (d *Store) ListEdges(ctx context.Context, rt *scim.ResourceType, id string, most int) (members []string, next string, err error) {
	if !rt.IsID(id) {
		return nil, "", nil
	}
	return d.queryEdges(ctx, table.Range{PK: d.keys.ResourcePartition(rt, id), Prefix: EdgePrefix, Limit: most})
}

func (d *Store) queryEdges(ctx context.Context, r table.Range) (members []string, next string, err error) {
	r.Attributes = []string{"SK"}
	page, err := d.Table.Query(ctx, r)
	for _, it := range page.Items {
		members = append(members, MemberID(it.Key()))
	}
	return members, page.LastEvaluatedKey.SK, err
}

// listEdgesAfter lists all members behind a sort key; abreast, in up to 17 parts at once, by the first digit of their ids, which
// is random unless the table is near.
func (d *Store) listEdgesAfter(ctx context.Context, rt *scim.ResourceType, id, last string, abreast bool) ([]string, error) {
	bounds := []string{last}
	letter := last[:len(EdgePrefix)+1]
	for _, digit := range "02468acegikmoqsu" {
		if b := letter + string(digit); abreast && b > last { // and no key is as short as this
			bounds = append(bounds, b)
		}
	}
	bounds = append(bounds, EdgePrefix+"~")
	parts := make([][]string, len(bounds)-1)
	var calls []func() error
	for i := range parts {
		r := table.Range{PK: d.keys.ResourcePartition(rt, id), From: bounds[i], To: bounds[i+1], ExclusiveStart: bounds[i]}
		calls = append(calls, func() error {
			for {
				members, next, err := d.queryEdges(ctx, r)
				parts[i] = append(parts[i], members...)
				if r.ExclusiveStart = next; err != nil || next == "" {
					return err
				}
			}
		})
	}
	err := d.RunConcurrently(calls...)
	return slices.Concat(parts...), err
}

func MemberID(edge table.Key) string { return strings.TrimPrefix(edge.SK, EdgePrefix) }

// ReadDisplayNames reads the names of resources by their ids.
func (d *Store) ReadDisplayNames(ctx context.Context, ids []string) (DisplayNames, error) {
	var keys []table.Key
	for _, id := range ids {
		if rt := d.Types.ByID(id); rt != nil {
			keys = append(keys, d.keys.Head(rt, id))
		}
	}
	n := DisplayNames{make(map[string]string, len(keys)), map[string]bool{}}
	if len(keys) == 0 {
		return n, nil
	}
	items, err := d.Table.Get(ctx, []string{"PK", "display", "deleting"}, keys...)
	for _, it := range items {
		if it["deleting"] == nil {
			n.byID[idFromPartition(table.StringValue(it["PK"]))] = table.StringValue(it["display"])
		}
	}
	for _, k := range keys {
		if _, there := n.byID[idFromPartition(k.PK)]; !there {
			n.missing[idFromPartition(k.PK)] = true
		}
	}
	return n, err
}
