package server

import "net/http"

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
	if have := precondition(r.Header.Values("If-None-Match")); have != nil && have(res.Version) {
		return &response{status: http.StatusNotModified, header: map[string]string{"ETag": res.Version}}, nil
	}
	return r.resource(http.StatusOK, res, p), nil
}
