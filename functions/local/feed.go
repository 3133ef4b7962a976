package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/feed"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/table/dynamo/streams"
	"serverless-scim/internal/token"
)

// feedInterval is the time between two reads of the table's stream. The change log is at most that far behind.
const feedInterval = 500 * time.Millisecond

// stream returns the stream of a table that openOrCreate has opened.
func (o options) stream(t table.Table) table.Stream {
	if file, ok := t.(*bolt.Table); ok {
		return file
	}
	return streams.New(o.clientConfig(), o.table)
}

// newPublisher returns the publisher of the changes of c. It writes each change to the file of -events, too. The returned
// function closes that file.
func (o options) newPublisher(c directory.Config, tokens *token.Store, base string) (*feed.Publisher, func(), error) {
	p := &feed.Publisher{Store: c.Store, IsActive: tokens.Exists}
	switch o.events {
	case "":
		return p, func() {}, nil
	case "-":
		p.Sinks = append(p.Sinks, newEventWriter(os.Stdout, c, base))
		return p, func() {}, nil
	}
	file, err := os.OpenFile(o.events, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("-events: %w", err)
	}
	p.Sinks = append(p.Sinks, newEventWriter(file, c, base))
	return p, func() { file.Close() }, nil
}

// newEventWriter returns a sink that writes each change as a line of JSON, with the resource.
func newEventWriter(w io.Writer, c directory.Config, base string) feed.Sink {
	return func(ctx context.Context, tenant string, changes []feed.ResourceChange) error {
		withoutMembers, err := scim.NewProjection(c.Store.Types.ResourceTypes, "", "members", nil)
		if err != nil {
			return err
		}
		d := directory.New(c, tenant, base)
		for _, change := range changes {
			resource, err := d.RenderJSON(ctx, change.State, withoutMembers)
			if directory.IsTransient(err) {
				return err
			}
			if err != nil { // the resource is corrupt, and must not stop the feed
				c.Store.Log.ErrorContext(ctx, "event written without the resource", "id", change.ResourceID, "error", err)
			}
			line, err := json.Marshal(feed.NewEvent(tenant, change, resource))
			if err != nil {
				return err
			}
			if _, err := w.Write(append(line, '\n')); err != nil {
				return err
			}
		}
		return nil
	}
}

// feedLoop publishes the records of a stream until ctx ends.
func feedLoop(ctx context.Context, stream table.Stream, p *feed.Publisher) {
	tick := time.NewTicker(feedInterval)
	defer tick.Stop()
	for ctx.Err() == nil {
		publishAll(ctx, stream, p)
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// publishAll publishes the records that the stream has. It logs an error or a panic, because the next call is another
// attempt.
func publishAll(ctx context.Context, stream table.Stream, p *feed.Publisher) {
	defer func() {
		if v := recover(); v != nil {
			p.Store.Log.ErrorContext(ctx, "feed", "panic", v)
		}
	}()
	for more := 1; more > 0; {
		n, err := stream.Receive(ctx, func(ctx context.Context, records []table.Record) error {
			_, err := p.Publish(ctx, records)
			return err
		})
		if more = n; err != nil && ctx.Err() == nil {
			p.Store.Log.ErrorContext(ctx, "feed", "error", err)
		}
	}
}
