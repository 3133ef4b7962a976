package eventbridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/feed"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

func TestEventDescribesChange(t *testing.T) {
	t.Parallel()
	b, e := scripted(t, accept)
	entry := newEntry("u1", feed.Deactivated, feed.Updated)
	if err := b.Send(t.Context(), "acme", []feed.ResourceChange{entry}); err != nil {
		t.Fatal(err)
	}
	got := e.sent()[0][0]
	detail, _ := json.Marshal(feed.NewEvent("acme", entry, nil))
	if got.EventBusName != "bus" || got.Source != "serverless-scim" || got.DetailType != "user.deactivated" ||
		strings.Join(got.Resources, " ") != "scim:acme/Users/u1" || got.Detail != string(detail) || got.Time != 1777863721.987 {
		t.Errorf("the event is %+v", got)
	}
}

// Without Render, an event contains no value. With Render, it contains the resource, unless that is deleted.
func TestOnlyRenderedEventsContainValues(t *testing.T) {
	t.Parallel()
	entries := []feed.ResourceChange{newEntry("u1", feed.Created), newEntry("u2", feed.Updated), newEntry("u3", feed.Deleted)}
	notices, e := scripted(t, accept)
	full, f := scripted(t, accept)
	full.Render = renderOf(nil)
	if err := errors.Join(notices.Send(t.Context(), "acme", entries), full.Send(t.Context(), "acme", entries)); err != nil {
		t.Fatal(err)
	}
	for i, notice := range e.sent()[0] {
		rendered := f.sent()[0][i]
		if strings.Contains(fmt.Sprint(notice), secret) || strings.Contains(notice.Detail, `"resource":`) {
			t.Errorf("the notice has values: %s", notice.Detail)
		}
		if got, want := strings.Contains(rendered.Detail, secret), entries[i].State.Head != nil; got != want {
			t.Errorf("that the full event has values is %t, want %t: %s", got, want, rendered.Detail)
		}
		if got, want := strings.Contains(rendered.Detail, feed.CreateFull), i == 0; got != want {
			t.Errorf("that the full event is of the type %s is %t, want %t", feed.CreateFull, got, want)
		}
	}
}

// A resource that cannot be rendered, or that makes the event too large, does not stop the event.
func TestEventsWithoutRenderedResourceAreNotices(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		resource json.RawMessage
		err      error
		wantLog  bool
	}{
		"error":        {nil, errors.New("corrupt document"), true},
		"invalid JSON": {json.RawMessage("{"), nil, true},
		"none":         {nil, nil, false},
		"too large":    {json.RawMessage(`"` + strings.Repeat("x", maxCallBytes) + `"`), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, e := scripted(t, accept)
			b.Render = func(_ context.Context, tenant string, r store.ResourceState) (json.RawMessage, error) {
				if tenant != "acme" || r.ID != "u1" {
					return renderOf(nil)(t.Context(), tenant, r)
				}
				return test.resource, test.err
			}
			if err := b.Send(t.Context(), "acme", newEntries(3)); err != nil {
				t.Fatal(err)
			}
			e.wantCalls(t, "u0 u1 u2")
			notice, _ := json.Marshal(feed.NewEvent("acme", newEntries(3)[1], nil))
			if got := e.sent()[0][1].Detail; got != string(notice) {
				t.Errorf("the detail is %.300s, want %s", got, notice)
			}
			log := e.log.String()
			if logged := strings.Contains(log, "level=ERROR") && strings.Contains(log, "resourceId=u1"); logged != test.wantLog {
				t.Errorf("the log is %q", log)
			}
		})
	}
}

func TestTransientErrorOfRenderEndsSend(t *testing.T) {
	t.Parallel()
	b, e := scripted(t, accept)
	b.Render = func(context.Context, string, store.ResourceState) (json.RawMessage, error) {
		return nil, &table.TransientError{Err: errors.New("throttled")}
	}
	if err := b.Send(t.Context(), "acme", newEntries(1)); !table.IsTransient(err) || len(e.sent()) > 0 {
		t.Errorf("%v after %d calls", err, len(e.sent()))
	}
}

func TestCallsHaveAtMostTenEventsInOrder(t *testing.T) {
	t.Parallel()
	b, e := scripted(t, accept)
	ctx, counts := WithCounts(t.Context())
	if err := b.Send(ctx, "acme", newEntries(23)); err != nil {
		t.Fatal(err)
	}
	e.wantCalls(t, "u0 u1 u2 u3 u4 u5 u6 u7 u8 u9", "u10 u11 u12 u13 u14 u15 u16 u17 u18 u19", "u20 u21 u22")
	if got := counts(); got != (Counts{Accepted: 23}) {
		t.Errorf("the counts are %+v", got)
	}
	if err := b.Send(t.Context(), "acme", nil); err != nil || len(e.sent()) != 3 {
		t.Errorf("%v, and a call without events", err)
	}
}

func TestCallsHaveAtMostOneMegabyte(t *testing.T) {
	t.Parallel()
	b, e := scripted(t, accept)
	b.Render = renderOf(map[string]int{"u1": 400_000, "u2": 500_000, "u3": 500_000, "u5": 949_000})
	if err := b.Send(t.Context(), "acme", newEntries(6)); err != nil {
		t.Fatal(err)
	}
	e.wantCalls(t, "u0 u1 u2", "u3 u4", "u5")
	for _, call := range e.sent() {
		size := 0
		for _, entry := range call {
			size += 14 + len(entry.Source) + len(entry.DetailType) + len(entry.Detail) + len(entry.Resources[0])
			if !strings.Contains(entry.Detail, secret) {
				t.Errorf("%s is a notice", entry.id())
			}
		}
		if size > maxCallBytes {
			t.Errorf("a call has %d bytes", size)
		}
	}
}

func TestOnlyFailedEventsAreSentAgain(t *testing.T) {
	t.Parallel()
	b, e := scripted(t,
		results(map[string]string{"u1": "ThrottlingException", "u4": "InternalFailure", "u9": "ThrottlingException"}),
		results(map[string]string{"u4": "InternalException"}), accept)
	ctx, counts := WithCounts(t.Context())
	if err := b.Send(ctx, "acme", newEntries(12)); err != nil {
		t.Fatal(err)
	}
	e.wantCalls(t, "u0 u1 u2 u3 u4 u5 u6 u7 u8 u9", "u1 u4 u9", "u4", "u10 u11")
	if first, last := e.sent()[0][4].Detail, e.sent()[2][0].Detail; first != last || first == "" {
		t.Errorf("the details of two attempts are\n%s\n%s", first, last)
	}
	if got := counts(); got != (Counts{Accepted: 12}) {
		t.Errorf("the counts are %+v", got)
	}
}

func TestCallsThatFailAreRepeated(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]response{
		"throttled":           fail(400, "ThrottlingException"),
		"429":                 fail(429, "AnyName"),
		"500":                 fail(500, "AnyName"),
		"internal":            fail(400, "InternalException"),
		"timed out":           fail(400, "RequestTimeout"),
		"503":                 fail(503, "ServiceUnavailable"),
		"408":                 fail(408, "AnyName"),
		"connection closed":   closeConnection,
		"incomplete response": sendPart,
		"no JSON":             raw("<html>"),
		"no results":          raw("{}"),
		"empty results":       raw(`{"Entries":[{},{}]}`),
		"no response":         neverRespond,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, e := scripted(t, first, first, accept)
			if name == "no response" {
				b.Timeout = 50 * time.Millisecond
			}
			ctx, counts := WithCounts(t.Context())
			if err := b.Send(ctx, "acme", newEntries(2)); err != nil {
				t.Fatal(err)
			}
			e.wantCalls(t, "u0 u1", "u0 u1", "u0 u1")
			if got := counts(); got != (Counts{Accepted: 2}) {
				t.Errorf("the counts are %+v", got)
			}
		})
	}
}

func TestDelaysBetweenAttemptsGrow(t *testing.T) {
	t.Parallel()
	b, _ := scripted(t, fail(400, "ThrottlingException"), results(map[string]string{"u0": "ThrottlingException"}), closeConnection, accept)
	var bounds []int64
	b.Backoff.Rand = func(n int64) int64 { bounds = append(bounds, n/1e6); return 0 }
	if err := b.Send(t.Context(), "acme", newEntries(2)); err != nil || !slices.Equal(bounds, []int64{25, 50, 100}) {
		t.Errorf("%v; the delays have the bounds %v ms", err, bounds)
	}
}

func TestDeadlineEndsRetries(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]response{
		"call":  fail(400, "ThrottlingException"),
		"event": results(map[string]string{"u1": "ThrottlingException"}),
		"none":  neverRespond,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, e := scripted(t, r)
			b.Backoff = table.Backoff{}
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			var transient *table.TransientError
			if err := b.Send(ctx, "acme", newEntries(3)); !errors.As(err, &transient) {
				t.Errorf("the error is %v", err)
			}
			<-ctx.Done()
			before := len(e.sent())
			if err := b.Send(ctx, "acme", newEntries(3)); !errors.As(err, &transient) || len(e.sent()) != before {
				t.Errorf("after the deadline: %v and %d calls", err, len(e.sent())-before)
			}
		})
	}
}

func TestUnreachableEndpointIsTransient(t *testing.T) {
	t.Parallel()
	b, e := scripted(t, accept)
	e.Close()
	attempts := 0
	b.Backoff.Sleep = func(context.Context, time.Duration) error {
		if attempts++; attempts > 2 {
			return context.Canceled
		}
		return nil
	}
	if err := b.Send(t.Context(), "acme", newEntries(1)); !table.IsTransient(err) || attempts != 3 {
		t.Errorf("%v after %d attempts", err, attempts)
	}
}

// An operator must correct these errors, so the events wait.
func TestErrorsOfTheBusStopTheFeed(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]response{
		"denied":           fail(400, "AccessDeniedException"),
		"no such bus":      fail(400, "ResourceNotFoundException"),
		"expired":          fail(403, "ExpiredTokenException"),
		"invalid":          fail(400, "ValidationException"),
		"event denied":     results(map[string]string{"u1": "ThrottlingException", "u2": "AccessDeniedException", "u3": "ThrottlingException"}),
		"source denied":    results(map[string]string{"u2": "NotAuthorizedForSourceException"}),
		"type denied":      results(map[string]string{"u2": "NotAuthorizedForDetailTypeException"}),
		"no such account":  results(map[string]string{"u2": "InvalidAccountIdException"}),
		"no bus for event": results(map[string]string{"u2": "ResourceNotFoundException"}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, e := scripted(t, r)
			b.Render = renderOf(nil)
			err := b.Send(t.Context(), "acme", newEntries(12))
			if err == nil || table.IsTransient(err) || !strings.HasPrefix(err.Error(), "eventbridge: ") {
				t.Errorf("the error is %v", err)
			}
			if n := len(e.sent()); n != 1 && name != "invalid" {
				t.Errorf("%d calls, want 1", n)
			}
		})
	}
}

// An event that EventBridge rejects must not stop the others.
func TestRejectedEventsAreSkipped(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"MalformedDetail", "InvalidArgument", "RedactionFailure", "AnyNewName"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			b, e := scripted(t, results(map[string]string{"u1": code, "u2": "ThrottlingException"}), accept)
			ctx, counts := WithCounts(t.Context())
			if err := b.Send(ctx, "acme", newEntries(4)); err != nil {
				t.Fatal(err)
			}
			e.wantCalls(t, "u0 u1 u2 u3", "u2")
			if got := counts(); got != (Counts{Accepted: 3, Rejected: 1}) {
				t.Errorf("the counts are %+v", got)
			}
			entry := newEntry("u1", feed.Updated)
			for _, want := range []string{"level=ERROR", "tenant=acme", "changeId=" + entry.EventID("acme"), "resourceId=u1", code} {
				if log := e.log.String(); !strings.Contains(log, want) || strings.Count(log, "\n") != 1 || strings.Contains(log, secret) {
					t.Errorf("%s is missing in the log:\n%s", want, log)
				}
			}
		})
	}
}

func TestRejectedEventWithResourceIsSentWithoutIt(t *testing.T) {
	t.Parallel()
	rejected := results(map[string]string{"u1": "InvalidArgument"})
	b, e := scripted(t, rejected, rejected, accept)
	b.Render = renderOf(nil)
	ctx, counts := WithCounts(t.Context())
	if err := b.Send(ctx, "acme", newEntries(3)); err != nil {
		t.Fatal(err)
	}
	e.wantCalls(t, "u0 u1 u2", "u1")
	if strings.Contains(e.sent()[1][0].Detail, secret) || counts() != (Counts{Accepted: 2, Rejected: 1}) {
		t.Errorf("%s; the counts are %+v", e.sent()[1][0].Detail, counts())
	}
}

// Where EventBridge still has its old limit of 256 KB, large calls are divided, and large resources are omitted.
func TestCallsAboveALowerLimitAreDivided(t *testing.T) {
	t.Parallel()
	for name, tooLarge := range map[string]response{
		"invalid": fail(400, "ValidationException"), "413": fail(413, "RequestEntityTooLargeException"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, e := scripted(t, limit(250_000, tooLarge))
			b.Render = renderOf(map[string]int{"u0": 200_000, "u1": 300_000, "u2": 100_000, "u3": 100_000})
			ctx, counts := WithCounts(t.Context())
			if err := b.Send(ctx, "acme", newEntries(4)); err != nil {
				t.Fatal(err)
			}
			e.wantCalls(t, "u0 u1 u2 u3", "u0 u1", "u0", "u1", "u1", "u2 u3")
			if calls := e.sent(); strings.Contains(calls[4][0].Detail, secret) || !strings.Contains(calls[5][1].Detail, secret) {
				t.Error("another event than u1 was sent without its resource")
			}
			if got := counts(); got != (Counts{Accepted: 4}) {
				t.Errorf("the counts are %+v", got)
			}
		})
	}
}
