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
	// RFC 9110 §13.1.2: the client's copy is current if its whole representation is, with all display names.
	wholeTag := func(tag string) string { return tag }
	matchesClientCopy, tag := parseEntityTags(r.Header.Values("If-None-Match"), wholeTag), res.EntityTag(p)
	if matchesClientCopy != nil && matchesClientCopy(tag) {
		return &response{status: http.StatusNotModified, header: map[string]string{"ETag": tag}}, nil
	}
	return r.resourceResponse(http.StatusOK, res, p)
}
