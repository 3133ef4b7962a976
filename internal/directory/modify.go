package directory

import (
	"context"
	"slices"

	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
)

// Modify performs the operations of a PATCH request on a resource (RFC 7644 §3.5.2), all of them or none. Of a group,
// only the members that they name are read, and only what changes is written.
func (d *Store) Modify(ctx context.Context, rt *scim.ResourceType, id string, ops []patch.Operation, match Precondition,
	p scim.Projection) (*Resource, error) {
	c := update{Store: d, rt: rt, id: id, precondition: match, reads: readsForResponse(rt, p), returnLargeGroup: p.HasName("members")}
	rest, members, ok, err := patch.SplitMembers(rt, ops)
	if err != nil {
		return nil, err
	}
	c.needsAllMembers, c.membersInDocument = !ok || members.ReplaceAll, !ok
	if ok {
		c.memberIDs = slices.Concat(members.Add, members.Remove)
		c.edit = func(o scim.Object) (scim.Object, patch.MemberChanges, error) {
			o, err := patch.Apply(ctx, rt, o, rest)
			return o, members, err
		}
	} else {
		c.edit = func(o scim.Object) (scim.Object, patch.MemberChanges, error) {
			o, err := patch.Apply(ctx, rt, o, ops)
			if err != nil {
				return nil, patch.MemberChanges{}, err
			}
			list, o := splitMembers(rt, o)
			return o, patch.MemberChanges{ReplaceAll: true, Add: list}, nil
		}
	}
	return c.run(ctx)
}
