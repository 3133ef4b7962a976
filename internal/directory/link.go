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

// link adds to a transaction what makes m a member of the group: the edge and its reverse. It is refused where the edge
// is there, and where the member is not or does not meet the conditions.
func (d *Directory) link(t *transaction, group *scim.ResourceType, id, m string, edgeRefused, memberRefused reason,
	conditions ...table.Condition) {
	rt := d.Types.ByID(m)
	t.add(table.Put{
		Item: marshal(edge{Key: d.keys.edge(group, id, m), Type: rt.Name}),
		If:   []table.Condition{table.Absent()},
	}, edgeRefused)
	t.add(table.Update{
		Key: d.keys.head(rt, m),
		Add: table.Item{"groups": table.SS(id), "gver": table.N(1)},
		If:  append([]table.Condition{table.Exists(), table.Without("deleting")}, conditions...),
	}, memberRefused)
}

// unlink adds to a transaction what ends the membership of m in the group. It is refused where there is none.
func (d *Directory) unlink(t *transaction, group *scim.ResourceType, id, m string, refused reason) {
	exists := []table.Condition{table.Exists()}
	t.add(table.Delete{Key: d.keys.edge(group, id, m), If: exists}, refused)
	t.add(table.Update{
		Key:    d.keys.head(d.Types.ByID(m), m),
		Delete: table.Item{"groups": table.SS(id)},
		Add:    table.Item{"gver": table.N(1)},
		If:     exists,
	}, refused)
}

// join is what it means that a member's head refused to be in one more group: a member that does not exist is noted in
// gone, to be left out of the next attempt.
func join(m string, gone map[string]bool) reason {
	return func(stood table.Item) error {
		if stood != nil && stood["deleting"] == nil && len(table.Strings(stood["groups"])) >= maxGroups {
			return tooManyGroups(m)
		}
		if stood == nil || stood["deleting"] != nil {
			gone[m] = true
		}
		return errLost
	}
}

func tooManyGroups(m string) error {
	return scim.BadRequest(scim.InvalidValue,
		"%s is a member of %d groups already, and cannot be in more. Remove it from some.", m, maxGroups)
}

// vet looks at the members that a large change adds, before it takes effect: afterwards, nothing can stop it. It gives
// those that do not exist.
func (d *Directory) vet(ctx context.Context, members []string) (gone []string, err error) {
	var calls []func() error
	chunks := slices.Collect(slices.Chunk(members, vetted))
	missing := make([]map[string]bool, len(chunks))
	for i, some := range chunks {
		missing[i] = set(some)
		calls = append(calls, func() error { return d.strike(ctx, some, missing[i]) })
	}
	err = d.together(calls...)
	for _, m := range missing {
		gone = slices.AppendSeq(gone, maps.Keys(m))
	}
	return gone, err
}

// strict is the error, if members must exist, of a request that wishes for some that do not, whatever it adds beside them.
// While it is by their form alone that they are known, nobody has asked for the others yet.
func (d *Directory) strict(ctx context.Context, wish []string, group string, add []string, c *candidates) error {
	unknown := slices.DeleteFunc(slices.Clone(wish), func(id string) bool { return !c.gone[id] })
	if !d.StrictMembers || len(unknown) == 0 {
		return nil
	}
	if len(d.eligible(unknown, group)) == 0 {
		gone, err := d.vet(ctx, add)
		if err != nil {
			return err
		}
		unknown = append(unknown, gone...)
	}
	slices.Sort(unknown)
	return unknownMembers(slices.Compact(unknown))
}

func unknownMembers(ids []string) error {
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

// strike takes the members that exist off a list.
func (d *Directory) strike(ctx context.Context, members []string, missing map[string]bool) error {
	keys := make([]table.Key, len(members))
	for i, m := range members {
		keys[i] = d.keys.head(d.Types.ByID(m), m)
	}
	items, err := d.Table.Get(ctx, []string{"PK", "groups", "deleting"}, keys...)
	for _, it := range items {
		switch id := idIn(table.Text(it["PK"])); {
		case it["deleting"] != nil:
		case len(table.Strings(it["groups"])) >= maxGroups:
			return tooManyGroups(id)
		default:
			delete(missing, id)
		}
	}
	return err
}
