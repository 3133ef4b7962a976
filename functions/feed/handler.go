package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/feed"
	"serverless-scim/internal/feed/eventbridge"
	"serverless-scim/internal/table/dynamo"
)

// deadlineReserve is the time before Lambda's deadline that is kept free for the response.
const deadlineReserve = 2 * time.Second

type handler struct{ *feed.Publisher }

// handle publishes the changes of a batch of stream records. After an error, Lambda delivers the batch again.
func (h handler) handle(ctx context.Context, e events.DynamoDBEvent) error {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-deadlineReserve))
		defer cancel()
	}
	ctx, cost := directory.MeasureUsage(ctx)
	ctx, sent := eventbridge.WithCounts(ctx)
	r, err := h.Publish(ctx, dynamo.Records(e))
	attrs := []slog.Attr{slog.Int("records", len(e.Records)), slog.Int("changes", r.Changes),
		slog.Int("duplicates", r.Duplicates), slog.Int("skipped", r.Skipped+sent().Rejected),
		slog.Int("events", sent().Accepted), slog.Any("table", cost())}
	if r.Lag > 0 {
		attrs = append(attrs, slog.Int64("lag", r.Lag.Milliseconds()))
	}
	level := slog.LevelInfo
	if err != nil {
		level, attrs = slog.LevelError, append(attrs, slog.String("error", err.Error()))
	}
	h.Store.Log.LogAttrs(ctx, level, "feed", attrs...)
	return err
}
