// Package replay plays recorded conversations against a SCIM server and compares each response with the expected one. A
// conversation is a folder of API Gateway events and expected responses. The server may be in use: a Player changes only
// the resources that it creates, and deletes them at the end. The package reads no environment and starts no server. Begin
// with [LoadConversations] and [Player.PlayAll].
package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
)

// A Player plays conversations against a server, any number of times and also while the server is in use:
//
//   - It adds the suffix of the run to each userName, externalId, and displayName of a group, and to every string that
//     is equal to one of them, in bodies and filters. The responses must contain the names with the suffix.
//   - It replaces each recorded ID by the ID that the server assigned.
//   - It replaces the recorded token by Token, unless the recorded token is "wrong".
//   - It deletes the resources that a conversation created when the conversation ends, also after an error.
//
// A Player is safe for concurrent use if Target and OnStep are.
type Player struct {
	Target    Target
	Token     string           // the bearer token
	RunSuffix string           // letters and digits that no other run uses and no recorded text contains; "" adds none
	OnStep    func(StepResult) // called after each step, unless nil
	Progress  io.Writer        // a terminal on which PlayAll draws how many steps are done; nil: nothing is drawn
}

// Play plays all steps of a conversation and returns the number of steps whose responses differ. A difference does not stop
// the conversation. When ctx ends, Play stops before the next step. It returns an error if ctx ended, the server could not
// be reached, or a response is 401 and should not be. It also returns
// an error if a resource that it created may still exist.
func (r *Player) Play(ctx context.Context, c Conversation) (differing int, err error) {
	s := newSession(r.Target, r.Token, collectNames(c, r.RunSuffix))
	for _, step := range c.Steps {
		var result StepResult
		if err = ctx.Err(); err == nil {
			result, err = s.play(ctx, step)
		}
		if err == nil {
			err = checkToken(result)
		}
		if err != nil {
			err = fmt.Errorf("%s %s: %w", c.Name(), step.Name, err)
			break
		}
		if len(result.Diff) > 0 {
			differing++
		}
		if r.OnStep != nil {
			r.OnStep(result)
		}
	}
	return differing, errors.Join(err, s.deleteCreated(ctx, c))
}

// A rejectedTokenError reports that the server has answered 401 to a request with Token.
type rejectedTokenError struct{ detail string }

func (e *rejectedTokenError) Error() string {
	return fmt.Sprintf("the server rejected the token with 401 (%s); use a valid token", e.detail)
}

// checkToken returns an error if the response is an unexpected 401. All further steps would get it too.
func checkToken(result StepResult) error {
	if result.Got.Status != http.StatusUnauthorized || result.Step.Want.Status == http.StatusUnauthorized {
		return nil
	}
	var body struct{ Detail string }
	if json.Unmarshal(result.Got.Body, &body) != nil || body.Detail == "" {
		body.Detail = "without a detail"
	}
	return &rejectedTokenError{fmt.Sprintf("%.200s", strings.Join(strings.Fields(body.Detail), " "))} // in one line
}

// PlayAll plays conversations one after another and returns the number of steps whose responses differ. It writes each
// folder, its steps, their differences, and a summary to w. PlayAll stops at the first error.
func (r Player) PlayAll(ctx context.Context, w io.Writer, conversations []Conversation) (differing int, err error) {
	p := progress{w: r.Progress}
	for _, c := range conversations {
		p.total += len(c.Steps)
	}
	defer p.clear()
	for _, c := range conversations {
		p.draw(c)
		first := true
		r.OnStep = func(result StepResult) {
			p.clear()
			if first {
				fmt.Fprintln(w, filepath.ToSlash(c.Dir))
			}
			first = false
			writeStep(w, result)
			p.done++
			p.draw(c)
		}
		n, err := r.Play(ctx, c)
		differing += n
		if err != nil {
			return differing, err
		}
	}
	p.clear()
	fmt.Fprintf(w, "%d conversations, %d steps, %d differ\n", len(conversations), p.done, differing)
	return differing, nil
}

func writeStep(w io.Writer, result StepResult) {
	mark := "ok  "
	if len(result.Diff) > 0 {
		mark = "DIFF"
	}
	fmt.Fprintf(w, "  %s %-6s %d  %s\n", mark, result.Step.Event.HTTPMethod, result.Got.Status, result.Step.Name)
	for _, line := range result.Diff {
		fmt.Fprintf(w, "         %s\n", line)
	}
}
