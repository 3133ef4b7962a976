package directory

import (
	"context"
	"math"

	"serverless-scim/internal/scim"
)

// Retrieve reads one resource (RFC 7644 §3.4.1), with what the projection wants of it.
func (d *Directory) Retrieve(ctx context.Context, rt *scim.ResourceType, id string, p scim.Projection) (*Resource, error) {
	return d.get(ctx, rt, id, wanted(rt, p))
}

func (d *Directory) get(ctx context.Context, rt *scim.ResourceType, id string, w parts) (*Resource, error) {
	s, err := state{rt: rt, id: id}, error(nil)
	if w.members {
		s.head, s.members, err = d.whole(ctx, rt, id, math.MaxInt64)
	} else {
		s.head, err = d.head(ctx, rt, id)
	}
	if err != nil {
		return nil, err
	}
	if s.head == nil {
		return nil, notFound(rt, id)
	}
	all, err := d.show(ctx, []state{s}, w.displays)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}
