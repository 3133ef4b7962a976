package replay

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// stepTimeout is how long an answer may take.
const stepTimeout = time.Minute

// session is what is known of a conversation while it is played.
type session struct {
	replay         *Player
	names          runNames
	ids            map[string]string // recorded → given by this server
	mine           map[string]bool   // the ids given
	seen           map[string]bool   // the ids on the pages of the list that is being walked through
	createdPaths   []string          // paths of what is to be deleted
	uncertainPaths []string          // paths under which something may have been created
}

func newSession(r *Player, c Conversation) *session {
	return &session{replay: r, names: collectNames(c, r.RunSuffix),
		ids: map[string]string{}, mine: map[string]bool{}, seen: map[string]bool{}}
}

// play plays a step to its end even if ctx ends: what a request creates is only known once it is answered.
func (s *session) play(ctx context.Context, step Step) (StepResult, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepTimeout)
	defer cancel()
	e := s.prepareEvent(step.Event)
	got, err := s.replay.Target(ctx, e)
	if err != nil {
		if e.HTTPMethod == http.MethodPost {
			s.uncertainPaths = append(s.uncertainPaths, e.Path)
		}
		return StepResult{}, err
	}
	s.recordIDs(step, e.Path, got)
	if parameter(step, "startIndex", 1) <= 1 {
		s.seen = map[string]bool{}
	}
	return StepResult{Step: step, Got: s.normalizeResponse(got), Diff: compareResponse(s.prepareExpectation(step), got, s.mine, s.seen)}, nil
}

// prepareEvent is a recorded event as this server is to get it.
func (s *session) prepareEvent(e events.APIGatewayProxyRequest) events.APIGatewayProxyRequest {
	e.Headers = mapSingle(e.Headers, s.header)
	e.MultiValueHeaders = mapMulti(e.MultiValueHeaders, s.header)
	e.Path, e.RequestContext.Path = replaceIDs(e.Path, s.ids), replaceIDs(e.RequestContext.Path, s.ids)
	e.PathParameters = mapSingle(e.PathParameters, func(_, v string) string { return replaceIDs(v, s.ids) })
	e.QueryStringParameters = mapSingle(e.QueryStringParameters, s.text)
	e.MultiValueQueryStringParameters = mapMulti(e.MultiValueQueryStringParameters, s.text)
	body, _ := decodedBody(e) // Load has tried it
	body = mapJSON(body, s.text)
	e.Body = string(body)
	if e.IsBase64Encoded {
		e.Body = base64.StdEncoding.EncodeToString(body)
	}
	return e
}

func (s *session) header(name, value string) string {
	if strings.EqualFold(name, "Authorization") && value != "Bearer wrong" {
		return "Bearer " + s.replay.Token
	}
	return value
}

func (s *session) text(member, value string) string {
	return s.names.addSuffix(member, replaceIDs(value, s.ids))
}

// prepareExpectation is a step with the answer as this server is to give it.
func (s *session) prepareExpectation(step Step) Step {
	step.Want.Body = mapJSON(step.Want.Body, s.text)
	step.Want.Headers = mapSingle(step.Want.Headers, func(_, v string) string { return replaceIDs(v, s.ids) })
	return step
}

// normalizeResponse is an answer as it would have been recorded.
func (s *session) normalizeResponse(a Response) Response {
	recorded := map[string]string{}
	for r, given := range s.ids {
		recorded[given] = r
	}
	back := func(_, v string) string { return replaceIDs(v, recorded) }
	a.Body = []byte(s.names.removeSuffix(string(mapJSON(a.Body, back))))
	a.Header = mapMulti(a.Header, back)
	return a
}

// decodedBody is the body of an event, without the base64 that a gateway with binary media types puts around it.
func decodedBody(e events.APIGatewayProxyRequest) ([]byte, error) {
	if e.IsBase64Encoded {
		return base64.StdEncoding.DecodeString(e.Body)
	}
	return []byte(e.Body), nil
}

func mapSingle(m map[string]string, f func(name, value string) string) map[string]string {
	m = maps.Clone(m)
	for name, v := range m {
		m[name] = f(name, v)
	}
	return m
}

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

// idPattern is what an id is in a path, an address, a query or a filter: an id may as well be 1, and part of anything.
var idPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[^"/?&=#]+`) })

func replaceIDs(text string, ids map[string]string) string {
	return idPattern().ReplaceAllStringFunc(text, func(w string) string {
		if id, ok := ids[w]; ok {
			return id
		}
		return w
	})
}

// recordIDs notes what a request to path created or deleted.
func (s *session) recordIDs(step Step, path string, got Response) {
	switch {
	case step.Event.HTTPMethod == http.MethodPost && got.Status/100 == 2:
		if given := resourceID(got.Body); given != "" {
			s.createdPaths = append(s.createdPaths, strings.TrimSuffix(path, "/")+"/"+given)
			if recorded := resourceID(step.Want.Body); recorded != "" {
				s.ids[recorded], s.mine[given] = given, true
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

func resourceID(body []byte) string {
	var resource struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(body, &resource) != nil {
		return ""
	}
	return resource.ID
}

// deleteCreated deletes what the conversation created, the last first, also if ctx has ended.
func (s *session) deleteCreated(ctx context.Context, c Conversation) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepTimeout)
	defer cancel()
	var left []string
	for i := len(s.createdPaths) - 1; i >= 0; i-- {
		e := events.APIGatewayProxyRequest{
			HTTPMethod:        http.MethodDelete,
			Path:              s.createdPaths[i],
			MultiValueHeaders: map[string][]string{"Authorization": {"Bearer " + s.replay.Token}},
			RequestContext:    c.Steps[0].Event.RequestContext,
		}
		e.RequestContext.HTTPMethod, e.RequestContext.Path = e.HTTPMethod, e.Path
		got, err := s.replay.Target(ctx, e)
		if err != nil || got.Status != http.StatusNoContent && got.Status != http.StatusNotFound {
			left = append(left, "left behind: "+s.createdPaths[i])
		}
	}
	for _, path := range s.uncertainPaths {
		left = append(left, "may be left behind: what a POST to "+path+" created")
	}
	if len(left) > 0 {
		return fmt.Errorf("%s: %s", c.Name(), strings.Join(left, "; "))
	}
	return nil
}
