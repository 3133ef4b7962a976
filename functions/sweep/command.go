package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"serverless-scim/internal/admin"
	"serverless-scim/internal/directory"
)

const (
	deadlineReserve  = 5 * time.Second  // of Lambda's time is left to end in
	committedWarnAge = 10 * time.Minute // a change or a delete that has taken effect so long ago should have been finished
	preparedWarnAge  = 30 * time.Minute // … and one that was only prepared should have been aborted
	maxReportedLines = 1000             // of fsck in an answer, which Lambda limits to 6 MB
)

// command is what an event asks for.
type command struct {
	Command string `json:"command"`
	Tenant  string `json:"tenant"` // of fsck; empty: all
	Repair  bool   `json:"repair"` // of fsck
}

type handler struct{ directory.Config }

// handle answers an event with what was done.
func (h handler) handle(ctx context.Context, event json.RawMessage) (any, error) {
	c, err := parse(event)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-deadlineReserve))
		defer cancel()
	}
	switch c.Command {
	case "fsck":
		return h.fsck(ctx, c)
	case "expire":
		return admin.New(h.Config).Expire(ctx)
	default:
		return h.sweep(ctx)
	}
}

// parse finds the command in an event. The event of a schedule has none, and is one to sweep.
func parse(event json.RawMessage) (command, error) {
	c := command{}
	var named struct{ Command json.RawMessage }
	if err := json.Unmarshal(event, &named); err != nil {
		return c, fmt.Errorf("the event is no JSON object: %w", err)
	}
	if named.Command == nil {
		return c, nil
	}
	d := json.NewDecoder(bytes.NewReader(event))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, fmt.Errorf("a command has the fields command and, for fsck, tenant and repair: %w", err)
	}
	switch {
	case c.Command != "sweep" && c.Command != "expire" && c.Command != "fsck":
		return c, fmt.Errorf("there is no command %q, only sweep, expire and fsck", c.Command)
	case c.Command != "fsck" && c != command{Command: c.Command}:
		return c, fmt.Errorf("%s takes neither tenant nor repair: it is about all tenants", c.Command)
	}
	return c, nil
}

// sweepResult is what a sweep did, in the log and in the answer. Ages are in seconds.
type sweepResult struct {
	Changes int `json:"changes"` // finished
	Deletes int `json:"deletes"` // finished
	Aborted int `json:"aborted"` // changes that had not taken effect
	Left    int `json:"left"`    // still unfinished
	Oldest  int `json:"oldest"`  // age of the oldest change or delete that has taken effect and is left
	Waiting int `json:"waiting"` // age of the oldest change that is only prepared and is left
}

// LogValue is slog.LogValuer's.
func (s sweepResult) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("changes", s.Changes), slog.Int("deletes", s.Deletes), slog.Int("aborted", s.Aborted),
		slog.Int("left", s.Left), slog.Int("oldest", s.Oldest), slog.Int("waiting", s.Waiting))
}

func (h handler) sweep(ctx context.Context) (any, error) {
	ctx, cost := directory.MeasureUsage(ctx)
	s, err := directory.Sweep(ctx, h.Config)
	did := sweepResult{s.Changes, s.Deletes, s.Aborted, s.Unfinished, int(s.OldestCommitted.Seconds()), int(s.OldestPrepared.Seconds())}
	level := slog.LevelInfo
	if s.OldestCommitted > committedWarnAge || s.OldestPrepared > preparedWarnAge {
		level = slog.LevelWarn
	}
	h.Log.Log(ctx, level, "sweep", "swept", did, "table", cost())
	return did, err
}

// fsckResult is what fsck found: all findings are counted, and the first of them are told.
type fsckResult struct {
	Findings int      `json:"findings"`
	Clean    bool     `json:"clean"`
	Lines    []string `json:"lines"`
}

func (h handler) fsck(ctx context.Context, c command) (any, error) {
	ctx, cost := directory.MeasureUsage(ctx)
	found := fsckResult{Lines: []string{}}
	check := directory.Checker{Config: h.Config, Tenant: c.Tenant, Repair: c.Repair, Report: func(line string) {
		if len(found.Lines) < maxReportedLines {
			found.Lines = append(found.Lines, line)
		}
	}}
	findings, err := check.Run(ctx)
	h.Log.Info("fsck", "tenant", c.Tenant, "repair", c.Repair, "findings", findings, "table", cost())
	if err != nil {
		return nil, fmt.Errorf("not everything was checked, and there are %d findings up to here: %w", findings, err)
	}
	found.Findings, found.Clean = findings, findings == 0
	return found, nil
}
