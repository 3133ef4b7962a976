package directory

import (
	"context"
	"slices"

	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
)

// Modify applies the operations of a PATCH request to a resource (RFC 7644 §3.5.2), all of them or none. If the operations
// name members by ID, Modify reads only the memberships of these members. It writes only what changes.
func (d *Directory) Modify(ctx context.Context, rt *scim.ResourceType, id string, ops []patch.Operation, match Precondition,
	p scim.Projection) (*Resource, error) {
	u := update{dir: d, rt: rt, id: id, precondition: match, origin: d.store.Origin, reads: readsForResponse(rt, p), returnLargeGroup: p.HasName("members")}
	rest, members, separable, err := patch.SplitMembers(rt, ops)
	if err != nil {
		return nil, err
	}
	u.needsAllMembers, u.membersInDocument = !separable || members.ReplaceAll, !separable
	if separable {
		u.memberIDs = slices.Concat(members.Add, members.Remove)
		u.edit = func(o scim.Object, _ store.DisplayNames) (scim.Object, patch.MemberChanges, error) {
			o, err := patch.Apply(ctx, rt, o, rest)
			return o, members, err
		}
	} else {
		u.memberIDs = patch.AddedMembers(rt, ops)
		u.edit = func(o scim.Object, names store.DisplayNames) (scim.Object, patch.MemberChanges, error) {
			o, err := patch.ApplyWithMembers(ctx, rt, o, ops, d.memberElements(rt, d.store.ValidMemberIDs(u.memberIDs, id), names))
			if err != nil {
				return nil, patch.MemberChanges{}, err
			}
			list, o := splitMembers(rt, o)
			return o, patch.MemberChanges{ReplaceAll: true, Add: list}, nil
		}
	}
	return u.run(ctx)
}
