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

// deprovision returns the sum that a store with a clock of its own sees.
func (i *instances) deprovision(tenant string, by int, ahead time.Duration) int {
	i.Helper()
	s := &Store{Table: i.Table, Now: func() time.Time { return i.now.Add(ahead) }}
	sum, err := s.AddDeprovisioned(i.Context(), tenant, by)
	if err != nil {
		i.Error(err)
	}
	return sum
}

func TestOfManyAtOnceNoMoreThanTheLimitSeeASumWithinIt(t *testing.T) {
	t.Parallel()
	i := newInstances(t)
	i.now = i.now.Truncate(time.Minute)
	sums := make([]int, 50)
	var g sync.WaitGroup
	for n := range sums { // every other one has a clock at which the next minute has not begun
		g.Go(func() { sums[n] = i.deprovision("a", 1, -time.Duration(n%2)) })
	}
	g.Wait()
	slices.Sort(sums)
	for n, sum := range sums { // for every limit
		if sum < n+1 || sum > 50 {
			t.Errorf("%d of 50 saw a sum of at most %d", n+1, sum)
		}
	}
	for _, behind := range []time.Duration{0, 1} {
		if sum := i.deprovision("a", 0, -behind); sum != 50 {
			t.Errorf("%d in the end, seen from %v before a new minute", sum, behind)
		}
	}
}

func TestADeprovisionedUserCountsForTenMinutes(t *testing.T) {
	t.Parallel()
	for at := range 60 {
		i := newInstances(t)
		i.now = i.now.Truncate(time.Minute).Add(time.Duration(at) * time.Second)
		if sum := i.deprovision("a", 7, 0); sum != 7 {
			t.Errorf("at once: %d", sum)
		}
		if sum := i.deprovision("a", 2, 10*time.Minute); sum != 9 {
			t.Errorf("at second %d: %d after ten minutes, want 9", at, sum)
		}
		if sum := i.deprovision("a", 0, 11*time.Minute); sum != 2 {
			t.Errorf("at second %d: %d after eleven minutes, want 2", at, sum)
		}
	}
}

func TestTenantsCountTheirDeprovisionedUsersAlone(t *testing.T) {
	t.Parallel()
	i := newInstances(t)
	for n, tenant := range []string{"a", "a#b", "a%23b", "b", "a#counter"} {
		if sum := i.deprovision(tenant, n+1, 0); sum != n+1 {
			t.Errorf("%q: %d, want %d", tenant, sum, n+1)
		}
	}
}

func TestADeprovisioningIsAWriteAndAQueryAndExpires(t *testing.T) {
	t.Parallel()
	i := newInstances(t)
	ctx, usage := table.WithUsage(t.Context())
	s := &Store{Table: i.Table, Now: func() time.Time { return i.now }}
	if sum, err := s.AddDeprovisioned(ctx, "a#b", 3); sum != 3 || err != nil || usage().Calls != 2 {
		t.Errorf("%d, %v after %d calls", sum, err, usage().Calls)
	}
	k := table.Key{PK: "a%23b#counter", SK: "deprovisioned#000030000000"}
	items, err := i.Get(t.Context(), nil, k)
	if err != nil || len(items) != 1 || table.IntValue(items[0]["expires"]) != i.now.Unix()+3600 {
		t.Errorf("%v, %v; want %s with an end an hour later", items, err, k.SK)
	}
}

func TestWhatCannotBeCountedIsAnError(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Write", "Query"} {
		i := newInstances(t)
		lost := errors.New("lost")
		faulty := tabletest.Faults{Table: i.Table, Before: func(c tabletest.Call) error {
			if c.Method == method {
				return lost
			}
			return nil
		}}
		s := &Store{Table: faulty, Now: func() time.Time { return i.now }}
		if sum, err := s.AddDeprovisioned(t.Context(), "a", 1); !errors.Is(err, lost) {
			t.Errorf("%s: %d, %v", method, sum, err)
		}
	}
}
