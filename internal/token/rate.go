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
	span         = 10   // seconds of a window
	worthTelling = 5    // requests: a call tells no fewer
	maxCounts    = 1000 // tokens that a Limiter remembers
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
	counts map[table.Key]*served
}

// served is what an instance knows of the requests of a token in a window.
type served struct {
	window int64
	own    int       // served here
	told   int       // of them, those that the item has, or is about to have
	others int       // served elsewhere
	next   time.Time // when to tell again; also of the window before
	warned bool
}

// Allow counts a request of a token, given by its id, of a tenant. It returns 0, or how many whole seconds later (1 to
// 10) it is worth trying again; what is refused is not counted. With perSecond 0 or less there is no limit.
func (l *Limiter) Allow(ctx context.Context, tenant, token string, perSecond int) (retryAfter int) {
	if perSecond <= 0 {
		return 0
	}
	k := table.Key{PK: counters(tenant), SK: "rate#" + token}
	if c, n := l.untold(k); n > 0 {
		total, err := l.tell(ctx, k, c.window, n)
		if l.learn(c, n, total, err) {
			l.Log.WarnContext(ctx, "cannot count requests", "tenant", tenant, "token", token, "error", err)
		}
	}
	return l.serve(k, perSecond)
}

// untold is how many requests are to be told now. It takes them for told, so that nobody else tells them.
func (l *Limiter) untold(k table.Key) (c *served, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Now()
	c = l.at(k, now)
	if n = c.own - c.told; n < worthTelling || now.Before(c.next) {
		return c, 0
	}
	c.told, c.next = c.own, now.Add(time.Second)
	return c, n
}

// tell adds n requests to those of a window, and returns how many it then has: n if that cannot be read, 0 if they were
// not added or another window is counted. It gives up when the second is over in which nobody else tells.
func (l *Limiter) tell(ctx context.Context, k table.Key, window int64, n int) (total int, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	t := metered(l.Table)
	if err := add(ctx, t, k, table.Item{"window": table.N(window), "n": table.N(int64(n))}); err != nil {
		return 0, err
	}
	items, err := t.Get(ctx, nil, k)
	if err != nil {
		return n, err
	}
	if len(items) == 0 || table.Int(items[0]["window"]) != window {
		return 0, nil
	}
	return int(table.Int(items[0]["n"])), nil
}

// add makes a new item where another window is counted. A window that has begun elsewhere is not taken back; one that
// is further on is of a wrong clock, and is.
func add(ctx context.Context, t table.Table, k table.Key, more table.Item) (err error) {
	put := table.Item{"PK": table.S(k.PK), "SK": table.S(k.SK), "window": more["window"], "n": more["n"]}
	same := table.Equals("window", more["window"])
	for range 3 {
		err = t.Write(ctx, table.Update{Key: k, Add: table.Item{"n": more["n"]}, If: []table.Condition{same}})
		var refused *table.Refused
		if !errors.As(err, &refused) {
			return err
		}
		seen, still := refused.Failed[0]["window"], table.Without("window")
		if table.Int(seen) == table.Int(more["window"])+1 {
			return nil
		}
		if seen != nil {
			still = table.Equals("window", seen)
		}
		if err = t.Write(ctx, table.Put{Item: put, If: []table.Condition{still}}); !errors.As(err, &refused) {
			return err
		}
	}
	return err
}

// learn takes in what a telling of n requests gave, and says whether to warn.
func (l *Limiter) learn(c *served, n, total int, err error) (warn bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && total == 0 {
		c.told -= n
	}
	c.others = max(c.others, total-c.told)
	warn = err != nil && !c.warned
	c.warned = c.warned || warn
	return warn
}

func (l *Limiter) serve(k table.Key, perSecond int) (retryAfter int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Now()
	c := l.at(k, now)
	if c.own+c.others >= span*perSecond {
		return span - int(now.Unix()%span)
	}
	c.own++
	return 0
}

// at is the count of the window of a time.
func (l *Limiter) at(k table.Key, now time.Time) *served {
	c, old := &served{window: now.Unix() / span}, l.counts[k]
	switch {
	case old != nil && old.window == c.window:
		return old
	case old != nil:
		c.next = old.next
	case l.counts == nil:
		l.counts = map[table.Key]*served{}
	case len(l.counts) == maxCounts:
		maps.DeleteFunc(l.counts, func(_ table.Key, old *served) bool { return old.window != c.window })
		if len(l.counts) == maxCounts {
			clear(l.counts)
		}
	}
	l.counts[k] = c
	return c
}

// counters is the partition of what is counted of a tenant.
func counters(tenant string) string { return table.Escape(tenant) + "#counter" }

// metered counts each call once, whatever table it is given.
func metered(t table.Table) table.Table {
	if _, already := t.(table.Metered); already {
		return t
	}
	return table.Metered{Table: t}
}
