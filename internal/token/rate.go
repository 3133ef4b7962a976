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
	windowSeconds    = 10   // seconds of a window
	minReport        = 5    // requests: a call tells no fewer
	maxTrackedTokens = 1000 // tokens that a Limiter remembers
)

// Limiter limits how many requests a second each token has, over all instances that share a table. A window of ten
// seconds has room for ten times as many, and an instance counts what it serves. At most once a second it adds that to
// the token's item, and learns there what others have served: with a request that finds at least five untold ones of
// this window. So a token that is used little costs no calls, and one that is used much two a second for each instance,
// and a third to begin a window; for that, each instance may let pass at most four requests, and what one second
// brings, beyond the room.
//
// When the table fails, an instance goes by what it knows: the limit protects the table, and must not be the outage.
type Limiter struct {
	Table table.Table
	Now   func() time.Time
	Log   *slog.Logger

	mu     sync.Mutex
	counts map[table.Key]*windowCount
}

// windowCount is what an instance knows of the requests of a token in a window.
type windowCount struct {
	window     int64
	local      int       // served here
	reported   int       // of them, those that the item has, or is about to have
	remote     int       // served elsewhere
	nextReport time.Time // when to tell again; also of the window before
	warned     bool
}

// Allow counts a request of a token, given by its id, of a tenant. It returns 0, or how many whole seconds later (1 to
// 10) it is worth trying again; what is refused is not counted. With perSecond 0 or less there is no limit.
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

// takeUnreported is how many requests are to be told now. It takes them for told, so that nobody else tells them.
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

// report adds n requests to those of a window, and returns how many it then has: n if that cannot be read, 0 if they were
// not added or another window is counted. It gives up when the second is over in which nobody else tells.
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

// addToWindow adds n requests to the item of a token, and starts the window in the item if the item counts another one.
// If the item counts the next window, another instance has moved on, and addToWindow does nothing. A window further ahead
// comes from a wrong clock and is replaced. Conflicts are retried until the deadline of ctx, so the caller sets a short one.
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
		return asConditionError(table.ErrConflict, t.Write(ctx, table.Put{Item: item, If: []table.Condition{unchanged}}))
	})
}

// mergeReport takes in what a telling of n requests gave, and says whether to warn.
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

// currentWindow is the count of the window of a time.
func (l *Limiter) currentWindow(k table.Key, now time.Time) *windowCount {
	c, old := &windowCount{window: now.Unix() / windowSeconds}, l.counts[k]
	switch {
	case old != nil && old.window == c.window:
		return old
	case old != nil:
		c.nextReport = old.nextReport
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

// counterPartition is the partition of what is counted of a tenant.
func counterPartition(tenant string) string { return table.EscapeKeyPart(tenant) + "#counter" }

// metered counts each call once, whatever table it is given.
func metered(t table.Table) table.Table {
	if _, already := t.(table.Metered); already {
		return t
	}
	return table.Metered{Table: t}
}
