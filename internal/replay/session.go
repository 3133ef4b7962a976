package replay

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// stepTimeout limits the time for one response.
const stepTimeout = time.Minute

// session is the state of a conversation while it is played.
type session struct {
	target         Target
	token          string // the bearer token
	names          runNames
	ids            map[string]string    // recorded ID → ID that this server assigned
	ownIDs         map[string]bool      // values of ids
	listedIDs      map[string]bool      // IDs on the pages of the current list
	cursors        map[string]string    // recorded cursor → cursor that this server returned
	versions       map[[2]string]string // ID that this server assigned, recorded version → version that this server returned
	createdPaths   []string             // paths of the resources to delete, oldest first
	uncertainPaths []string             // paths of POST requests that possibly created a resource
}

func newSession(target Target, token string, names runNames) *session {
	return &session{target: target, token: token, names: names,
		ids: map[string]string{}, ownIDs: map[string]bool{}, listedIDs: map[string]bool{},
		cursors: map[string]string{}, versions: map[[2]string]string{}}
}

// play sends the request of a step and compares the response. It does not stop when ctx ends, because only the response
// contains the ID of the resource that a request created.
func (s *session) play(ctx context.Context, step Step) (StepResult, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepTimeout)
	defer cancel()
	e := s.prepareEvent(step.Event)
	got, err := s.target(ctx, e)
	if err != nil {
		if e.HTTPMethod == http.MethodPost {
			s.uncertainPaths = append(s.uncertainPaths, e.Path)
		}
		return StepResult{}, err
	}
	s.recordIDs(step, e.Path, got)
	s.recordVersions(step.Want.Body, got.Body)
	if intParameter(step, "startIndex", 1) <= 1 { // a new list begins
		s.listedIDs = map[string]bool{}
	}
	diff := compareResponse(s.prepareExpectation(step), got, s.ownIDs, s.listedIDs)
	return StepResult{Step: step, Got: s.normalizeResponse(got), Diff: diff}, nil
}

// prepareEvent returns a recorded event with the names of this run, the IDs of this server, and the token.
func (s *session) prepareEvent(e events.APIGatewayProxyRequest) events.APIGatewayProxyRequest {
	id := replaceIDs(path.Base(e.Path), s.ids)
	header := func(name, value string) string { return s.prepareHeader(id, name, value) }
	e.Headers = mapSingle(e.Headers, header)
	e.MultiValueHeaders = mapMulti(e.MultiValueHeaders, header)
	e.Path, e.RequestContext.Path = replaceIDs(e.Path, s.ids), replaceIDs(e.RequestContext.Path, s.ids)
	e.PathParameters = mapSingle(e.PathParameters, func(_, v string) string { return replaceIDs(v, s.ids) })
	e.QueryStringParameters = mapSingle(e.QueryStringParameters, s.prepareText)
	e.MultiValueQueryStringParameters = mapMulti(e.MultiValueQueryStringParameters, s.prepareText)
	body, _ := decodedBody(e) // loadStep has checked it
	body = mapJSON(body, s.prepareText)
	e.Body = string(body)
	if e.IsBase64Encoded {
		e.Body = base64.StdEncoding.EncodeToString(body)
	}
	return e
}

// prepareHeader returns the value of a header of a request to the resource with an ID.
func (s *session) prepareHeader(id, name, value string) string {
	switch strings.ToLower(name) {
	case "authorization":
		if value != "Bearer wrong" {
			return "Bearer " + s.token
		}
	case "if-match", "if-none-match":
		return entityTag().ReplaceAllStringFunc(value, func(recorded string) string {
			return cmp.Or(s.versions[[2]string{id, recorded}], recorded)
		})
	}
	return value
}

// entityTag matches the entity tags in a list of them.
var entityTag = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?:W/)?"[^"]*"`) })

func (s *session) prepareText(member, value string) string {
	if cursor, ok := s.cursors[value]; ok && strings.EqualFold(member, "cursor") {
		return cursor
	}
	return s.names.addSuffix(member, replaceIDs(value, s.ids))
}

// prepareExpectation returns a step whose expectation has the names of this run and the IDs of this server.
func (s *session) prepareExpectation(step Step) Step {
	step.Want.Body = mapJSON(step.Want.Body, s.prepareText)
	step.Want.Headers = mapSingle(step.Want.Headers, func(_, v string) string { return replaceIDs(v, s.ids) })
	return step
}

// normalizeResponse returns a response with the recorded names and IDs.
func (s *session) normalizeResponse(response Response) Response {
	recorded := map[string]string{}
	for r, assigned := range s.ids {
		recorded[assigned] = r
	}
	restore := func(_, v string) string { return replaceIDs(v, recorded) }
	response.Body = []byte(s.names.removeSuffix(string(mapJSON(response.Body, restore))))
	response.Header = mapMulti(response.Header, restore)
	return response
}

// mapSingle returns a copy of m with each value replaced by f of its name and itself.
func mapSingle(m map[string]string, f func(name, value string) string) map[string]string {
	m = maps.Clone(m)
	for name, v := range m {
		m[name] = f(name, v)
	}
	return m
}

// mapMulti is mapSingle for several values of each name.
func mapMulti[M ~map[string][]string](m M, f func(name, value string) string) M {
	m = maps.Clone(m)
	for name, values := range m {
		m[name] = make([]string, len(values))
		for i, v := range values {
			m[name][i] = f(name, v)
		}
	}
	return m
}

// idPattern matches the words of a path, URL, query, or filter that can be an ID. Only whole words are replaced,
// because an ID as short as 1 can be part of any other word.
var idPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[^"/?&=#]+`) })

func replaceIDs(text string, ids map[string]string) string {
	return idPattern().ReplaceAllStringFunc(text, func(word string) string {
		if id, ok := ids[word]; ok {
			return id
		}
		return word
	})
}

// recordIDs records the resource that a request to path created or deleted.
func (s *session) recordIDs(step Step, path string, got Response) {
	switch {
	case step.Event.HTTPMethod == http.MethodPost && got.Status/100 == 2:
		if assigned := resourceID(got.Body); assigned != "" {
			s.createdPaths = append(s.createdPaths, strings.TrimSuffix(path, "/")+"/"+assigned)
			if recorded := resourceID(step.Want.Body); recorded != "" {
				s.ids[recorded], s.ownIDs[assigned] = assigned, true
			}
		} else if got.Status == http.StatusCreated {
			s.uncertainPaths = append(s.uncertainPaths, path)
		}
	case step.Event.HTTPMethod == http.MethodDelete && got.Status == http.StatusNoContent:
		for i, p := range s.createdPaths {
			if p == path {
				s.createdPaths = append(s.createdPaths[:i:i], s.createdPaths[i+1:]...)
				return
			}
		}
	}
}

// recordVersions records the cursors and the versions of the resources in a response, with the recorded ones.
func (s *session) recordVersions(want, got []byte) {
	recorded, current := decodeResources(want), decodeResources(got)
	s.cursors[recorded.NextCursor], s.cursors[recorded.PreviousCursor] = current.NextCursor, current.PreviousCursor
	delete(s.cursors, "") // a request without a cursor asks for the first page
	for _, r := range recorded.Resources {
		id := replaceIDs(r.ID, s.ids)
		for _, c := range current.Resources {
			if c.ID == id && c.Meta.Version != "" {
				s.versions[[2]string{id, r.Meta.Version}] = c.Meta.Version
			}
		}
	}
}

// resources is the part of a response that the requests after it can refer to.
type resources struct {
	NextCursor, PreviousCursor string
	Resources                  []struct {
		ID   string
		Meta struct{ Version string }
	}
}

// decodeResources returns the resources of a list, or the resource that the body itself is.
func decodeResources(body []byte) (r resources) {
	if json.Unmarshal(body, &r) != nil || r.Resources == nil {
		_ = json.Unmarshal([]byte(`{"Resources":[`+string(body)+`]}`), &r) // without a body, there is none
	}
	return r
}

// resourceID returns the id of a resource, or "" if the body has none.
func resourceID(body []byte) string {
	var resource struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(body, &resource) != nil {
		return ""
	}
	return resource.ID
}

// deleteCreated deletes the resources that the conversation created, also if ctx has ended. It begins with the newest,
// because a resource may refer to older ones. It returns an error that names the resources that were not deleted and
// the requests that possibly created one.
func (s *session) deleteCreated(ctx context.Context, c Conversation) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepTimeout)
	defer cancel()
	var problems []string
	for i := len(s.createdPaths) - 1; i >= 0; i-- {
		e := events.APIGatewayProxyRequest{
			HTTPMethod:        http.MethodDelete,
			Path:              s.createdPaths[i],
			MultiValueHeaders: map[string][]string{"Authorization": {"Bearer " + s.token}},
			RequestContext:    c.Steps[0].Event.RequestContext,
		}
		e.RequestContext.HTTPMethod, e.RequestContext.Path = e.HTTPMethod, e.Path
		got, err := s.target(ctx, e)
		if err != nil || got.Status != http.StatusNoContent && got.Status != http.StatusNotFound {
			problems = append(problems, "not deleted: "+s.createdPaths[i])
		}
	}
	for _, path := range s.uncertainPaths {
		problems = append(problems, "possibly not deleted: a resource created by POST to "+path)
	}
	if len(problems) > 0 {
		return fmt.Errorf("%s: %s", c.Name(), strings.Join(problems, "; "))
	}
	return nil
}
