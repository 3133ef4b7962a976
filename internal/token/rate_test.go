package token

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/table/tabletest"
)

// A limiterTest runs Limiters that share a table and a clock. The clock starts at the start of a window.
type limiterTest struct {
	*testing.T
	table.Table
	now time.Time
	log bytes.Buffer
}

func newLimiterTest(t *testing.T) *limiterTest {
	t.Helper()
	tab, err := bolt.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tab.Close() })
	return &limiterTest{T: t, Table: tab, now: time.Unix(1_800_000_000, 0)}
}

func (lt *limiterTest) newLimiter() *Limiter {
	log := slog.New(slog.NewTextHandler(&lt.log, nil))
	return &Limiter{Table: lt.Table, Now: func() time.Time { return lt.now }, Log: log}
}

// countAdmitted sends requests of one token and returns how many are admitted.
func (lt *limiterTest) countAdmitted(l *Limiter, requests, perSecond int) (n int) {
	for range requests {
		if l.Allow(lt.Context(), "a", "t", perSecond) == 0 {
			n++
		}
	}
	return n
}

// readCounter returns the window and the number of requests in the counter item.
func (lt *limiterTest) readCounter() (window, n int64) {
	lt.Helper()
	items, err := lt.Get(lt.Context(), nil, table.Key{PK: "a#counter", SK: "rate#t"})
	if err != nil || len(items) != 1 {
		lt.Fatal(items, err)
	}
	return table.IntValue(items[0]["window"]), table.IntValue(items[0]["n"])
}

func TestAWindowAdmitsTenTimesTheLimit(t *testing.T) {
	t.Parallel()
	lt := newLimiterTest(t)
	l := lt.newLimiter()
	for range 2 {
		if n := lt.countAdmitted(l, 40, 3); n != 30 {
			t.Errorf("%d of 40 requests were admitted, want 10 s * 3/s = 30", n)
		}
		for half := range 20 {
			if got, want := l.Allow(t.Context(), "a", "t", 3), 10-half/2; got != want {
				t.Errorf("after %d half seconds: retry after %d s, want %d", half, got, want)
			}
			lt.now = lt.now.Add(time.Second / 2)
		}
	}
}

func TestInstancesShareTheLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ instances, perTick, perSecond int }{ // ten ticks a second
		{2, 1, 5}, {2, 20, 100}, {10, 1, 5}, {10, 3, 60}, {50, 1, 1}, {50, 1, 100},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			t.Parallel()
			lt := newLimiterTest(t)
			limiters := make([]*Limiter, c.instances)
			for n := range limiters {
				limiters[n] = lt.newLimiter()
			}
			limit, excess := 10*c.perSecond, 4+10*c.perTick
			for range 2 {
				admitted := 0
				for range 100 {
					for _, l := range limiters {
						admitted += lt.countAdmitted(l, c.perTick, c.perSecond)
					}
					lt.now = lt.now.Add(time.Second / 10)
				}
				if admitted < limit || admitted > limit+c.instances*excess {
					t.Errorf("%d requests were admitted, want %d and at most %d more per instance", admitted, limit, excess)
				}
			}
		})
	}
}

func TestEveryTokenOfEveryTenantHasItsOwnLimit(t *testing.T) {
	t.Parallel()
	lt := newLimiterTest(t)
	l, other := lt.newLimiter(), lt.newLimiter()
	for _, k := range [][2]string{{"a", "t"}, {"a", "u"}, {"a#b", "t"}, {"a%23b", "t"}, {"b", "t"}} {
		for n := range 11 {
			if got := l.Allow(t.Context(), k[0], k[1], 1); (got == 0) != (n < 10) {
				t.Errorf("request %d of %q: retry after %d s", n, k, got)
			}
		}
		lt.now = lt.now.Add(time.Second / 10)
		for n := range 6 { // the sixth request reports the first five, and reads what the first instance reported
			if got := other.Allow(t.Context(), k[0], k[1], 1); (got == 0) != (n < 5) {
				t.Errorf("request %d of %q at the other instance: retry after %d s", n, k, got)
			}
		}
	}
}

func TestLimiterMakesFewCalls(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ requests, maxCalls int }{ // per window
		"four requests make no call":                   {4, 0},
		"two calls per second and two more per window": {1000, 10*2 + 2},
	} {
		for _, isMetered := range []bool{false, true} {
			lt := newLimiterTest(t)
			lt.now = lt.now.Add(-time.Second / 2)
			l := lt.newLimiter()
			if isMetered {
				l.Table = table.Metered{Table: l.Table}
			}
			ctx, usage := table.WithUsage(t.Context())
			for range 3 {
				before := usage().Calls
				for range c.requests {
					l.Allow(ctx, "a", "t", 1000)
					lt.now = lt.now.Add(10 * time.Second / time.Duration(c.requests))
				}
				if n := usage().Calls - before; n > c.maxCalls || n < c.maxCalls/2 {
					t.Errorf("%s: %d calls", name, n)
				}
			}
		}
	}
}

func TestAFailingTableAdmitsRequestsAndIsLoggedOncePerWindow(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Write", "Get"} {
		for _, failure := range []error{&table.TransientError{Err: context.DeadlineExceeded}, errors.New("lost")} {
			lt := newLimiterTest(t)
			lt.Table = tabletest.Faults{Table: lt.Table, Before: func(c tabletest.Call) error {
				if c.Method == method {
					return failure
				}
				return nil
			}}
			l := lt.newLimiter()
			for window := range 3 {
				for second := range 10 {
					if n := lt.countAdmitted(l, 9, 9); n != 9 {
						t.Errorf("%s: %v: %d of 9 requests were admitted in second %d", method, failure, n, second)
					}
					lt.now = lt.now.Add(time.Second)
				}
				if n := strings.Count(lt.log.String(), "level=WARN"); n != window+1 {
					t.Errorf("%s: %v: %d warnings after window %d: %s", method, failure, n, window, lt.log.String())
				}
			}
		}
	}
}

func TestRequestsOfAFailedReportAreReportedAgain(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]int64{"Write": 6, "Get": 5 + 5} {
		lt := newLimiterTest(t)
		fails := true
		lt.Table = tabletest.Faults{Table: lt.Table, Before: func(c tabletest.Call) error {
			if fails && c.Method == method {
				return &table.TransientError{Err: context.DeadlineExceeded}
			}
			return nil
		}}
		l := lt.newLimiter()
		lt.countAdmitted(l, 6, 100)
		fails, lt.now = false, lt.now.Add(time.Second)
		lt.countAdmitted(l, 6, 100)
		if _, n := lt.readCounter(); n != want {
			t.Errorf("%s failed: the counter item has %d requests, want %d", method, n, want)
		}
	}
}

// beforeWrite makes a Limiter call do before its nth write, or before every write if nth is 0.
func beforeWrite(l *Limiter, nth int, do func()) {
	n := 0
	l.Table = tabletest.Faults{Table: l.Table, Before: func(c tabletest.Call) error {
		if c.Method == "Write" {
			if n++; n == nth || nth == 0 {
				do()
			}
		}
		return nil
	}}
}

func TestTwoInstancesThatStartAWindowAreBothCounted(t *testing.T) {
	t.Parallel()
	for _, item := range []table.Item{nil, {"n": table.N(7)}, {"window": table.N(1), "n": table.N(7)}} {
		lt := newLimiterTest(t)
		if item != nil {
			item["PK"], item["SK"] = table.S("a#counter"), table.S("rate#t")
			if err := lt.Write(t.Context(), table.Put{Item: item}); err != nil {
				t.Fatal(err)
			}
		}
		a, b := lt.newLimiter(), lt.newLimiter()
		beforeWrite(a, 2, func() { lt.countAdmitted(b, 8, 1) }) // a has read the old window and is about to start the new one
		if n := lt.countAdmitted(a, 9, 1); n != 5 {
			t.Errorf("%d requests were admitted here and 8 at the other instance, want 5, because the other reported 5", n)
		}
		if window, n := lt.readCounter(); window != lt.now.Unix()/10 || n != 10 {
			t.Errorf("window %d has %d requests, want the 10 that were reported", window, n)
		}
	}
}

func TestTheNextWindowOfAnotherInstanceIsKept(t *testing.T) {
	t.Parallel()
	lt := newLimiterTest(t)
	ahead := lt.newLimiter()
	ahead.Now = func() time.Time { return lt.now.Add(10 * time.Second) }
	for range 2 { // reports 5 requests, and a second later 15 more
		lt.countAdmitted(ahead, 20, 9)
		lt.now = lt.now.Add(time.Second)
	}
	if n := lt.countAdmitted(lt.newLimiter(), 20, 1); n != 10 {
		t.Errorf("%d requests were admitted while another instance counts the next window, want 10", n)
	}
	if window, n := lt.readCounter(); window != lt.now.Unix()/10+1 || n != 20 {
		t.Errorf("window %d has %d requests, want the next window with 20", window, n)
	}
	lt.now = lt.now.Add(-time.Minute) // the stored window is now so far ahead that it must come from a wrong clock
	lt.countAdmitted(lt.newLimiter(), 6, 1)
	if window, n := lt.readCounter(); window != lt.now.Unix()/10 || n != 5 {
		t.Errorf("window %d has %d requests, want the current window with 5", window, n)
	}
}

func TestARequestIsCountedInTheWindowInWhichItIsAdmitted(t *testing.T) {
	t.Parallel()
	lt := newLimiterTest(t)
	l := lt.newLimiter()
	beforeWrite(l, 1, func() { lt.now = lt.now.Add(10 * time.Second) })
	if n := lt.countAdmitted(l, 20, 1); n != 5+10 {
		t.Errorf("%d requests were admitted, want 5, and 10 of the next window, which starts during the report", n)
	}
}

func TestEndlessConflictsDelayARequestByAtMostOneSecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lt := newLimiterTest(t)
		l, writes, start := lt.newLimiter(), 0, time.Now()
		beforeWrite(l, 0, func() {
			writes++
			it := table.Item{"PK": table.S("a#counter"), "SK": table.S("rate#t"), "window": table.N(int64(writes))}
			if err := lt.Write(t.Context(), table.Put{Item: it}); err != nil {
				t.Error(err)
			}
		})
		n, took := lt.countAdmitted(l, 6, 1), time.Since(start)
		if n != 6 || took > time.Second || strings.Count(lt.log.String(), "level=WARN") != 1 {
			t.Errorf("%d of 6 requests were admitted in %v: %s", n, took, lt.log.String())
		}
		if writes < 6 || writes > 100 { // an attempt has two writes
			t.Errorf("%d writes, want several attempts, but few", writes)
		}
	})
}

func TestRequestsDoNotWaitForAReport(t *testing.T) {
	t.Parallel()
	lt := newLimiterTest(t)
	l := lt.newLimiter()
	reporting, proceed := make(chan bool), make(chan bool)
	beforeWrite(l, 1, func() { reporting <- true; <-proceed })
	lt.countAdmitted(l, 5, 1)
	done := make(chan int)
	go func() { done <- lt.countAdmitted(l, 1, 1) }()
	<-reporting
	if n := lt.countAdmitted(l, 9, 1); n != 5 {
		t.Errorf("%d requests were admitted during the report, want 5", n)
	}
	proceed <- true
	if n := <-done; n != 0 {
		t.Error("the reporting request was admitted above the limit")
	}
}

func TestConcurrentRequestsAreAdmittedUpToTheLimit(t *testing.T) {
	t.Parallel()
	lt := newLimiterTest(t)
	l := lt.newLimiter()
	var clock, admitted atomic.Int64
	l.Now = func() time.Time { return lt.now.Add(time.Duration(clock.Add(1)) * time.Millisecond) } // 4 to 6 s in total
	var g sync.WaitGroup
	for range 20 {
		g.Go(func() { admitted.Add(int64(lt.countAdmitted(l, 100, 100))) })
	}
	g.Wait()
	if admitted.Load() != 1000 {
		t.Errorf("%d requests were admitted, want 1000", admitted.Load())
	}
}

func TestALimiterTracksAtMostAThousandTokens(t *testing.T) {
	t.Parallel()
	lt := newLimiterTest(t)
	l := lt.newLimiter()
	allow := func(from, to int) {
		for n := from; n < to; n++ {
			l.Allow(t.Context(), "a", fmt.Sprint(n), 1)
		}
	}
	l.Allow(t.Context(), "a", "unlimited", 0)
	l.Allow(t.Context(), "a", "unlimited", -1)
	if len(l.counts) != 0 {
		t.Error("a token without a limit is tracked")
	}
	for _, c := range []struct{ from, to, later, want int }{
		{0, 1000, 0, 1000}, {1000, 1001, 0, 1}, // all counts are of this window, so all are dropped
		{1001, 1501, 10, 501}, {1501, 2000, 0, 1000}, {2000, 2001, 0, 1000}, // only the counts of past windows are dropped
	} {
		lt.now = lt.now.Add(time.Duration(c.later) * time.Second)
		if allow(c.from, c.to); len(l.counts) != c.want {
			t.Errorf("%d tokens are tracked after %d, want %d", len(l.counts), c.to, c.want)
		}
	}
}
