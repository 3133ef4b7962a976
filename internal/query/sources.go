package query

import (
	"context"
	"fmt"
	"slices"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// An emptySource is the source of a subquery that can match no resource. Its count is known to be 0, so that a page by
// cursor has a total, too.
type emptySource struct{}

func (emptySource) String() string                     { return "nothing" }
func (emptySource) count(context.Context) (int, error) { return 0, nil }
func (emptySource) hasCheapCount() bool                { return true }

func (emptySource) next(context.Context, position, bool, int) ([]candidate, bool, error) {
	return nil, true, nil
}

// noCandidates returns the source of a comparison that no value satisfies.
func noCandidates() source { return &idSource{description: "nobody", load: fixedIDs()} }

func fixedIDs(ids ...string) func(context.Context) ([]string, error) {
	return func(context.Context) ([]string, error) { return ids, nil }
}

// allResources returns all resources of a type, in the order of IDs.
func (e *Engine) allResources(rt *scim.ResourceType) source {
	return &rangeSource{
		store: e.store, description: "everyone", id: idFromSortKey,
		keyRange:   table.Range{PK: e.store.Keys.AllPartition(rt), Attributes: []string{"SK"}},
		countTotal: func(ctx context.Context) (int, error) { return e.store.Count(ctx, rt) },
	}
}

// resourcesByNamePrefix returns the resources whose folded names begin with a prefix, in the order of names.
func (e *Engine) resourcesByNamePrefix(rt *scim.ResourceType, folded string) *rangeSource {
	return &rangeSource{
		store: e.store, description: fmt.Sprintf("%s %q…", rt.Storage.NameAttribute, folded),
		keyRange: table.Range{PK: e.store.Keys.TypePartition(rt), Prefix: store.NamePrefix(rt) + folded, Attributes: []string{"SK", "id"}},
		id:       func(it table.Item) string { return table.StringValue(it["id"]) },
	}
}

// allByName returns all resources of a type, in the order of names.
func (e *Engine) allByName(rt *scim.ResourceType) source {
	s := e.resourcesByNamePrefix(rt, "")
	s.countTotal = func(ctx context.Context) (int, error) { return e.store.Count(ctx, rt) }
	return s
}

// resourcesByIndexedValue returns the resources that have a folded value in an indexed attribute, in the order of IDs.
func (e *Engine) resourcesByIndexedValue(rt *scim.ResourceType, attribute, folded string) source {
	return &rangeSource{
		store: e.store, description: fmt.Sprintf("%s %q", attribute, folded), id: idFromSortKey,
		keyRange: table.Range{PK: e.store.Keys.IndexPartition(rt, attribute, folded), Attributes: []string{"SK"}},
	}
}

func idFromSortKey(it table.Item) string { return it.Key().SK }

// resourceByID returns the resource with an ID.
func (e *Engine) resourceByID(rt *scim.ResourceType, id string) source {
	if !rt.IsID(id) {
		return noCandidates()
	}
	return &idSource{description: fmt.Sprintf("id %q", id), load: fixedIDs(id)}
}

// resourceByName returns the resource with a folded name.
func (e *Engine) resourceByName(rt *scim.ResourceType, folded string) source {
	return &idSource{description: fmt.Sprintf("%s %q", rt.Storage.NameAttribute, folded), load: func(ctx context.Context) ([]string, error) {
		items, err := e.store.Table.Get(ctx, nil, e.store.Keys.Name(rt, folded))
		if err != nil || len(items) == 0 {
			return nil, err
		}
		n := store.NameItem{}
		err = store.UnmarshalItem(items[0], &n)
		return []string{n.ResourceID}, err
	}}
}

// groupsOfMember returns the groups that have a member, which the head item of the member lists.
func (e *Engine) groupsOfMember(rt *scim.ResourceType, member string) source {
	return &idSource{description: fmt.Sprintf("groups of %q", member), load: func(ctx context.Context) ([]string, error) {
		memberType := e.store.Types.ByID(member)
		if memberType == nil {
			return nil, nil
		}
		h, err := e.store.ReadHead(ctx, memberType, member)
		if err != nil || h == nil {
			return nil, err
		}
		return slices.DeleteFunc(h.Groups, func(g string) bool { return !rt.IsID(g) }), nil
	}}
}

// membersOfGroup returns the members of a group that have the type rt, in the order of IDs.
func (e *Engine) membersOfGroup(rt *scim.ResourceType, group string) source {
	groupType := e.store.Types.ByID(group)
	if groupType == nil || !store.IsGroup(groupType) {
		return noCandidates()
	}
	prefix := store.EdgePrefix + rt.Storage.IDPrefix
	s := &rangeSource{
		store: e.store, description: fmt.Sprintf("members of %q", group), keyPrefix: store.EdgePrefix,
		keyRange: table.Range{PK: e.store.Keys.ResourcePartition(groupType, group), Prefix: prefix, Attributes: []string{"SK"}},
		id:       func(it table.Item) string { return store.MemberID(it.Key()) },
	}
	s.exists = func(ctx context.Context) (bool, error) {
		h, err := e.store.ReadHead(ctx, groupType, group)
		return h != nil, err
	}
	s.countTotal = func(ctx context.Context) (int, error) {
		return e.countMembersOfType(ctx, groupType, group, s.keyRange.PK, prefix)
	}
	return s
}

// countMembersOfType returns the number of members whose edge items have sort keys with a prefix. It subtracts the members
// of other types, which are few, from the member count of the head item.
func (e *Engine) countMembersOfType(ctx context.Context, rt *scim.ResourceType, group, pk, prefix string) (n int, err error) {
	var h *store.HeadItem
	var before, after int
	beforePrefix := table.Range{PK: pk, From: store.EdgePrefix, To: prefix}
	afterPrefix := table.Range{PK: pk, From: prefix + "~", To: store.EdgePrefix + "~"}
	err = e.store.RunShortReads(
		func() (err error) { h, err = e.store.ReadHead(ctx, rt, group); return err },
		func() (err error) { before, err = countRange(ctx, e.store.Table, beforePrefix); return err },
		func() (err error) { after, err = countRange(ctx, e.store.Table, afterPrefix); return err },
	)
	if h == nil || err != nil {
		return 0, err
	}
	return max(0, int(h.MemberCount)-before-after), nil
}
