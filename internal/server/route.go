package server

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/scim"
)

// handler answers a request of one endpoint and method.
type handler func(*request) (*response, error)

// methods is the handlers of an endpoint.
type methods map[string]handler

// dispatch finds the handler of an authenticated request.
func (s *server) dispatch(r *request) (*response, error) {
	tenant := r.identity.Tenant
	if names := tenant.Settings.ResourceTypes; len(names) > 0 {
		r.types = s.types.Subset(names)
	}
	base, ok := "", false
	if base, r.segments, ok = r.splitPath(r.URL.Path); r.baseURL == "" && r.URL.IsAbs() {
		r.baseURL = r.URL.Scheme + "://" + r.URL.Host + base
	}
	c := s.Directory
	c.StrictMembers = tenant.Settings.StrictMembers
	c.AllowDeprovisioning = func(ctx context.Context) error { return s.guardDeprovisioning(ctx, r) }
	r.directory = directory.New(c, tenant.Name, r.baseURL)
	if !ok && !s.isRoot(r) {
		return nil, noEndpointError()
	}
	m := s.endpointMethods(r)
	if m == nil {
		return nil, noEndpointError()
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if h := m[method]; h != nil {
		return h(r)
	}
	return nil, &methodNotAllowedError{m}
}

func noEndpointError() error {
	return scim.NotFound("There is no endpoint at this path. See /ResourceTypes for those that there are.")
}

// splitPath cuts a path before the first segment that names an endpoint and has at most one behind it; ok is false if none
// does. (A base path may hold the name of an endpoint, too.)
func (r *request) splitPath(path string) (base string, segments []string, ok bool) {
	path = strings.TrimSuffix(path, "/")
	segments = strings.Split(path, "/")
	for i, segment := range segments {
		if len(segments)-i <= 2 && r.isEndpoint(segment) {
			return strings.Join(segments[:i], "/"), segments[i:], true
		}
	}
	return path, nil, false
}

// isRoot tells whether a path without an endpoint is the base itself, and not an endpoint that there is not.
func (s *server) isRoot(r *request) bool {
	if s.BaseURL == "" {
		return r.Pattern == "/" // API Gateway has a resource of its own for the root
	}
	u, err := url.Parse(s.BaseURL)
	return err == nil && strings.Trim(r.URL.Path, "/") == strings.Trim(u.Path, "/")
}

func (r *request) isEndpoint(segment string) bool {
	return r.types.ByEndpoint(segment) != nil || slices.Contains(serviceEndpoints(), strings.ToLower(segment))
}

// serviceEndpoints is those of the service itself, beside the resource types'.
func serviceEndpoints() []string {
	return []string{searchSegment, "bulk", "me", "serviceproviderconfig", "resourcetypes", "schemas"}
}

const searchSegment = ".search"

// endpointMethods is the methods of the endpoint that the path leads to, nil if there is none; r learns what it is about.
func (s *server) endpointMethods(r *request) methods {
	segments := r.segments
	n, first := len(segments), ""
	if n > 0 {
		first = strings.ToLower(segments[0])
	}
	if n > 1 {
		r.id = segments[1]
	}
	switch {
	case n == 0:
		return methods{http.MethodGet: listResources}
	case first == "me":
		return methods{http.MethodGet: me, http.MethodPost: me, http.MethodPut: me, http.MethodPatch: me, http.MethodDelete: me}
	case n == 1 && first == searchSegment:
		return methods{http.MethodPost: search}
	case n == 1 && first == "bulk":
		return methods{http.MethodPost: s.bulk}
	case n == 1 && first == "serviceproviderconfig":
		return methods{http.MethodGet: serviceProviderConfig}
	case n <= 2 && first == "resourcetypes":
		return methods{http.MethodGet: resourceTypes}
	case n <= 2 && first == "schemas":
		return methods{http.MethodGet: schemas}
	}
	return s.resourceMethods(r, segments)
}

func (s *server) resourceMethods(r *request, segments []string) methods {
	r.rt = r.types.ByEndpoint(segments[0])
	switch {
	case r.rt == nil || len(segments) > 2:
		return nil
	case len(segments) == 1:
		return methods{http.MethodGet: listResources, http.MethodPost: s.withAudit(create)}
	case r.id == searchSegment:
		return methods{http.MethodPost: search}
	}
	return methods{http.MethodGet: retrieve, http.MethodPut: s.withAudit(replace), http.MethodPatch: s.withAudit(modify),
		http.MethodDelete: s.withAudit(deleteResource)}
}

// me is the alias of the user who asks (RFC 7644 §3.11). A token speaks for an organization, so there is none.
func me(*request) (*response, error) {
	return nil, &scim.Error{Status: http.StatusNotImplemented, Detail: "/Me is not supported. Name the user under /Users."}
}
