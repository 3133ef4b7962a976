package server

import (
	"net/http"

	"serverless-scim/internal/directory"
)

// retrieve serves GET on a resource (RFC 7644 §3.4.1).
func retrieve(r *request, target route) (*response, error) {
	p, err := r.projection(target.resourceType)
	if err != nil {
		return nil, err
	}
	res, err := r.directory.Retrieve(r.Context(), target.resourceType, target.id, p)
	if err != nil {
		return nil, err
	}
	if match := r.ifMatch(); match != nil && !match(res.Version) {
		return nil, directory.PreconditionFailedError(target.resourceType)
	}
	if match := r.ifNoneMatch(); match != nil && match(res.Version) {
		return &response{status: http.StatusNotModified, header: map[string]string{"ETag": res.Version}}, nil
	}
	return resourceResponse(http.StatusOK, res, p)
}
