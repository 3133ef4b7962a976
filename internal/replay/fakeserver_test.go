package replay_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"serverless-scim/internal/gateway"
	"serverless-scim/internal/replay"
)

// fakeServer is a minimal SCIM server. It stores any resource under any endpoint, assigns IDs, rejects a second user
// with the same userName, and evaluates filters of one comparison.
type fakeServer struct {
	sync.Mutex
	created       int                       // number of resources created
	resources     map[string]map[string]any // by path
	idFormat      string                    // "" for "given-%d"
	rejectDeletes bool
	onCreate      func() // called while a resource is created, unless nil
	log           []string
}

var comparison = regexp.MustCompile(`^(\w+) eq "(.*)"$`)

func (s *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.Lock()
	defer s.Unlock()
	s.log = append(s.log, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
	resourcePath := strings.TrimPrefix(r.URL.Path, "/prod")
	var body map[string]any
	json.NewDecoder(r.Body).Decode(&body)
	switch {
	case r.Header.Get("Authorization") != "Bearer secret":
		writeResponse(w, 401, map[string]any{"status": "401", "detail": "wrong token"})
	case r.Method == "GET" && s.resources[resourcePath] == nil && len(strings.Split(resourcePath, "/")) == 2:
		s.list(w, r.URL.Query().Get("filter"))
	case r.Method == "POST":
		s.create(w, resourcePath, body)
	case s.resources[resourcePath] == nil:
		writeResponse(w, 404, map[string]any{"status": "404", "detail": "no " + resourcePath})
	case r.Method == "DELETE" && s.rejectDeletes:
		writeResponse(w, 500, map[string]any{"status": "500", "detail": "no"})
	case r.Method == "DELETE":
		delete(s.resources, resourcePath)
		w.WriteHeader(204)
	default:
		for name, v := range body {
			s.resources[resourcePath][name] = v
		}
		writeResponse(w, 200, s.resources[resourcePath])
	}
}

func (s *fakeServer) create(w http.ResponseWriter, resourcePath string, body map[string]any) {
	for _, other := range s.resources {
		if body["userName"] != nil && fold(other["userName"]) == fold(body["userName"]) {
			writeResponse(w, 409, map[string]any{"status": "409", "detail": "taken"})
			return
		}
	}
	s.created++
	body["id"] = fmt.Sprintf(cmp.Or(s.idFormat, "given-%d"), s.created)
	if s.onCreate != nil {
		s.onCreate()
	}
	resourcePath += "/" + body["id"].(string)
	body["meta"] = map[string]any{"location": "http://elsewhere/scim" + resourcePath, "created": "2030-05-05T05:05:05.5Z"}
	s.resources[resourcePath] = body
	w.Header().Set("Location", "http://elsewhere/scim"+resourcePath)
	writeResponse(w, 201, body)
}

func (s *fakeServer) list(w http.ResponseWriter, filter string) {
	found := []any{}
	m := comparison.FindStringSubmatch(filter)
	for _, resource := range s.resources {
		if m == nil || fold(resource[m[1]]) == fold(m[2]) {
			found = append(found, resource)
		}
	}
	writeResponse(w, 200, map[string]any{"totalResults": len(found), "itemsPerPage": len(found), "Resources": found})
}

func writeResponse(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

func fold(v any) string { return strings.ToLower(fmt.Sprint(v)) }

// newTargets returns both kinds of Target for the server.
func newTargets(t *testing.T, s *fakeServer) map[string]replay.Target {
	server := httptest.NewServer(http.StripPrefix("/base", s))
	t.Cleanup(server.Close)
	return map[string]replay.Target{
		"HTTP":     replay.HTTPTarget(server.Client(), server.URL+"/base/"),
		"function": replay.FunctionTarget(gateway.New(s).Invoke),
	}
}

// restEvent returns the event that a REST API sends for a request to its stage "prod".
func restEvent(method, path string) events.APIGatewayProxyRequest {
	return events.APIGatewayProxyRequest{
		Resource: "/{proxy+}", HTTPMethod: method, Path: path,
		MultiValueHeaders: map[string][]string{},
		RequestContext: events.APIGatewayProxyRequestContext{
			DomainName: "abc123.execute-api.eu-central-1.amazonaws.com", Stage: "prod", Path: "/prod" + path,
		},
	}
}
