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

// store is a server just good enough to replay against: any resource under any endpoint, ids of its own kind, one user
// for each userName, and a filter that compares one attribute.
type store struct {
	sync.Mutex
	n         int
	resources map[string]map[string]any // by path
	form      string                    // of ids
	undying   bool                      // refuses to delete
	during    func()                    // called while a resource is created
	log       []string
}

var comparison = regexp.MustCompile(`^(\w+) eq "(.*)"$`)

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.Lock()
	defer s.Unlock()
	s.log = append(s.log, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
	at := strings.TrimPrefix(r.URL.Path, "/prod")
	var body map[string]any
	json.NewDecoder(r.Body).Decode(&body)
	switch {
	case r.Header.Get("Authorization") != "Bearer secret":
		reply(w, 401, map[string]any{"status": "401", "detail": "wrong token"})
	case r.Method == "GET" && s.resources[at] == nil && len(strings.Split(at, "/")) == 2:
		s.list(w, r.URL.Query().Get("filter"))
	case r.Method == "POST":
		s.create(w, at, body)
	case s.resources[at] == nil:
		reply(w, 404, map[string]any{"status": "404", "detail": "no " + at})
	case r.Method == "DELETE" && s.undying:
		reply(w, 500, map[string]any{"status": "500", "detail": "no"})
	case r.Method == "DELETE":
		delete(s.resources, at)
		w.WriteHeader(204)
	default:
		for name, v := range body {
			s.resources[at][name] = v
		}
		reply(w, 200, s.resources[at])
	}
}

func (s *store) create(w http.ResponseWriter, at string, body map[string]any) {
	for _, other := range s.resources {
		if body["userName"] != nil && fold(other["userName"]) == fold(body["userName"]) {
			reply(w, 409, map[string]any{"status": "409", "detail": "taken"})
			return
		}
	}
	s.n++
	body["id"] = fmt.Sprintf(cmp.Or(s.form, "given-%d"), s.n)
	if s.during != nil {
		s.during()
	}
	at += "/" + body["id"].(string)
	body["meta"] = map[string]any{"location": "http://elsewhere/scim" + at, "created": "2030-05-05T05:05:05.5Z"}
	s.resources[at] = body
	w.Header().Set("Location", "http://elsewhere/scim"+at)
	reply(w, 201, body)
}

func (s *store) list(w http.ResponseWriter, filter string) {
	found := []any{}
	m := comparison.FindStringSubmatch(filter)
	for _, resource := range s.resources {
		if m == nil || fold(resource[m[1]]) == fold(m[2]) {
			found = append(found, resource)
		}
	}
	reply(w, 200, map[string]any{"totalResults": len(found), "itemsPerPage": len(found), "Resources": found})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

func fold(v any) string { return strings.ToLower(fmt.Sprint(v)) }

// targets are the two ways to the store, which must come to the same.
func targets(t *testing.T, s *store) map[string]replay.Target {
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
