package server

import "net/http"

// replace is PUT (RFC 7644 §3.5.1).
func replace(r *request) (*response, error) {
	o, p, err := r.decodeResource()
	if err != nil {
		return nil, err
	}
	res, err := r.directory.Replace(r.Context(), r.rt, r.id, o, r.ifMatch(), p)
	if err != nil {
		return nil, err
	}
	return r.resourceResponse(http.StatusOK, res, p)
}
