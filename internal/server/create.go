package server

import "net/http"

// create is POST on a resource type's endpoint (RFC 7644 §3.3).
func create(r *request) (*response, error) {
	o, p, err := r.decodeResource()
	if err != nil {
		return nil, err
	}
	res, err := r.directory.Create(r.Context(), r.rt, o, p)
	if err != nil {
		return nil, err
	}
	return r.resourceResponse(http.StatusCreated, res, p)
}
