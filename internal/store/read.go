package store

import (
	"context"
	"errors"
	"math"
	"slices"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// ResourceState is a resource as it was read: its head item and, if they were read, its members.
type ResourceState struct {
	Type    *scim.ResourceType
	ID      string
	Head    *HeadItem // nil: not visible
	Members []string  // sorted; nil for resources that are no groups
}

// ReadHead returns the head item of a resource, or nil if the resource is not visible.
func (s *Store) ReadHead(ctx context.Context, rt *scim.ResourceType, id string) (*HeadItem, error) {
	if !rt.IsID(id) {
		return nil, nil
	}
	items, err := s.Table.Get(ctx, nil, s.Keys.Head(rt, id))
	if err != nil || len(items) == 0 {
		return nil, err
	}
	return VisibleHead(items[0])
}

// VisibleHead returns the head item that it holds, or nil if the resource is being deleted.
func VisibleHead(it table.Item) (*HeadItem, error) {
	h := &HeadItem{}
	if err := UnmarshalItem(it, h); err != nil || h.Deleting {
		return nil, err
	}
	return h, nil
}

// ReadHeads returns the visible resources with these IDs, in this order and each once. IDs may repeat: while readers see
// a rename in part, the old and the new name item lead to the same resource.
func (s *Store) ReadHeads(ctx context.Context, rt *scim.ResourceType, ids []string) ([]ResourceState, error) {
	keys, heads := make([]table.Key, 0, len(ids)), make(map[string]*HeadItem, len(ids))
	for _, id := range ids {
		if _, repeated := heads[id]; !repeated {
			heads[id], keys = nil, append(keys, s.Keys.Head(rt, id))
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	items, err := s.Table.Get(ctx, nil, keys...)
	if err != nil {
		return nil, err
	}
	for _, it := range items {
		if heads[idFromPartition(table.StringValue(it["PK"]))], err = VisibleHead(it); err != nil {
			return nil, err
		}
	}
	states := make([]ResourceState, 0, len(keys))
	for _, k := range keys {
		if h := heads[idFromPartition(k.PK)]; h != nil {
			states = append(states, ResourceState{Type: rt, ID: h.ResourceID(), Head: h})
		}
	}
	return states, nil
}

// RequireNoPending returns nil if h has no pending change. Otherwise it finishes the change and returns
// table.ErrConflict, and the caller must read the group again. If the table is read-only, another process finishes it.
func (s *Store) RequireNoPending(ctx context.Context, rt *scim.ResourceType, h *HeadItem) error {
	if h == nil || h.PendingChange == "" {
		return nil
	}
	if err := table.IgnoreReadOnly(s.FinishChange(ctx, rt, h.ResourceID(), h.PendingChange)); err != nil {
		return err
	}
	return table.ErrConflict
}

// ReadMemberships returns the head item of a group, and which of the IDs are members, from one version of the group. It
// reads only the edge items of the IDs, so the cost does not depend on the size of the group.
func (s *Store) ReadMemberships(ctx context.Context, rt *scim.ResourceType, id string, ids []string) (h *HeadItem, members []string, err error) {
	batches := slices.Collect(slices.Chunk(ids, s.Limits.SnapshotEdges))
	if len(batches) == 0 {
		h, err = s.ReadHead(ctx, rt, id)
		return h, nil, err
	}
	heads, found := make([]*HeadItem, len(batches)), make([][]string, len(batches))
	err = s.Backoff.RetryConflicts(ctx, func() error {
		var calls []func() error
		for i, batch := range batches {
			calls = append(calls, func() (err error) {
				heads[i], found[i], err = s.snapshotMemberships(ctx, rt, id, batch)
				return err
			})
		}
		if err := s.RunConcurrently(calls...); err != nil {
			return err
		}
		for _, h := range heads {
			if err := s.RequireNoPending(ctx, rt, h); err != nil {
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

func (s *Store) snapshotMemberships(ctx context.Context, rt *scim.ResourceType, id string, ids []string) (h *HeadItem, members []string, err error) {
	keys := []table.Key{s.Keys.Head(rt, id)}
	for _, m := range ids {
		keys = append(keys, s.Keys.Edge(rt, id, m))
	}
	items, err := s.Table.Snapshot(ctx, keys...)
	for _, it := range items {
		if k := it.Key(); k.SK != HeadSortKey {
			members = append(members, MemberID(k))
		} else if h, err = VisibleHead(it); err != nil {
			return nil, nil, err
		}
	}
	return h, members, err
}

// maxDigestMismatches is how often ReadGroup reads one version of a group before it takes the digest for wrong.
const maxDigestMismatches = 8

// ErrTooManyMembers reports that a group has more members than the caller wants to read.
var ErrTooManyMembers = errors.New("store: too many members")

// ReadGroup returns the head item of a group and all its members from one version. It returns ErrTooManyMembers if the
// group has more than limit members. Plain reads may observe part of a transaction, so ReadGroup reads again until the
// member digest matches, at most maxDigestMismatches times per version.
func (s *Store) ReadGroup(ctx context.Context, rt *scim.ResourceType, id string, limit int64) (h *HeadItem, members []string, err error) {
	version, mismatches := int64(0), 0
	err = s.Backoff.RetryConflicts(ctx, func() error {
		var next string
		if err := s.RunShortReads(
			func() (err error) { h, err = s.ReadHead(ctx, rt, id); return err },
			func() (err error) { members, next, err = s.ListEdges(ctx, rt, id, 0); return err },
		); err != nil || h == nil {
			return err
		}
		if err := s.RequireNoPending(ctx, rt, h); err != nil {
			return err
		}
		if h.MemberCount > limit {
			return ErrTooManyMembers
		}
		if next != "" {
			// For less than half a page more, the extra calls cost more than the wait.
			parallel := !s.Embedded && h.MemberCount > 3*int64(len(members))/2
			rest, err := s.listEdgesAfter(ctx, rt, id, next, parallel)
			if err != nil {
				return err
			}
			members = append(members, rest...)
		}
		if h.DigestMatches(members) {
			return nil
		}
		if h.Version != version {
			version, mismatches = h.Version, 0
		}
		if mismatches++; mismatches == maxDigestMismatches {
			s.Log.ErrorContext(ctx, "the member digest of a group is wrong; run fsck with repair", "resourceType", rt.Name, "id", id)
			return &table.TransientError{Err: table.ErrConflict}
		}
		return table.ErrConflict
	})
	return h, members, err
}

// ListEdges returns the members of a group in the order of their IDs, as a plain read shows them: one table page, or at
// most limit members if limit is not 0. next is the sort key to continue after, or "" at the end.
func (s *Store) ListEdges(ctx context.Context, rt *scim.ResourceType, id string, limit int) (members []string, next string, err error) {
	if !rt.IsID(id) {
		return nil, "", nil
	}
	return s.queryEdges(ctx, table.Range{PK: s.Keys.ResourcePartition(rt, id), Prefix: EdgePrefix, Limit: limit})
}

func (s *Store) queryEdges(ctx context.Context, r table.Range) (members []string, next string, err error) {
	r.Attributes = []string{"SK"}
	page, err := s.Table.Query(ctx, r)
	for _, it := range page.Items {
		members = append(members, MemberID(it.Key()))
	}
	return members, page.LastEvaluatedKey.SK, err
}

// listEdgesAfter returns all members after a sort key. If parallel, it reads up to 17 key ranges at the same time, split
// at the first digit of the IDs. That digit is random, except in an embedded table.
func (s *Store) listEdgesAfter(ctx context.Context, rt *scim.ResourceType, id, last string, parallel bool) ([]string, error) {
	bounds := []string{last}
	prefix := last[:len(EdgePrefix)+1] // with the letter of the resource type
	for _, digit := range "02468acegikmoqsu" {
		if b := prefix + string(digit); parallel && b > last { // no edge item has a sort key as short as b
			bounds = append(bounds, b)
		}
	}
	bounds = append(bounds, EdgePrefix+"~")
	parts := make([][]string, len(bounds)-1)
	var calls []func() error
	for i := range parts {
		r := table.Range{PK: s.Keys.ResourcePartition(rt, id), From: bounds[i], To: bounds[i+1], ExclusiveStart: bounds[i]}
		calls = append(calls, func() error {
			for {
				members, next, err := s.queryEdges(ctx, r)
				parts[i] = append(parts[i], members...)
				if r.ExclusiveStart = next; err != nil || next == "" {
					return err
				}
			}
		})
	}
	err := s.RunConcurrently(calls...)
	return slices.Concat(parts...), err
}

// LoadMembers returns the states with the members of those groups whose type is wanted, each group from one version. The
// Head of a resource that has been deleted since is nil.
func (s *Store) LoadMembers(ctx context.Context, states []ResourceState, wanted func(*scim.ResourceType) bool) ([]ResourceState, error) {
	states = slices.Clone(states)
	for batch := range slices.Chunk(states, 16) { // groups that are read at the same time
		var calls []func() error
		for i := range batch {
			batch[i].Members = nil
			if wanted(batch[i].Type) && batch[i].Head.MaxMemberCount() > 0 {
				calls = append(calls, func() error { return s.loadGroupMembers(ctx, &batch[i]) })
			}
		}
		if err := s.RunConcurrently(calls...); err != nil {
			return nil, err
		}
	}
	return states, nil
}

// loadGroupMembers reads the members of a group, and reads the group again if the members do not match its head item.
func (s *Store) loadGroupMembers(ctx context.Context, g *ResourceState) error {
	members, next, err := s.ListEdges(ctx, g.Type, g.ID, 0)
	if g.Members = members; err != nil || next == "" && g.Head.DigestMatches(members) {
		return err
	}
	g.Head, g.Members, err = s.ReadGroup(ctx, g.Type, g.ID, math.MaxInt64)
	return err
}
