package server

import "net/http"

// deleteResource is DELETE (RFC 7644 §3.6).
func deleteResource(r *request) (*response, error) {
	change, err := r.directory.Delete(r.Context(), r.rt, r.id, r.ifMatch())
	if err != nil {
		return nil, err
	}
	return &response{status: http.StatusNoContent, change: change}, nil
}
