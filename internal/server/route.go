package server

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"serverless-scim/internal/scim"
)

// handler serves a request of one route.
type handler func(r *request, target route) (*response, error)

// An action describes one method of an endpoint.
type action struct {
	handler handler
	writes  bool // whether the handler can change a resource
}

func reads(h handler) action  { return action{handler: h} }
func writes(h handler) action { return action{handler: h, writes: true} }

// methods holds the actions of an endpoint by HTTP method. The action of GET also serves HEAD.
type methods map[string]action

// A route describes the target of a request and the action that serves it.
type route struct {
	action
	endpoint     string             // path such as /Users or /bulk; "" for the root and for an unknown path
	resourceType *scim.ResourceType // nil for the root and for service endpoints
	oauth        bool               // the endpoint belongs to package oauth
	id           string             // path segment after the endpoint; "" if the path ends there
}

// A routeTable holds the methods of each path pattern. The segments of a pattern are in lower case, except TYPE, which
// stands for the endpoint of a resource type, and ID, which stands for any segment. No request can contain TYPE as a
// first segment, because find compares it in lower case.
type routeTable map[string]methods

const searchSegment = ".search"

// resourceWrites returns the table for the operations of a bulk request, which can only write resources (RFC 7644
// §3.7). The result has the same patterns, and only the methods that write a resource.
func (t routeTable) resourceWrites() routeTable {
	restricted := routeTable{}
	for pattern, all := range t {
		restricted[pattern] = maps.Clone(all)
		maps.DeleteFunc(restricted[pattern], func(_ string, a action) bool {
			return !a.writes || !strings.HasPrefix(pattern, "TYPE")
		})
	}
	return restricted
}

// find returns the route of a method and at most two path segments; the root has no segments. types holds the resource
// types of the tenant. If find returns an error, the route has no handler, but still describes the path for the log.
func (t routeTable) find(types *scim.Types, method string, segments []string) (target route, err error) {
	pattern, ok := "", true
	if len(segments) > 0 {
		if pattern, target.resourceType, ok = t.matchEndpoint(types, segments[0]); !ok {
			return target, noEndpointError()
		}
		if target.resourceType != nil {
			target.endpoint = target.resourceType.Endpoint
		} else {
			target.endpoint = "/" + pattern
		}
	}
	if len(segments) > 1 {
		target.id = segments[1]
		literal := append(append(append(make([]byte, 0, 128), pattern...), '/'), target.id...)
		if t[string(literal)] != nil { // the compiler avoids the copy for a lookup
			pattern = string(literal)
		} else {
			pattern += "/ID"
		}
	}
	allowed := t[pattern]
	if len(allowed) == 0 {
		return target, noEndpointError()
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if target.action, ok = allowed[method]; !ok {
		return target, &methodNotAllowedError{allowed: slices.Sorted(maps.Keys(allowed))}
	}
	return target, nil
}

// matchEndpoint returns the pattern of the endpoint that a path segment names. rt is nil for a service endpoint.
func (t routeTable) matchEndpoint(types *scim.Types, segment string) (pattern string, rt *scim.ResourceType, ok bool) {
	if name := strings.ToLower(segment); name != "" && t[name] != nil {
		return name, nil, true
	}
	rt = types.ByEndpoint(segment)
	return "TYPE", rt, rt != nil
}

// splitPath splits a path into the base path and the segments from the endpoint on. The endpoint is the first segment
// that names one and that at most one segment follows, because a base path can contain the name of an endpoint.
// If no segment names an endpoint, ok is false and the whole path is the base.
func (t routeTable) splitPath(types *scim.Types, path string) (base string, segments []string, ok bool) {
	path = strings.TrimSuffix(path, "/")
	segments = strings.Split(path, "/")
	for i, segment := range segments {
		if _, _, found := t.matchEndpoint(types, segment); found && len(segments)-i <= 2 {
			return strings.Join(segments[:i], "/"), segments[i:], true
		}
	}
	return path, nil, false
}

// loggedPath returns the path of a route for the log. It replaces the parts that a client can choose freely.
func (target *route) loggedPath() string {
	rt := target.resourceType
	switch {
	case target.endpoint == "":
		return "/"
	case rt == nil || target.id == "":
		return target.endpoint
	case target.id == searchSegment || rt.IsID(target.id):
		return target.endpoint + "/" + target.id
	}
	return target.endpoint + "/{id}"
}

func noEndpointError() error {
	return scim.NotFound("There is no endpoint at this path. GET /ResourceTypes lists the endpoints of resources.")
}
