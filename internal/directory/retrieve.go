package directory

import (
	"context"
	"math"

	"serverless-scim/internal/scim"
)

// Retrieve reads one resource (RFC 7644 §3.4.1), with what the projection wants of it.
func (d *Store) Retrieve(ctx context.Context, rt *scim.ResourceType, id string, p scim.Projection) (*Resource, error) {
	return d.readResource(ctx, rt, id, readsForResponse(rt, p))
}

func (d *Store) readResource(ctx context.Context, rt *scim.ResourceType, id string, w responseReads) (*Resource, error) {
	s, err := ResourceState{rt: rt, id: id}, error(nil)
	if w.members {
		s.head, s.members, err = d.ReadGroup(ctx, rt, id, math.MaxInt64)
	} else {
		s.head, err = d.ReadHead(ctx, rt, id)
	}
	if err != nil {
		return nil, err
	}
	if s.head == nil {
		return nil, notFoundError(rt, id)
	}
	all, err := d.newResources(ctx, []ResourceState{s}, w.displayNames)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}
