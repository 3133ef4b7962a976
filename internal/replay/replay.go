// Package replay plays recorded conversations with a SCIM server and compares each response with the recorded one. A
// conversation is a folder of API Gateway events and expected responses. The package runs against any server, including
// one in use. It has no storage, reads no environment, and does not configure the server.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// A Replay plays conversations against a server that may be in use, any number of times:
//
//   - userNames, externalIds and display names of groups, and whatever equals one of them, get a suffix of this run, in
//     bodies and filters, and must come back with it;
//   - the id that the server gives where an id was recorded stands for that one from then on;
//   - the recorded token is replaced, unless it is "wrong";
//   - what a conversation created is deleted at its end, however that comes about.
type Player struct {
	Target    Target
	Token     string           // the bearer token
	RunSuffix string           // letters and digits that no other run has, and that no recorded text holds
	OnStep    func(StepResult) // called after each step
}

// An Outcome is what came of a step.
type StepResult struct {
	Step Step
	Got  Response // with the names and ids of the recording
	Diff []string // how it differs from what is expected, a line each, with this run's names and this server's ids
}

// Play plays a conversation to its end, whatever is answered, and returns the number of steps that differ. It stops
// between steps when ctx ends. An error means that it did, that the server could not be reached, or that something is
// left behind or may be.
func (r *Player) Play(ctx context.Context, c Conversation) (differ int, err error) {
	s := newSession(r, c)
	for _, step := range c.Steps {
		var o StepResult
		if err = ctx.Err(); err == nil {
			o, err = s.play(ctx, step)
		}
		if err != nil {
			err = fmt.Errorf("%s %s: %w", c.Name(), step.Name, err)
			break
		}
		if len(o.Diff) > 0 {
			differ++
		}
		if r.OnStep != nil {
			r.OnStep(o)
		}
	}
	return differ, errors.Join(err, s.deleteCreated(ctx, c))
}

// PlayAll plays conversations one after another and writes its progress, the differences and a summary to w. It stops
// at the first error.
func (r Player) PlayAll(ctx context.Context, w io.Writer, conversations []Conversation) (differ int, err error) {
	steps := 0
	r.OnStep = func(o StepResult) {
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
