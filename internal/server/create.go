package server

import "net/http"

// create serves POST on the endpoint of a resource type (RFC 7644 §3.3).
func create(r *request, target route) (*response, error) {
	o, p, err := r.decodeResource(target.resourceType)
	if err != nil {
		return nil, err
	}
	res, err := r.directory.Create(r.Context(), target.resourceType, o, p)
	if err != nil {
		return nil, err
	}
	return r.resourceResponse(http.StatusCreated, res, p)
}
