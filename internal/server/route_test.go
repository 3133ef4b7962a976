package server

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/scim"
)

// The route of a method and a path, and what the log shows of the path.
func TestFindReturnsRoute(t *testing.T) {
	t.Parallel()
	const id = "u0000000000000000000000000a"
	table, types := new(server).newRouteTable(), scim.StandardTypes()
	const notFound, reads, writes = "404", "reads", "writes"
	for request, want := range map[string]string{
		"GET ":                         reads + " /",
		"POST ":                        "405 GET",
		"POST .search":                 reads + " /.search",
		"POST BULK":                    writes + " /bulk",
		"POST bulk/x":                  notFound + " /bulk",
		"GET Me":                       reads + " /me",
		"PATCH me/x":                   reads + " /me",
		"HEAD ServiceProviderConfig":   reads + " /serviceproviderconfig",
		"GET ServiceProviderConfig/x":  notFound + " /serviceproviderconfig",
		"GET Schemas/urn:x":            reads + " /schemas",
		"POST Schemas/.search":         "405 GET",
		"GET users":                    reads + " User /Users",
		"POST Users":                   writes + " User /Users",
		"DELETE Users":                 "405 GET, POST",
		"POST Users/.search":           reads + " User /Users/.search",
		"PUT Users/.search":            "405 POST",
		"HEAD Users/" + id:             reads + " User /Users/" + id,
		"PUT Users/" + id:              writes + " User /Users/" + id,
		"PATCH Groups/" + id:           writes + " Group /Groups/{id}",
		"DELETE Users/someone@example": writes + " User /Users/{id}",
		"POST Users/" + id:             "405 DELETE, GET, PATCH, PUT",
		"GET Users/ID":                 reads + " User /Users/{id}",
		"GET TYPE":                     notFound + " /",
		"GET Shoes":                    notFound + " /",
	} {
		if got := describeRoute(table, types, request); got != want {
			t.Errorf("%s is routed to %q, want %q", request, got, want)
		}
	}
}

// A bulk operation can only write a resource.
func TestBulkRoutesWriteResources(t *testing.T) {
	t.Parallel()
	table, types := new(server).newRouteTable().resourceWrites(), scim.StandardTypes()
	for request, want := range map[string]string{
		"POST Users":         "writes User /Users",
		"DELETE Users/x":     "writes User /Users/{id}",
		"GET Users/x":        "405 DELETE, PATCH, PUT",
		"HEAD Users/x":       "405 DELETE, PATCH, PUT",
		"GET Users":          "405 POST",
		"POST Users/.search": "404 /Users/.search",
		"GET ":               "404 /",
		"POST Bulk":          "404 /bulk",
		"POST .search":       "404 /.search",
		"PATCH Me":           "404 /me",
	} {
		if got := describeRoute(table, types, request); got != want {
			t.Errorf("%s is routed to %q, want %q", request, got, want)
		}
	}
}

// describeRoute returns what find returns for a method and a path, as a string.
func describeRoute(table routeTable, types *scim.Types, request string) string {
	method, path, _ := strings.Cut(request, " ")
	segments := slices.DeleteFunc(strings.SplitN(path, "/", 2), func(s string) bool { return s == "" })
	target, err := table.find(types, method, segments)
	if notAllowed := (*methodNotAllowedError)(nil); errors.As(err, &notAllowed) {
		return fmt.Sprint("405 ", strings.Join(notAllowed.allowed, ", "))
	}
	var words []string
	switch {
	case err != nil:
		words = append(words, fmt.Sprint(errorResponse(err).status))
	case target.writes:
		words = append(words, "writes")
	default:
		words = append(words, "reads")
	}
	if err == nil && target.resourceType != nil {
		words = append(words, target.resourceType.Name)
	}
	return strings.Join(append(words, target.loggedPath()), " ")
}

// Only these methods write. A change of this list is a change of what a token that can only read may do.
func TestRouteTableSaysWhatWrites(t *testing.T) {
	t.Parallel()
	var writing []string
	for pattern, all := range new(server).newRouteTable() {
		for method, a := range all {
			if a.writes {
				writing = append(writing, method+" "+pattern)
			}
			if a.handler == nil || a.writes && method == http.MethodGet {
				t.Errorf("%s %s has no handler, or GET writes", method, pattern)
			}
		}
	}
	slices.Sort(writing)
	if want := []string{"DELETE TYPE/ID", "PATCH TYPE/ID", "POST TYPE", "POST bulk", "PUT TYPE/ID"}; !slices.Equal(writing, want) {
		t.Errorf("these write: %q, want %q", writing, want)
	}
}
