package main

import (
	"context"
	"time"

	"serverless-scim/internal/admin"
	"serverless-scim/internal/directory"
	"serverless-scim/internal/store"
)

// sweepLoop sweeps the table at once and then every minute, until ctx ends. Every hour it also warns of tokens that
// expire soon and removes tenants that were deleted 30 days ago.
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

// sweepOnce runs one sweep and logs its result, unless it found nothing. It logs an error or a panic, because the next
// sweep is another attempt.
func sweepOnce(ctx context.Context, c directory.Config) {
	defer func() {
		if p := recover(); p != nil {
			c.Store.Log.ErrorContext(ctx, "sweep", "panic", p)
		}
	}()
	result, err := directory.Sweep(ctx, c.Store)
	switch {
	case err != nil && ctx.Err() == nil:
		c.Store.Log.ErrorContext(ctx, "sweep", "error", err)
	case result != store.SweepResult{}:
		c.Store.Log.InfoContext(ctx, "sweep", "changes", result.Changes, "deletes", result.Deletes, "aborted", result.Aborted,
			"left", result.Unfinished, "oldest", result.OldestCommitted, "waiting", result.OldestPrepared)
	}
}

func expireOnce(ctx context.Context, c directory.Config) {
	if _, err := admin.New(c).Expire(ctx); err != nil && ctx.Err() == nil {
		c.Store.Log.ErrorContext(ctx, "expire", "error", err)
	}
}
