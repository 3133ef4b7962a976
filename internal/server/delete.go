package server

import "net/http"

// remove is DELETE (RFC 7644 §3.6).
func remove(r *request) (*response, error) {
	change, err := r.directory.Delete(r.Context(), r.rt, r.id, r.ifMatch())
	if err != nil {
		return nil, err
	}
	return &response{status: http.StatusNoContent, change: change}, nil
}
