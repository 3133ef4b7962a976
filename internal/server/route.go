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
		r.types = s.types.Only(names)
	}
	base, ok := "", false
	if base, r.segments, ok = r.split(r.URL.Path); r.base == "" && r.URL.IsAbs() {
		r.base = r.URL.Scheme + "://" + r.URL.Host + base
	}
	c := s.Directory
	c.StrictMembers = tenant.Settings.StrictMembers
	c.Deprovisioning = func(ctx context.Context) error { return s.guard(ctx, r) }
	r.directory = directory.New(c, tenant.Name, r.base)
	if !ok && !s.isRoot(r) {
		return nil, notThere()
	}
	m := s.endpoint(r)
	if m == nil {
		return nil, notThere()
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

func notThere() error {
	return scim.NotFound("There is no endpoint at this path. See /ResourceTypes for those that there are.")
}

// split cuts a path before the first segment that names an endpoint and has at most one behind it; ok is false if none
// does. (A base path may hold the name of an endpoint, too.)
func (r *request) split(path string) (base string, segments []string, ok bool) {
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
	if s.Base == "" {
		return r.Pattern == "/" // API Gateway has a resource of its own for the root
	}
	u, err := url.Parse(s.Base)
	return err == nil && strings.Trim(r.URL.Path, "/") == strings.Trim(u.Path, "/")
}

func (r *request) isEndpoint(segment string) bool {
	return r.types.ByEndpoint(segment) != nil || slices.Contains(endpoints(), strings.ToLower(segment))
}

// endpoints is those of the service itself, beside the resource types'.
func endpoints() []string {
	return []string{searchSegment, "bulk", "me", "serviceproviderconfig", "resourcetypes", "schemas"}
}

const searchSegment = ".search"

// endpoint is the methods of the endpoint that the path leads to, nil if there is none; r learns what it is about.
func (s *server) endpoint(r *request) methods {
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
		return methods{http.MethodGet: query}
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
	return s.resourceEndpoint(r, segments)
}

func (s *server) resourceEndpoint(r *request, segments []string) methods {
	r.rt = r.types.ByEndpoint(segments[0])
	switch {
	case r.rt == nil || len(segments) > 2:
		return nil
	case len(segments) == 1:
		return methods{http.MethodGet: query, http.MethodPost: s.audited(create)}
	case r.id == searchSegment:
		return methods{http.MethodPost: search}
	}
	return methods{http.MethodGet: retrieve, http.MethodPut: s.audited(replace), http.MethodPatch: s.audited(modify),
		http.MethodDelete: s.audited(remove)}
}

// me is the alias of the user who asks (RFC 7644 §3.11). A token speaks for an organization, so there is none.
func me(*request) (*response, error) {
	return nil, &scim.Error{Status: http.StatusNotImplemented, Detail: "/Me is not supported. Name the user under /Users."}
}
