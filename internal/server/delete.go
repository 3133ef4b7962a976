package server

import "net/http"

// deleteResource serves DELETE on a resource (RFC 7644 §3.6).
func deleteResource(r *request, target route) (*response, error) {
	change, err := r.directory.Delete(r.Context(), target.resourceType, target.id, r.writePrecondition())
	if err != nil {
		return nil, err
	}
	return &response{status: http.StatusNoContent, change: change}, nil
}
