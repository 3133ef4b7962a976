package directory

import (
	"context"
	"math"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
)

// Retrieve reads one resource (RFC 7644 §3.4.1), with what the projection selects.
func (d *Directory) Retrieve(ctx context.Context, rt *scim.ResourceType, id string, p scim.Projection) (*Resource, error) {
	return d.readResource(ctx, rt, id, readsForResponse(rt, p))
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
