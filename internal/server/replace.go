package server

import "net/http"

// replace serves PUT on a resource (RFC 7644 §3.5.1).
func replace(r *request, target route) (*response, error) {
	o, p, err := r.decodeResource(target.resourceType)
	if err != nil {
		return nil, err
	}
	res, err := r.directory.Replace(r.Context(), target.resourceType, target.id, o, r.writePrecondition(), p)
	if err != nil {
		return nil, err
	}
	return r.resourceResponse(http.StatusOK, res, p)
}
