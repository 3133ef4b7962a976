package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// WrongToken is the Authorization header that a replay leaves as it was recorded.
const WrongToken = "Bearer wrong"

// A Replay plays conversations against a server that may be in use, any number of times:
//
//   - userNames, externalIds and display names of groups, and whatever equals one of them, get a suffix of this run,
//     in bodies, paths and filters; it is taken off the answers again;
//   - the id that the server gives where an id was recorded stands for that one from then on;
//   - the recorded token is replaced;
//   - what a conversation created is deleted at its end, however that comes about.
type Replay struct {
	Target Target
	Token  string        // the bearer token
	Run    string        // letters and digits that no other run has, and that no recorded text holds
	Each   func(Outcome) // called after each step
}

// An Outcome is what came of a step.
type Outcome struct {
	Step Step
	Got  Answer   // with the names and ids of the recording
	Diff []string // how it differs from what is expected, a line each
}

// Play plays a conversation to its end, whatever is answered, and returns the number of steps that differ. An error
// means that the server could not be reached, or that something it holds now could not be deleted.
func (r *Replay) Play(ctx context.Context, c Conversation) (differ int, err error) {
	s := &session{replay: r, names: namesOf(c, r.Run), ids: map[string]string{}}
	for _, step := range c.Steps {
		var got Answer
		if got, err = r.Target(ctx, s.outgoing(step.Event)); err != nil {
			err = fmt.Errorf("%s %s: %w", c.Name(), step.Name, err)
			break
		}
		s.learn(step, got)
		o := Outcome{Step: step, Got: s.incoming(got)}
		if o.Diff = differences(step, o.Got); len(o.Diff) > 0 {
			differ++
		}
		if r.Each != nil {
			r.Each(o)
		}
	}
	return differ, errors.Join(err, s.clean(ctx, c))
}

// PlayAll plays conversations one after another and writes its progress, the differences and a summary to w. It stops
// at the first error.
func (r Replay) PlayAll(ctx context.Context, w io.Writer, conversations []Conversation) (differ int, err error) {
	steps := 0
	r.Each = func(o Outcome) {
		steps++
		mark := "ok  "
		if len(o.Diff) > 0 {
			mark = "DIFF"
		}
		fmt.Fprintf(w, "  %s %-6s %d  %s\n", mark, o.Step.Event.HTTPMethod, o.Got.Status, o.Step.Name)
		for _, line := range o.Diff {
			fmt.Fprintf(w, "         %s\n", line)
		}
	}
	for _, c := range conversations {
		fmt.Fprintln(w, c.Name())
		n, err := r.Play(ctx, c)
		differ += n
		if err != nil {
			return differ, err
		}
	}
	fmt.Fprintf(w, "%d conversations, %d steps, %d differ\n", len(conversations), steps, differ)
	return differ, nil
}

// session is what is known of a conversation while it is played.
type session struct {
	replay  *Replay
	names   names
	ids     map[string]string // recorded → given by this server
	created []string          // paths of what is to be deleted
}

// outgoing is a recorded event as this server is to get it.
func (s *session) outgoing(e events.APIGatewayProxyRequest) events.APIGatewayProxyRequest {
	if auth := http.Header(e.MultiValueHeaders).Get("Authorization"); auth != "" && auth != WrongToken {
		e.Headers, e.MultiValueHeaders = maps.Clone(e.Headers), maps.Clone(e.MultiValueHeaders)
		if e.Headers != nil {
			e.Headers["Authorization"] = "Bearer " + s.replay.Token
		}
		e.MultiValueHeaders["Authorization"] = []string{"Bearer " + s.replay.Token}
	}
	swap := pairs(s.ids, false)
	e.Path = swap.Replace(e.Path)
	e.RequestContext.Path = swap.Replace(e.RequestContext.Path)
	e.Body = s.names.add(swap.Replace(e.Body))
	e.PathParameters = mapValues(e.PathParameters, swap.Replace)
	text := func(v string) string { return s.names.add(swap.Replace(v)) }
	e.QueryStringParameters = mapValues(e.QueryStringParameters, text)
	e.MultiValueQueryStringParameters = mapValues(e.MultiValueQueryStringParameters, func(values []string) []string {
		mapped := make([]string, len(values))
		for i, v := range values {
			mapped[i] = text(v)
		}
		return mapped
	})
	return e
}

func mapValues[V any](m map[string]V, f func(V) V) map[string]V {
	m = maps.Clone(m)
	for k, v := range m {
		m[k] = f(v)
	}
	return m
}

// incoming is an answer as it would have been recorded.
func (s *session) incoming(a Answer) Answer {
	swap := pairs(s.ids, true)
	a.Body = []byte(s.names.remove(swap.Replace(string(a.Body))))
	a.Header = a.Header.Clone()
	for name, values := range a.Header {
		for i, v := range values {
			a.Header[name][i] = swap.Replace(v)
		}
	}
	return a
}

func pairs(ids map[string]string, back bool) *strings.Replacer {
	var list []string
	for recorded, given := range ids {
		if back {
			recorded, given = given, recorded
		}
		list = append(list, recorded, given)
	}
	return strings.NewReplacer(list...)
}

// learn notes what a step created or deleted.
func (s *session) learn(step Step, got Answer) {
	path := pairs(s.ids, false).Replace(step.Event.Path)
	switch {
	case step.Event.HTTPMethod == http.MethodPost && got.Status == http.StatusCreated:
		given := id(got.Body)
		if given == "" {
			return
		}
		s.created = append(s.created, strings.TrimSuffix(path, "/")+"/"+given)
		if recorded := id(step.Want.Body); recorded != "" {
			s.ids[recorded] = given
		}
	case step.Event.HTTPMethod == http.MethodDelete && got.Status == http.StatusNoContent:
		for i, p := range s.created {
			if p == path {
				s.created = append(s.created[:i:i], s.created[i+1:]...)
				return
			}
		}
	}
}

func id(body []byte) string {
	var resource struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(body, &resource) != nil {
		return ""
	}
	return resource.ID
}

// clean deletes what the conversation created, the last first, also if ctx has ended.
func (s *session) clean(ctx context.Context, c Conversation) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	var left []string
	for i := len(s.created) - 1; i >= 0; i-- {
		e := events.APIGatewayProxyRequest{
			HTTPMethod:        http.MethodDelete,
			Path:              s.created[i],
			MultiValueHeaders: map[string][]string{"Authorization": {"Bearer " + s.replay.Token}},
			RequestContext:    c.Steps[0].Event.RequestContext,
		}
		e.RequestContext.HTTPMethod, e.RequestContext.Path = e.HTTPMethod, e.Path
		got, err := s.replay.Target(ctx, e)
		if err != nil || got.Status != http.StatusNoContent && got.Status != http.StatusNotFound {
			left = append(left, s.created[i])
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("%s: left behind: %s", c.Name(), strings.Join(left, ", "))
	}
	return nil
}
