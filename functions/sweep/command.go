package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"serverless-scim/internal/admin"
	"serverless-scim/internal/directory"
	"serverless-scim/internal/fsck"
	"serverless-scim/internal/token"
)

const (
	deadlineReserve  = 5 * time.Second  // time before Lambda's deadline that is kept free for the response
	committedWarnAge = 10 * time.Minute // age from which an unfinished committed change or delete is logged as a warning
	preparedWarnAge  = 30 * time.Minute // age from which a prepared change that is not aborted is logged as a warning
	maxReportedLines = 1000             // fsck lines in a response, which Lambda limits to 6 MB
)

// command is the command of an event.
type command struct {
	Command string `json:"command"` // "" is a sweep
	Tenant  string `json:"tenant"`  // only for fsck; "" is the whole table
	Repair  bool   `json:"repair"`  // only for fsck
}

type handler struct{ directory.Config }

// handle executes the command of an event and returns its result.
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

// parse returns the command of an event. The result is a sweep if the event has no command, as the event of a schedule.
func parse(event json.RawMessage) (command, error) {
	c := command{}
	var probe struct{ Command json.RawMessage }
	if err := json.Unmarshal(event, &probe); err != nil {
		return c, fmt.Errorf("the event is not a JSON object: %w", err)
	}
	if probe.Command == nil {
		return c, nil
	}
	d := json.NewDecoder(bytes.NewReader(event))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, fmt.Errorf("the fields of a command are command and, for fsck, tenant and repair: %w", err)
	}
	switch {
	case c.Command != "sweep" && c.Command != "expire" && c.Command != "fsck":
		return c, fmt.Errorf("unknown command %q; use sweep, expire, or fsck", c.Command)
	case c.Command != "fsck" && c != command{Command: c.Command}:
		return c, fmt.Errorf("%s is for all tenants and accepts neither tenant nor repair", c.Command)
	}
	return c, nil
}

// sweepResult is the result of a sweep, in the log and in the response. Ages are in seconds, 0 if there is no such
// change.
type sweepResult struct {
	Changes int `json:"changes"` // changes that the sweep finished
	Deletes int `json:"deletes"` // deletes that the sweep finished
	Aborted int `json:"aborted"` // prepared changes that the sweep aborted
	Left    int `json:"left"`    // changes and deletes that remain unfinished
	Oldest  int `json:"oldest"`  // age of the oldest unfinished committed change or delete
	Waiting int `json:"waiting"` // age of the oldest unfinished prepared change
}

// LogValue implements slog.LogValuer.
func (s sweepResult) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("changes", s.Changes), slog.Int("deletes", s.Deletes), slog.Int("aborted", s.Aborted),
		slog.Int("left", s.Left), slog.Int("oldest", s.Oldest), slog.Int("waiting", s.Waiting))
}

func (h handler) sweep(ctx context.Context) (any, error) {
	ctx, cost := directory.MeasureUsage(ctx)
	s, err := directory.Sweep(ctx, h.Config.Store)
	result := sweepResult{s.Changes, s.Deletes, s.Aborted, s.Unfinished,
		int(s.OldestCommitted.Seconds()), int(s.OldestPrepared.Seconds())}
	level := slog.LevelInfo
	if s.OldestCommitted > committedWarnAge || s.OldestPrepared > preparedWarnAge {
		level = slog.LevelWarn
	}
	h.Store.Log.Log(ctx, level, "sweep", "swept", result, "table", cost())
	return result, err
}

// fsckResult is the result of fsck.
type fsckResult struct {
	Findings int      `json:"findings"`
	Clean    bool     `json:"clean"` // no findings
	Lines    []string `json:"lines"` // the first maxReportedLines findings
}

func (h handler) fsck(ctx context.Context, c command) (any, error) {
	ctx, cost := directory.MeasureUsage(ctx)
	result := fsckResult{Lines: []string{}}
	check := fsck.Checker{Config: h.Config.Store, Tenant: c.Tenant, Repair: c.Repair, Report: func(f fsck.Finding) {
		h.Store.Log.Warn("fsck finding", "pk", f.Key.PK, "sk", f.Key.SK, "problem", f.Problem, "repaired", f.Repaired,
			"reason", f.Reason)
		if len(result.Lines) < maxReportedLines {
			result.Lines = append(result.Lines, f.String())
		}
	}}
	s, err := fsck.Summary{}, h.requireTenant(ctx, c.Tenant)
	if err == nil {
		s, err = check.RunExclusive(ctx)
	}
	log, level := h.Store.Log, slog.LevelInfo
	if err != nil {
		// The caller of an asynchronous invocation does not get the error.
		log, level = log.With("error", err), slog.LevelError
	}
	log.Log(ctx, level, "fsck", "tenant", c.Tenant, "repair", c.Repair, "findings", s.Findings, "repaired", s.Repaired,
		"items", s.Items, "tenants", s.Tenants, "table", cost())
	switch {
	case err != nil && s == fsck.Summary{}:
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("the check is incomplete, with %d findings so far: %w", s.Findings, err)
	}
	result.Findings, result.Clean = s.Findings, s.Findings == 0
	return result, nil
}

// requireTenant returns an error if no tenant has the name. The name "" stands for all tenants.
func (h handler) requireTenant(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	tenants := token.Store{Table: h.Store.Table, Now: h.Store.Now}
	_, err := tenants.Tenant(ctx, name)
	if errors.Is(err, token.ErrNoTenant) {
		return fmt.Errorf("the tenant %q does not exist; list the tenants with list-tenants of AdminFunction", name)
	}
	return err
}
