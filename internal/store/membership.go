package store

import (
	"context"
	"maps"
	"slices"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// putMembership adds the writes that make m a member of the group: the edge item and its reverse. onEdgeFailure handles an
// edge item that exists. onMemberFailure handles a member that is missing or does not meet conditions.
func (s *Store) putMembership(t *Transaction, o Origin, group *scim.ResourceType, id, m string,
	onEdgeFailure, onMemberFailure FailureHandler, conditions ...table.Condition) {
	rt := s.Types.ByID(m)
	t.Add(table.Put{
		Item: MarshalItem(EdgeItem{Key: s.Keys.Edge(group, id, m), Type: rt.Name}),
		If:   []table.Condition{table.NotExists()},
	}, onEdgeFailure)
	u := table.Update{
		Key: s.Keys.Head(rt, m),
		Add: table.Item{"groups": table.SS(id), "gver": table.N(1)},
		If:  append([]table.Condition{table.Exists(), table.AttributeNotExists("deleting")}, conditions...),
	}
	o.Stamp(&u)
	t.Add(u, onMemberFailure)
}

// deleteMembership adds the writes that remove m from the group: the edge item and its reverse. Both must exist, because
// an Update without a condition creates the item.
func (s *Store) deleteMembership(t *Transaction, o Origin, group *scim.ResourceType, id, m string, onFailure FailureHandler) {
	exists := []table.Condition{table.Exists()}
	t.Add(table.Delete{Key: s.Keys.Edge(group, id, m), If: exists}, onFailure)
	u := table.Update{
		Key:    s.Keys.Head(s.Types.ByID(m), m),
		Delete: table.Item{"groups": table.SS(id)},
		Add:    table.Item{"gver": table.N(1)},
		If:     exists,
	}
	o.Stamp(&u)
	t.Add(u, onFailure)
}

// DeleteMemberships adds the writes that remove all members of a resource and remove the resource from its groups. A
// group that is both a member and a parent gets a single action, because a transaction may name an item only once.
func (s *Store) DeleteMemberships(t *Transaction, o Origin, rt *scim.ResourceType, id string, members, groups []string) {
	exists, now := []table.Condition{table.Exists()}, table.S(s.Timestamp())
	for _, m := range members {
		t.Add(table.Delete{Key: s.Keys.Edge(rt, id, m), If: exists}, ConflictHandler)
	}
	both := slices.Concat(members, groups)
	slices.Sort(both)
	isMember, isParent := IDSet(members), IDSet(groups)
	for _, y := range slices.Compact(both) {
		other := s.Types.ByID(y)
		u := table.Update{Key: s.Keys.Head(other, y), Add: table.Item{}, If: exists}
		if isMember[y] {
			u.Delete = table.Item{"groups": table.SS(id)}
			u.Add["gver"] = table.N(1)
		}
		if isParent[y] {
			t.Add(table.Delete{Key: s.Keys.Edge(other, y, id), If: exists}, ConflictHandler)
			u.Set = table.Item{"modified": now}
			u.Add["ver"], u.Add["n"], u.Add["sum"] = table.N(1), table.N(-1), table.N(-MemberHash(id))
		}
		o.Stamp(&u)
		t.Add(u, ConflictHandler)
	}
}

// missingMemberHandler returns the handler for a member whose head item rejects another group. It adds a member that does
// not exist to missing, so that the next attempt leaves the member out.
func missingMemberHandler(m string, missing map[string]bool) FailureHandler {
	return func(head table.Item) error {
		if head != nil && head["deleting"] == nil && len(table.StringSetValue(head["groups"])) >= maxGroupsPerMember {
			return tooManyGroupsError(m)
		}
		if head == nil || head["deleting"] != nil {
			missing[m] = true
		}
		return table.ErrConflict
	}
}

func tooManyGroupsError(m string) error {
	return scim.BadRequest(scim.InvalidValue,
		"%s is a member of %d groups already, and cannot be in more. Remove it from some.", m, maxGroupsPerMember)
}

// ValidMemberIDs returns the IDs that can be members of the group, sorted and each once. A malformed ID cannot, nor can the
// group itself. An empty group means any group.
func (s *Store) ValidMemberIDs(ids []string, group string) []string {
	ids = slices.DeleteFunc(slices.Clone(ids), func(m string) bool { return m == group || s.Types.ByID(m) == nil })
	slices.Sort(ids)
	return slices.Compact(ids)
}

// FindMissingMembers returns the IDs that have no visible resource. It returns an error if a member is already in
// maxGroupsPerMember groups. A large change calls it before the commit, because a committed change cannot be rejected.
func (s *Store) FindMissingMembers(ctx context.Context, members []string) (missing []string, err error) {
	var calls []func() error
	batches := slices.Collect(slices.Chunk(members, memberCheckBatch))
	remaining := make([]map[string]bool, len(batches))
	for i, batch := range batches {
		remaining[i] = IDSet(batch)
		calls = append(calls, func() error { return s.dropExisting(ctx, batch, remaining[i]) })
	}
	err = s.RunConcurrently(calls...)
	for _, ids := range remaining {
		missing = slices.AppendSeq(missing, maps.Keys(ids))
	}
	return missing, err
}

// dropExisting removes the members that exist from a set.
func (s *Store) dropExisting(ctx context.Context, members []string, set map[string]bool) error {
	keys := make([]table.Key, len(members))
	for i, m := range members {
		keys[i] = s.Keys.Head(s.Types.ByID(m), m)
	}
	items, err := s.Table.Get(ctx, []string{"PK", "groups", "deleting"}, keys...)
	for _, it := range items {
		switch id := idFromPartition(table.StringValue(it["PK"])); {
		case it["deleting"] != nil:
		case len(table.StringSetValue(it["groups"])) >= maxGroupsPerMember:
			return tooManyGroupsError(id)
		default:
			delete(set, id)
		}
	}
	return err
}

// IDSet returns a set of IDs.
func IDSet(ids []string) map[string]bool {
	set := make(map[string]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

// Exclude returns the IDs that are not in a set.
func Exclude(ids []string, set map[string]bool) (remaining []string) {
	for _, id := range ids {
		if !set[id] {
			remaining = append(remaining, id)
		}
	}
	return remaining
}
