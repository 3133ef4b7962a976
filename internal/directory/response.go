package directory

import (
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
)

// maxDisplayNames is the number of display names of other resources that one response contains. A group with more
// members is a large group: a response shows its members without display names.
const maxDisplayNames = 1000

// responseReads says what a response needs in addition to the head item of a resource.
type responseReads struct{ members, displayNames bool }

// readsForResponse returns what a response with this projection needs.
func readsForResponse(rt *scim.ResourceType, p scim.Projection) responseReads {
	if a := rt.Attribute("members"); a != nil && p.Includes(a) {
		return responseReads{members: true, displayNames: true}
	}
	a := rt.Attribute("groups")
	return responseReads{displayNames: a != nil && p.Includes(a)}
}

// isLargeGroup reports whether a response shows the members of r without display names.
func isLargeGroup(r store.ResourceState) bool { return len(r.Members) > maxDisplayNames }

// estimatedSize returns about how many bytes the JSON of a resource with this number of members has. The estimate is
// seldom too small.
func estimatedSize(r store.ResourceState, members int, p scim.Projection) int {
	const fixed, shortReference, fullReference = 512, 48, 170 // bytes
	size := fixed + len(r.Head.Document)
	if a := r.Type.Attribute("groups"); a != nil && p.Includes(a) {
		size += fullReference * len(r.Head.Groups)
	}
	switch {
	case !readsForResponse(r.Type, p).members:
	case members > maxDisplayNames:
		size += shortReference * members
	default:
		size += fullReference * members
	}
	return size
}
