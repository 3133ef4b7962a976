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

// instances are Limiters on one table at one time, which begins with a window.
type instances struct {
	*testing.T
	table.Table
	now time.Time
	log bytes.Buffer
}

func newInstances(t *testing.T) *instances {
	t.Helper()
	tab, err := bolt.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tab.Close() })
	return &instances{T: t, Table: tab, now: time.Unix(1_800_000_000, 0)}
}

func (i *instances) limiter() *Limiter {
	return &Limiter{Table: i.Table, Now: func() time.Time { return i.now }, Log: slog.New(slog.NewTextHandler(&i.log, nil))}
}

// pass is how many of some requests pass.
func (i *instances) pass(l *Limiter, requests, perSecond int) (n int) {
	for range requests {
		if l.Allow(i.Context(), "a", "t", perSecond) == 0 {
			n++
		}
	}
	return n
}

// item is the window and the number that the table has.
func (i *instances) item() (window, n int64) {
	i.Helper()
	items, err := i.Get(i.Context(), nil, table.Key{PK: "a#counter", SK: "rate#t"})
	if err != nil || len(items) != 1 {
		i.Fatal(items, err)
	}
	return table.IntValue(items[0]["window"]), table.IntValue(items[0]["n"])
}

func TestAWindowHasRoomForTenTimesTheLimit(t *testing.T) {
	t.Parallel()
	i := newInstances(t)
	l := i.limiter()
	for range 2 {
		if n := i.pass(l, 40, 3); n != 30 {
			t.Errorf("%d requests passed in a window of 10 s, with 3 a second", n)
		}
		for half := range 20 {
			if got, want := l.Allow(t.Context(), "a", "t", 3), 10-half/2; got != want {
				t.Errorf("after %d half seconds: try again after %d s, want %d", half, got, want)
			}
			i.now = i.now.Add(time.Second / 2)
		}
	}
}

func TestInstancesShareTheRoomOfAWindow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ instances, perTick, perSecond int }{ // ten ticks a second
		{2, 1, 5}, {2, 20, 100}, {10, 1, 5}, {10, 3, 60}, {50, 1, 1}, {50, 1, 100},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			t.Parallel()
			i := newInstances(t)
			limiters := make([]*Limiter, c.instances)
			for n := range limiters {
				limiters[n] = i.limiter()
			}
			room, each := 10*c.perSecond, 4+10*c.perTick
			for range 2 {
				passed := 0
				for range 100 {
					for _, l := range limiters {
						passed += i.pass(l, c.perTick, c.perSecond)
					}
					i.now = i.now.Add(time.Second / 10)
				}
				if passed < room || passed > room+c.instances*each {
					t.Errorf("%d requests passed, want %d and at most %d for each instance", passed, room, each)
				}
			}
		})
	}
}

func TestTokensAndTenantsDoNotShareALimit(t *testing.T) {
	t.Parallel()
	i := newInstances(t)
	l, other := i.limiter(), i.limiter()
	for _, k := range [][2]string{{"a", "t"}, {"a", "u"}, {"a#b", "t"}, {"a%23b", "t"}, {"b", "t"}} {
		for n := range 11 {
			if got := l.Allow(t.Context(), k[0], k[1], 1); (got == 0) != (n < 10) {
				t.Errorf("request %d of %q: %d", n, k, got)
			}
		}
		i.now = i.now.Add(time.Second / 10)
		for n := range 6 { // it learns of the others with the sixth, of what they told with theirs
			if got := other.Allow(t.Context(), k[0], k[1], 1); (got == 0) != (n < 5) {
				t.Errorf("request %d of %q elsewhere: %d", n, k, got)
			}
		}
	}
}

func TestCallsAreFew(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ requests, most int }{ // in ten seconds, and the calls for them
		"a trickle makes none":                      {4, 0},
		"two a second, and one more in each window": {1000, 10*2 + 2},
	} {
		for _, metered := range []bool{false, true} {
			i := newInstances(t)
			i.now = i.now.Add(-time.Second / 2)
			l := i.limiter()
			if metered {
				l.Table = table.Metered{Table: l.Table}
			}
			ctx, usage := table.WithUsage(t.Context())
			for range 3 {
				before := usage().Calls
				for range c.requests {
					l.Allow(ctx, "a", "t", 1000)
					i.now = i.now.Add(10 * time.Second / time.Duration(c.requests))
				}
				if n := usage().Calls - before; n > c.most || n < c.most/2 {
					t.Errorf("%s: %d calls", name, n)
				}
			}
		}
	}
}

func TestATableThatFailsLetsPassAndIsWarnedOfOnceAWindow(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Write", "Get"} {
		for _, failure := range []error{&table.TransientError{Err: context.DeadlineExceeded}, errors.New("lost")} {
			i := newInstances(t)
			i.Table = tabletest.Faults{Table: i.Table, Before: func(c tabletest.Call) error {
				if c.Method == method {
					return failure
				}
				return nil
			}}
			l := i.limiter()
			for window := range 3 {
				for second := range 10 {
					if n := i.pass(l, 9, 9); n != 9 {
						t.Errorf("%s: %v: %d of 9 passed in second %d", method, failure, n, second)
					}
					i.now = i.now.Add(time.Second)
				}
				if n := strings.Count(i.log.String(), "level=WARN"); n != window+1 {
					t.Errorf("%s: %v: %d warnings after window %d: %s", method, failure, n, window, i.log.String())
				}
			}
		}
	}
}

func TestWhatATableDidNotTakeIsToldAgain(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]int64{"Write": 6, "Get": 5 + 5} {
		i := newInstances(t)
		fails := true
		i.Table = tabletest.Faults{Table: i.Table, Before: func(c tabletest.Call) error {
			if fails && c.Method == method {
				return &table.TransientError{Err: context.DeadlineExceeded}
			}
			return nil
		}}
		l := i.limiter()
		i.pass(l, 6, 100)
		fails, i.now = false, i.now.Add(time.Second)
		i.pass(l, 6, 100)
		if _, n := i.item(); n != want {
			t.Errorf("%s failed: the table has %d requests, want %d", method, n, want)
		}
	}
}

// before makes something happen before the nth write of a Limiter.
func before(l *Limiter, nth int, do func()) {
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

func TestOfTwoInstancesThatBeginAWindowBothAreCounted(t *testing.T) {
	t.Parallel()
	for _, item := range []table.Item{nil, {"n": table.N(7)}, {"window": table.N(1), "n": table.N(7)}} {
		i := newInstances(t)
		if item != nil {
			item["PK"], item["SK"] = table.S("a#counter"), table.S("rate#t")
			if err := i.Write(t.Context(), table.Put{Item: item}); err != nil {
				t.Fatal(err)
			}
		}
		a, b := i.limiter(), i.limiter()
		before(a, 2, func() { i.pass(b, 8, 1) }) // a has seen the old window, and is about to begin the new one
		if n := i.pass(a, 9, 1); n != 5 {
			t.Errorf("%d passed here and 8 elsewhere, want 5, and to learn of the 5 that were told", n)
		}
		if window, n := i.item(); window != i.now.Unix()/10 || n != 10 {
			t.Errorf("window %d has %d requests, want the 10 that were told", window, n)
		}
	}
}

func TestAWindowThatHasBegunElsewhereIsNotTakenBack(t *testing.T) {
	t.Parallel()
	i := newInstances(t)
	ahead := i.limiter()
	ahead.Now = func() time.Time { return i.now.Add(10 * time.Second) }
	for range 2 { // tells 5, and a second later 15 more
		i.pass(ahead, 20, 9)
		i.now = i.now.Add(time.Second)
	}
	if n := i.pass(i.limiter(), 20, 1); n != 10 {
		t.Errorf("%d passed while others count the next window, want the 10 that there is room for", n)
	}
	if window, n := i.item(); window != i.now.Unix()/10+1 || n != 20 {
		t.Errorf("window %d has %d requests, want the next one with its 20", window, n)
	}
	i.now = i.now.Add(-time.Minute) // that window is now of a clock that is wrong
	i.pass(i.limiter(), 6, 1)
	if window, n := i.item(); window != i.now.Unix()/10 || n != 5 {
		t.Errorf("window %d has %d requests, want this one with its 5", window, n)
	}
}

func TestARequestIsCountedInTheWindowInWhichItPasses(t *testing.T) {
	t.Parallel()
	i := newInstances(t)
	l := i.limiter()
	before(l, 1, func() { i.now = i.now.Add(10 * time.Second) })
	if n := i.pass(l, 20, 1); n != 5+10 {
		t.Errorf("%d passed, want 5 and, from the one who told on, 10 of the next window", n)
	}
}

func TestEndlessConflictsDelayARequestByOneSecondAtMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := newInstances(t)
		l, writes, start := i.limiter(), 0, time.Now()
		before(l, 0, func() {
			writes++
			it := table.Item{"PK": table.S("a#counter"), "SK": table.S("rate#t"), "window": table.N(int64(writes))}
			if err := i.Write(t.Context(), table.Put{Item: it}); err != nil {
				t.Error(err)
			}
		})
		n, took := i.pass(l, 6, 1), time.Since(start)
		if n != 6 || took > time.Second || strings.Count(i.log.String(), "level=WARN") != 1 {
			t.Errorf("%d of 6 requests passed in %v: %s", n, took, i.log.String())
		}
		if writes < 6 || writes > 100 { // two writes per attempt
			t.Errorf("%d writes, want at least three attempts, and few", writes)
		}
	})
}

func TestTheOneWhoTellsIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	i := newInstances(t)
	l := i.limiter()
	telling, leave := make(chan bool), make(chan bool)
	before(l, 1, func() { telling <- true; <-leave })
	i.pass(l, 5, 1)
	done := make(chan int)
	go func() { done <- i.pass(l, 1, 1) }()
	<-telling
	if n := i.pass(l, 9, 1); n != 5 {
		t.Errorf("%d requests passed meanwhile, want the 5 that there is room for", n)
	}
	leave <- true
	if n := <-done; n != 0 {
		t.Error("the one who told passed when there was no room left")
	}
}

func TestRequestsAtOncePassExactlyTheRoom(t *testing.T) {
	t.Parallel()
	i := newInstances(t)
	l := i.limiter()
	var clock, passed atomic.Int64
	l.Now = func() time.Time { return i.now.Add(time.Duration(clock.Add(1)) * time.Millisecond) } // 4 to 6 s in all
	var g sync.WaitGroup
	for range 20 {
		g.Go(func() { passed.Add(int64(i.pass(l, 100, 100))) })
	}
	g.Wait()
	if passed.Load() != 1000 {
		t.Errorf("%d passed, want 1000", passed.Load())
	}
}

func TestALimiterRemembersAThousandTokens(t *testing.T) {
	t.Parallel()
	i := newInstances(t)
	l := i.limiter()
	allow := func(from, to int) {
		for n := from; n < to; n++ {
			l.Allow(t.Context(), "a", fmt.Sprint(n), 1)
		}
	}
	l.Allow(t.Context(), "a", "unlimited", 0)
	l.Allow(t.Context(), "a", "unlimited", -1)
	if len(l.counts) != 0 {
		t.Error("a token without a limit is remembered")
	}
	for _, c := range []struct{ from, to, later, want int }{
		{0, 1000, 0, 1000}, {1000, 1001, 0, 1}, // all of one window: all are forgotten
		{1001, 1501, 10, 501}, {1501, 2000, 0, 1000}, {2000, 2001, 0, 1000}, // those of the past alone
	} {
		i.now = i.now.Add(time.Duration(c.later) * time.Second)
		if allow(c.from, c.to); len(l.counts) != c.want {
			t.Errorf("%d tokens are remembered after %d, want %d", len(l.counts), c.to, c.want)
		}
	}
}
