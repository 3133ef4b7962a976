package directory

import (
	"context"
	"math"
	"slices"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
)

// Retrieve reads one resource (RFC 7644 §3.4.1), with what the projection selects.
func (d *Directory) Retrieve(ctx context.Context, rt *scim.ResourceType, id string, p scim.Projection) (*Resource, error) {
	return d.readResource(ctx, rt, id, readsForResponse(rt, p))
}

// Render returns resources whose head items were read, with what the projection selects. The element of a resource that
// does not exist is nil.
func (d *Directory) Render(ctx context.Context, states []store.ResourceState, p scim.Projection) ([]*Resource, error) {
	visible := slices.DeleteFunc(slices.Clone(states), func(r store.ResourceState) bool { return r.Head == nil })
	visible, err := d.store.LoadMembers(ctx, visible, func(rt *scim.ResourceType) bool { return readsForResponse(rt, p).members })
	if err != nil {
		return nil, err
	}
	visible = slices.DeleteFunc(visible, func(r store.ResourceState) bool { return r.Head == nil })
	showsNames := slices.ContainsFunc(visible, func(r store.ResourceState) bool { return readsForResponse(r.Type, p).displayNames })
	rendered, err := d.newResources(ctx, visible, showsNames)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]*Resource, len(rendered))
	for _, r := range rendered {
		byID[r.ID()] = r
	}
	resources := make([]*Resource, len(states))
	for i, r := range states {
		resources[i] = byID[r.ID]
	}
	return resources, nil
}

// RenderJSON returns the JSON of one resource whose head item was read, or nil if it does not exist.
func (d *Directory) RenderJSON(ctx context.Context, r store.ResourceState, p scim.Projection) ([]byte, error) {
	resources, err := d.Render(ctx, []store.ResourceState{r}, p)
	if err != nil || resources[0] == nil {
		return nil, err
	}
	return resources[0].AppendJSON(nil, p)
}

func (d *Directory) readResource(ctx context.Context, rt *scim.ResourceType, id string, reads responseReads) (*Resource, error) {
	r, err := store.ResourceState{Type: rt, ID: id}, error(nil)
	if reads.members {
		r.Head, r.Members, err = d.store.ReadGroup(ctx, rt, id, math.MaxInt64)
	} else {
		r.Head, err = d.store.ReadHead(ctx, rt, id)
	}
	if err != nil {
		return nil, err
	}
	if r.Head == nil {
		return nil, notFoundError(rt, id)
	}
	all, err := d.newResources(ctx, []store.ResourceState{r}, reads.displayNames)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}
