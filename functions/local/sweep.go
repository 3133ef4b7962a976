package main

import (
	"context"
	"time"

	"serverless-scim/internal/directory"
)

// sweep finishes what requests left unfinished: at once, and then every minute, until the context ends.
func sweep(ctx context.Context, c directory.Config) {
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	for ctx.Err() == nil {
		sweepOnce(ctx, c)
		select {
		case <-minute.C:
		case <-ctx.Done():
		}
	}
}

// sweepOnce tells of a sweep if it had something to do. Whatever goes wrong in it is left to the next.
func sweepOnce(ctx context.Context, c directory.Config) {
	defer func() {
		if p := recover(); p != nil {
			c.Log.ErrorContext(ctx, "sweep", "panic", p)
		}
	}()
	did, err := directory.Sweep(ctx, c)
	switch {
	case err != nil && ctx.Err() == nil:
		c.Log.ErrorContext(ctx, "sweep", "error", err)
	case did != directory.Swept{}:
		c.Log.InfoContext(ctx, "sweep", "changes", did.Changes, "deletes", did.Deletes, "aborted", did.Aborted,
			"left", did.Left, "oldest", did.Oldest, "waiting", did.Waiting)
	}
}
