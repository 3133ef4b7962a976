package directory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// putMembership adds to a transaction what makes m a member of the group: the edge and its reverse. It is refused where the edge
// is there, and where the member is not or does not meet the conditions.
func (d *Store) putMembership(t *Transaction, group *scim.ResourceType, id, m string, edgeRefused, memberRefused FailureHandler,
	conditions ...table.Condition) {
	rt := d.Types.ByID(m)
	t.add(table.Put{
		Item: MarshalItem(EdgeItem{Key: d.keys.Edge(group, id, m), Type: rt.Name}),
		If:   []table.Condition{table.NotExists()},
	}, edgeRefused)
	t.add(table.Update{
		Key: d.keys.Head(rt, m),
		Add: table.Item{"groups": table.SS(id), "gver": table.N(1)},
		If:  append([]table.Condition{table.Exists(), table.AttributeNotExists("deleting")}, conditions...),
	}, memberRefused)
}

// deleteMembership adds to a transaction what ends the membership of m in the group. It is refused where there is none.
func (d *Store) deleteMembership(t *Transaction, group *scim.ResourceType, id, m string, refused FailureHandler) {
	exists := []table.Condition{table.Exists()}
	t.add(table.Delete{Key: d.keys.Edge(group, id, m), If: exists}, refused)
	t.add(table.Update{
		Key:    d.keys.Head(d.Types.ByID(m), m),
		Delete: table.Item{"groups": table.SS(id)},
		Add:    table.Item{"gver": table.N(1)},
		If:     exists,
	}, refused)
}

// missingMemberHandler is what it means that a member's head refused to be in one more group: a member that does not exist is noted in
// gone, to be left out of the next attempt.
func missingMemberHandler(m string, gone map[string]bool) FailureHandler {
	return func(stood table.Item) error {
		if stood != nil && stood["deleting"] == nil && len(table.StringSetValue(stood["groups"])) >= maxGroupsPerMember {
			return tooManyGroupsError(m)
		}
		if stood == nil || stood["deleting"] != nil {
			gone[m] = true
		}
		return table.ErrConflict
	}
}

func tooManyGroupsError(m string) error {
	return scim.BadRequest(scim.InvalidValue,
		"%s is a member of %d groups already, and cannot be in more. Remove it from some.", m, maxGroupsPerMember)
}

// FindMissingMembers looks at the members that a large change adds, before it takes effect: afterwards, nothing can stop it. It gives
// those that do not exist.
func (d *Store) FindMissingMembers(ctx context.Context, members []string) (gone []string, err error) {
	var calls []func() error
	chunks := slices.Collect(slices.Chunk(members, memberCheckBatch))
	missing := make([]map[string]bool, len(chunks))
	for i, some := range chunks {
		missing[i] = IDSet(some)
		calls = append(calls, func() error { return d.dropExisting(ctx, some, missing[i]) })
	}
	err = d.RunConcurrently(calls...)
	for _, m := range missing {
		gone = slices.AppendSeq(gone, maps.Keys(m))
	}
	return gone, err
}

// CheckStrictMembers is the error, if members must exist, of a request that wishes for some that do not, whatever it adds beside them.
// While it is by their form alone that they are known, nobody has asked for the others yet.
func (d *Store) CheckStrictMembers(ctx context.Context, wish []string, group string, add []string, c *AttemptState) error {
	unknown := slices.DeleteFunc(slices.Clone(wish), func(id string) bool { return !c.missing[id] })
	if !d.StrictMembers || len(unknown) == 0 {
		return nil
	}
	if len(d.ValidMemberIDs(unknown, group)) == 0 {
		gone, err := d.FindMissingMembers(ctx, add)
		if err != nil {
			return err
		}
		unknown = append(unknown, gone...)
	}
	slices.Sort(unknown)
	return unknownMembersError(slices.Compact(unknown))
}

func unknownMembersError(ids []string) error {
	const told = 20
	var list []string
	for _, id := range ids[:min(told, len(ids))] {
		list = append(list, fmt.Sprintf("%.64q", id)) // which need not have the form of one
	}
	text := strings.Join(list, ", ")
	if more := len(ids) - told; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return scim.BadRequest(scim.InvalidValue,
		"There are no resources that could be these members: %s. Create them first, or leave them out.", text)
}

// dropExisting takes the members that exist off a list.
func (d *Store) dropExisting(ctx context.Context, members []string, missing map[string]bool) error {
	keys := make([]table.Key, len(members))
	for i, m := range members {
		keys[i] = d.keys.Head(d.Types.ByID(m), m)
	}
	items, err := d.Table.Get(ctx, []string{"PK", "groups", "deleting"}, keys...)
	for _, it := range items {
		switch id := idFromPartition(table.StringValue(it["PK"])); {
		case it["deleting"] != nil:
		case len(table.StringSetValue(it["groups"])) >= maxGroupsPerMember:
			return tooManyGroupsError(id)
		default:
			delete(missing, id)
		}
	}
	return err
}
