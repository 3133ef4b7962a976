package token

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"serverless-scim/internal/table"
)

const (
	windowSeconds    = 10   // length of a window
	minReport        = 5    // fewest unreported requests that are worth a report
	maxTrackedTokens = 1000 // tokens whose counts a Limiter keeps in memory
)

// A Limiter limits the requests per second of each token, across all instances that share a table. It counts requests
// in windows of ten seconds, and a window admits ten times the limit per second. It is safe for concurrent use.
//
// An instance counts the requests that it admits. It reports them to the token's counter item, and reads there how many
// requests the other instances have reported. A request makes a report if at least five requests of the window are
// unreported and the last report is at least one second old. So a token with few requests causes no calls to the table.
// A busy token causes two calls per second and instance, and a third at the start of a window. In return, the instances
// together can exceed the limit: each by at most four requests and the requests of one second.
//
// If the table fails, an instance decides by the counts that it has. The limit protects the table, so a failing table
// must not make it reject requests.
type Limiter struct {
	Table table.Table
	Now   func() time.Time
	Log   *slog.Logger

	mu     sync.Mutex
	counts map[table.Key]*windowCount
}

// A windowCount holds what an instance knows about the requests of a token in one window.
type windowCount struct {
	window     int64     // Unix time divided by windowSeconds
	local      int       // admitted by this instance
	reported   int       // part of local that is in the counter item, or in a report under way
	remote     int       // admitted by other instances, as far as they have reported it
	nextReport time.Time // earliest time of the next report; carried over to the next window
	warned     bool      // a failed report has been logged
}

// Allow counts a request. token is the [Identity.RateKey] of the request. Allow returns 0 if the request is admitted.
// Otherwise it returns after how many seconds (1 to 10) the client can try again, and does not count the request. A
// perSecond of 0 or less means no limit.
func (l *Limiter) Allow(ctx context.Context, tenant, token string, perSecond int) (retryAfter int) {
	if perSecond <= 0 {
		return 0
	}
	k := table.Key{PK: counterPartition(tenant), SK: "rate#" + token}
	if c, n := l.takeUnreported(k); n > 0 {
		total, err := l.report(ctx, k, c.window, n)
		if l.mergeReport(c, n, total, err) {
			l.Log.WarnContext(ctx, "cannot count requests", "tenant", tenant, "token", token, "error", err)
		}
	}
	return l.admit(k, perSecond)
}

// takeUnreported returns the number of requests that the caller must report now, or 0. It marks them as reported at
// once, so that concurrent requests do not report them again and do not wait for the report.
func (l *Limiter) takeUnreported(k table.Key) (c *windowCount, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Now()
	c = l.currentWindow(k, now)
	if n = c.local - c.reported; n < minReport || now.Before(c.nextReport) {
		return c, 0
	}
	c.reported, c.nextReport = c.local, now.Add(time.Second)
	return c, n
}

// report adds n requests to the counter item and returns the item's total for the window. total is n if the total
// cannot be read. total is 0 if the requests were not added, or if the item counts another window. The timeout of one
// second is the interval between reports.
func (l *Limiter) report(ctx context.Context, k table.Key, window int64, n int) (total int, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	t := metered(l.Table)
	if err := addToWindow(ctx, t, k, window, int64(n)); err != nil {
		return 0, err
	}
	items, err := t.Get(ctx, nil, k)
	if err != nil {
		return n, err
	}
	if len(items) == 0 || table.IntValue(items[0]["window"]) != window {
		return 0, nil
	}
	return int(table.IntValue(items[0]["n"])), nil
}

// addToWindow adds n requests to the counter item. If the item counts an earlier window, addToWindow starts the new
// window. If the item counts the next window, another instance has moved on, and addToWindow does nothing. A window
// further ahead comes from a wrong clock and is replaced. Conflicts are retried until the deadline of ctx, so the
// caller sets a short one.
func addToWindow(ctx context.Context, t table.Table, k table.Key, window, n int64) error {
	return table.Backoff{}.RetryConflicts(ctx, func() error {
		sameWindow := table.Equals("window", table.N(window))
		err := t.Write(ctx, table.Update{Key: k, Add: table.Item{"n": table.N(n)}, If: []table.Condition{sameWindow}})
		var failed *table.ConditionError
		if !errors.As(err, &failed) {
			return err
		}
		stored, unchanged := failed.Items[0]["window"], table.AttributeNotExists("window")
		if table.IntValue(stored) == window+1 {
			return nil
		}
		if stored != nil {
			unchanged = table.Equals("window", stored)
		}
		item := table.Item{"PK": table.S(k.PK), "SK": table.S(k.SK), "window": table.N(window), "n": table.N(n)}
		return replaceConditionError(table.ErrConflict, t.Write(ctx, table.Put{Item: item, If: []table.Condition{unchanged}}))
	})
}

// mergeReport updates c with the results of a report of n requests. If the requests were not added to the counter item,
// they count as unreported again. warn is true for the first error of a window.
func (l *Limiter) mergeReport(c *windowCount, n, total int, err error) (warn bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && total == 0 {
		c.reported -= n
	}
	c.remote = max(c.remote, total-c.reported)
	warn = err != nil && !c.warned
	c.warned = c.warned || warn
	return warn
}

// admit counts a request if the current window has room for it. Otherwise it returns the seconds until the next window.
func (l *Limiter) admit(k table.Key, perSecond int) (retryAfter int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Now()
	c := l.currentWindow(k, now)
	if c.local+c.remote >= windowSeconds*perSecond {
		return windowSeconds - int(now.Unix()%windowSeconds)
	}
	c.local++
	return 0
}

// currentWindow returns the count of a token in the window of now, a new one if necessary. Before it tracks one token
// too many, it drops the counts of past windows, or all counts if none is of a past window. The caller holds l.mu.
func (l *Limiter) currentWindow(k table.Key, now time.Time) *windowCount {
	c, previous := &windowCount{window: now.Unix() / windowSeconds}, l.counts[k]
	switch {
	case previous != nil && previous.window == c.window:
		return previous
	case previous != nil:
		c.nextReport = previous.nextReport
	case l.counts == nil:
		l.counts = map[table.Key]*windowCount{}
	case len(l.counts) == maxTrackedTokens:
		maps.DeleteFunc(l.counts, func(_ table.Key, old *windowCount) bool { return old.window != c.window })
		if len(l.counts) == maxTrackedTokens {
			clear(l.counts)
		}
	}
	l.counts[k] = c
	return c
}
