package token

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// deprovision counts users with a Store whose clock is ahead, and returns the sum.
func (lt *limiterTest) deprovision(tenant string, users int, ahead time.Duration) int {
	lt.Helper()
	s := &Store{Table: lt.Table, Now: func() time.Time { return lt.now.Add(ahead) }}
	sum, err := s.AddDeprovisioned(lt.Context(), tenant, users)
	if err != nil {
		lt.Error(err)
	}
	return sum
}

func TestConcurrentCallsCannotPassALimitTogether(t *testing.T) {
	t.Parallel()
	lt := newLimiterTest(t)
	lt.now = lt.now.Truncate(time.Minute)
	sums := make([]int, 50)
	var g sync.WaitGroup
	for n := range sums { // by the clock of every second call, the next minute has not begun
		g.Go(func() { sums[n] = lt.deprovision("a", 1, -time.Duration(n%2)) })
	}
	g.Wait()
	slices.Sort(sums)
	for n, sum := range sums { // for every possible limit n
		if sum < n+1 || sum > 50 {
			t.Errorf("%d of 50 calls returned a sum of at most %d", n+1, sum)
		}
	}
	for _, before := range []time.Duration{0, 1} {
		if sum := lt.deprovision("a", 0, -before); sum != 50 {
			t.Errorf("final sum %d at %v before the new minute, want 50", sum, before)
		}
	}
}

func TestADeprovisionedUserCountsForTenMinutes(t *testing.T) {
	t.Parallel()
	for second := range 60 {
		lt := newLimiterTest(t)
		lt.now = lt.now.Truncate(time.Minute).Add(time.Duration(second) * time.Second)
		if sum := lt.deprovision("a", 7, 0); sum != 7 {
			t.Errorf("at once: %d", sum)
		}
		if sum := lt.deprovision("a", 2, 10*time.Minute); sum != 9 {
			t.Errorf("at second %d: %d after ten minutes, want 9", second, sum)
		}
		if sum := lt.deprovision("a", 0, 11*time.Minute); sum != 2 {
			t.Errorf("at second %d: %d after eleven minutes, want 2", second, sum)
		}
	}
}

func TestTenantsHaveSeparateDeprovisioningCounters(t *testing.T) {
	t.Parallel()
	lt := newLimiterTest(t)
	for n, tenant := range []string{"a", "a#b", "a%23b", "b", "a#counter"} {
		if sum := lt.deprovision(tenant, n+1, 0); sum != n+1 {
			t.Errorf("%q: %d, want %d", tenant, sum, n+1)
		}
	}
}

func TestAddDeprovisionedMakesTwoCallsAndItsItemExpires(t *testing.T) {
	t.Parallel()
	lt := newLimiterTest(t)
	ctx, usage := table.WithUsage(t.Context())
	s := &Store{Table: lt.Table, Now: func() time.Time { return lt.now }}
	if sum, err := s.AddDeprovisioned(ctx, "a#b", 3); sum != 3 || err != nil || usage().Calls != 2 {
		t.Errorf("%d, %v after %d calls", sum, err, usage().Calls)
	}
	k := table.Key{PK: "a%23b#counter", SK: "deprovisioned#000030000000"}
	items, err := lt.Get(t.Context(), nil, k)
	if err != nil || len(items) != 1 || table.IntValue(items[0]["expires"]) != lt.now.Unix()+3600 {
		t.Errorf("%v, %v; want %s to expire after an hour", items, err, k.SK)
	}
}

func TestAddDeprovisionedReturnsTheErrorOfTheTable(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Write", "Query"} {
		lt := newLimiterTest(t)
		lost := errors.New("lost")
		faulty := tabletest.Faults{Table: lt.Table, Before: func(c tabletest.Call) error {
			if c.Method == method {
				return lost
			}
			return nil
		}}
		s := &Store{Table: faulty, Now: func() time.Time { return lt.now }}
		if sum, err := s.AddDeprovisioned(t.Context(), "a", 1); !errors.Is(err, lost) {
			t.Errorf("%s: %d, %v", method, sum, err)
		}
	}
}
