package directory

import (
	"context"

	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
)

// Replace makes a resource what the client sent, in canonical form (RFC 7644 §3.5.1): what is left out is cleared. A
// group's members become exactly those that are sent and exist, which Config.StrictMembers asks of all; only the
// difference is written.
func (d *Store) Replace(ctx context.Context, rt *scim.ResourceType, id string, o scim.Object, match Precondition,
	p scim.Projection) (*Resource, error) {
	members, doc := splitMembers(rt, o)
	return update{
		Store: d, rt: rt, id: id, precondition: match, reads: readsForResponse(rt, p), needsAllMembers: isGroup(rt), returnLargeGroup: true,
		edit: func(old scim.Object) (scim.Object, patch.MemberChanges, error) {
			next, err := rt.Replace(old, doc)
			return next, patch.MemberChanges{ReplaceAll: true, Add: members}, err
		},
	}.run(ctx)
}
