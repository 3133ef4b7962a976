package directory

import (
	"context"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
)

// maxDisplayNameBytes is the longest display name of another resource that a response shows, because a response may
// contain the name many times.
const maxDisplayNameBytes = 1 << 10

// A Resource is one version of a resource, ready to be rendered as JSON.
type Resource struct {
	Type           *scim.ResourceType
	Version        string        // the entity tag without a digest of display names; If-Match compares it
	Summary        ChangeSummary // of the request that returned the resource
	MembersOmitted bool          // the projection selects the members, but the group is too large to read them after a change

	dir   *Directory
	state store.ResourceState
	names store.DisplayNames
}

func (d *Directory) newResource(r store.ResourceState, names store.DisplayNames) *Resource {
	return &Resource{Type: r.Type, Version: r.Head.EntityTag(r.Type), dir: d, state: r, names: names}
}

// newResources returns resources, and reads their display names if they are shown.
func (d *Directory) newResources(ctx context.Context, states []store.ResourceState, showNames bool) ([]*Resource, error) {
	var names store.DisplayNames
	if showNames {
		var err error
		if names, err = d.store.ReadDisplayNamesFor(ctx, maxDisplayNames, states...); err != nil {
			return nil, err
		}
	}
	all := make([]*Resource, 0, len(states))
	for _, r := range states {
		all = append(all, d.newResource(r, names))
	}
	return all, nil
}

// ID returns the ID of the resource.
func (r *Resource) ID() string { return r.state.ID }

// Location returns the address of the resource.
func (r *Resource) Location() string { return r.dir.Location(r.Type, r.state.ID) }

// A referenceList holds the IDs of an attribute that refers to other resources. attribute is nil if the type has none.
type referenceList struct {
	attribute *scim.Attribute
	ids       []string
}

// references returns the members and the groups of the resource.
func (r *Resource) references() (lists [2]referenceList) {
	if store.IsGroup(r.Type) {
		lists[0] = referenceList{r.Type.Attribute("members"), r.state.Members}
	}
	lists[1] = referenceList{r.Type.Attribute("groups"), r.state.Head.Groups}
	return lists
}

// displayName returns the display name of another resource, or "" if responses do not show it.
func (r *Resource) displayName(id string) string {
	if name := r.names.ByID[id]; len(name) <= maxDisplayNameBytes {
		return name
	}
	return ""
}
