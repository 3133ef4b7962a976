package server

import (
	"net/http"
	"strings"

	"serverless-scim/internal/scim"
)

// handler answers a request of one endpoint and method.
type handler func(*request) (*response, error)

// methods is the handlers of an endpoint.
type methods map[string]handler

// dispatch finds the handler of a request.
func (s *server) dispatch(r *request) (*response, error) {
	base, segments := s.split(r.URL.Path)
	if r.base == "" && r.URL.IsAbs() {
		r.base = r.URL.Scheme + "://" + r.URL.Host + base
	}
	m := s.route(r, segments)
	if m == nil {
		return nil, scim.NotFound("There is no endpoint at this path. See /ResourceTypes for those that there are.")
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if h := m[method]; h != nil {
		return h(r)
	}
	return nil, &methodNotAllowed{m}
}

// split cuts a path before its first segment that names an endpoint.
func (s *server) split(path string) (base string, segments []string) {
	segments = strings.Split(strings.TrimSuffix(path, "/"), "/")
	for i, segment := range segments {
		if s.types.ByEndpoint(segment) != nil || discovery(segment) != nil {
			return strings.Join(segments[:i], "/"), segments[i:]
		}
	}
	return path, nil
}

// route is the methods of the endpoint at the end of a path, nil if there is none.
func (s *server) route(r *request, segments []string) methods {
	if len(segments) == 0 || len(segments) > 2 {
		return nil
	}
	if len(segments) == 2 {
		r.id = segments[1]
	}
	if h := discovery(segments[0]); h != nil {
		return methods{http.MethodGet: h}
	}
	if r.rt = s.types.ByEndpoint(segments[0]); len(segments) == 1 {
		return methods{http.MethodGet: query, http.MethodPost: create}
	}
	return methods{http.MethodGet: retrieve, http.MethodPut: replace, http.MethodPatch: modify, http.MethodDelete: remove}
}

// discovery is the endpoints that describe the service provider (RFC 7644 §4).
func discovery(segment string) handler {
	switch strings.ToLower(segment) {
	case "serviceproviderconfig":
		return serviceProviderConfig
	case "resourcetypes":
		return resourceTypes
	case "schemas":
		return schemas
	}
	return nil
}
