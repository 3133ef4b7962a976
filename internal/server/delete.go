package server

import "net/http"

// remove is DELETE (RFC 7644 §3.6).
func remove(r *request) (*response, error) {
	if _, err := r.directory.Delete(r.Context(), r.rt, r.id, r.ifMatch()); err != nil {
		return nil, err
	}
	return &response{status: http.StatusNoContent}, nil
}
