package directory

import (
	"context"

	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
)

// Replace replaces a resource with what the client sent, in canonical form (RFC 7644 §3.5.1). Attributes that are left out
// are cleared. The members of a group become exactly the members sent. Members that do not exist are left out, or rejected
// if StrictMembers is set. Replace writes only the memberships that change.
func (d *Directory) Replace(ctx context.Context, rt *scim.ResourceType, id string, o scim.Object, match Precondition,
	p scim.Projection) (*Resource, error) {
	members, doc := splitMembers(rt, o)
	origin := d.store.Origin
	origin.Operation = store.OperationPut
	return update{
		dir: d, origin: origin, rt: rt, id: id, precondition: match, reads: readsForResponse(rt, p),
		needsAllMembers: store.IsGroup(rt), returnLargeGroup: true,
		edit: func(old scim.Object, _ store.DisplayNames) (scim.Object, patch.MemberChanges, error) {
			updated, err := rt.Replace(old, doc)
			return updated, patch.MemberChanges{ReplaceAll: true, Add: members}, err
		},
	}.run(ctx)
}
