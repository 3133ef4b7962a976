package server

import (
	"net/http"

	"serverless-scim/internal/directory"
)

// retrieve is GET of one resource (RFC 7644 §3.4.1).
func retrieve(r *request) (*response, error) {
	p, err := r.projection()
	if err != nil {
		return nil, err
	}
	res, err := r.directory.Retrieve(r.Context(), r.rt, r.id, p)
	if err != nil {
		return nil, err
	}
	if match := r.ifMatch(); match != nil && !match(res.Version) {
		return nil, directory.PreconditionFailedError(r.rt)
	}
	if have := parseEntityTags(r.Header.Values("If-None-Match")); have != nil && have(res.Version) {
		return &response{status: http.StatusNotModified, header: map[string]string{"ETag": res.Version}}, nil
	}
	return r.resourceResponse(http.StatusOK, res, p)
}
