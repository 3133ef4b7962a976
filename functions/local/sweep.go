package main

import (
	"context"
	"time"

	"serverless-scim/internal/admin"
	"serverless-scim/internal/directory"
)

// sweepLoop finishes what requests left unfinished: at once, and then every minute, until the context ends. Every hour it
// looks at what ends.
func sweepLoop(ctx context.Context, c directory.Config) {
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		sweepOnce(ctx, c)
		if n%60 == 0 {
			expireOnce(ctx, c)
		}
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
	case did != directory.SweepResult{}:
		c.Log.InfoContext(ctx, "sweep", "changes", did.Changes, "deletes", did.Deletes, "aborted", did.Aborted,
			"left", did.Unfinished, "oldest", did.OldestCommitted, "waiting", did.OldestPrepared)
	}
}

func expireOnce(ctx context.Context, c directory.Config) {
	if _, err := admin.New(c).Expire(ctx); err != nil && ctx.Err() == nil {
		c.Log.ErrorContext(ctx, "expire", "error", err)
	}
}
