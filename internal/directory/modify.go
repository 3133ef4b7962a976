package directory

import (
	"context"
	"slices"

	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
)

// Modify performs the operations of a PATCH request on a resource (RFC 7644 §3.5.2), all of them or none. Of a group,
// only the members that they name are read, and only what changes is written.
func (d *Directory) Modify(ctx context.Context, rt *scim.ResourceType, id string, ops []patch.Operation, match Precondition,
	p scim.Projection) (*Resource, error) {
	c := change{Directory: d, rt: rt, id: id, match: match, want: wanted(rt, p), large: p.Asks("members")}
	rest, members, ok, err := patch.SplitMembers(rt, ops)
	if err != nil {
		return nil, err
	}
	c.whole, c.tree = !ok || members.Replaced, !ok
	if ok {
		c.named = slices.Concat(members.Add, members.Remove)
		c.edit = func(o scim.Object) (scim.Object, patch.Members, error) {
			o, err := patch.Apply(ctx, rt, o, rest)
			return o, members, err
		}
	} else {
		c.edit = func(o scim.Object) (scim.Object, patch.Members, error) {
			o, err := patch.Apply(ctx, rt, o, ops)
			if err != nil {
				return nil, patch.Members{}, err
			}
			list, o := split(rt, o)
			return o, patch.Members{Replaced: true, Add: list}, nil
		}
	}
	return c.do(ctx)
}
