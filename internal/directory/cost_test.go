package directory

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/dynamo"
	"serverless-scim/internal/table/tabletest"
)

// onBilled runs a test on the tables that cost what DynamoDB costs: one that shows transactions in part does not.
func onBilled(t *testing.T, test func(*testing.T, table.Table)) {
	onEach(t, func(t *testing.T, tab table.Table) {
		if _, partial := tab.(*tabletest.PartialVisibility); !partial {
			test(t, tab)
		}
	})
}

// scales is how many users make a small directory and a large one.
func scales(tab table.Table) (small, large int) {
	_, dynamo := tab.(*dynamo.Table)
	switch {
	case dynamo:
		return 1000, 3000 // with no fewer there are no hundred groups
	case *million:
		return 1000, 1_000_000
	case racing():
		return 1000, 5000
	default:
		return 1000, 20_000
	}
}

// companies are a small directory and a large one, with groups of the same sizes.
func companies(t *testing.T, tab table.Table) (small, large *company) {
	t.Helper()
	n, m := scales(tab)
	small, err := newCompany(t.Context(), tab, "small", n, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	large, err = newCompany(t.Context(), tab, "large", m, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	return small, large
}

// figures are what must not grow.
func figures(u table.Usage) map[string]float64 {
	return map[string]float64{"calls": float64(u.Calls), "items read": float64(u.ItemsRead),
		"items written": float64(u.ItemsWritten), "RRU": u.ReadUnits, "WRU": u.WriteUnits}
}

// within fails the test if one figure of what is large is beyond what is allowed by the same of what is small.
func within(t *testing.T, what string, most float64, small, large map[string]float64) {
	t.Helper()
	for name, n := range small {
		if large[name] > most*n {
			t.Errorf("%s: %g %s, more than %g times %g", what, large[name], name, most, n)
		}
	}
}

// total is what an operation costs when it is done so many times, each time to another.
func (c *company) total(t *testing.T, o operation, times int) map[string]float64 {
	t.Helper()
	sum := map[string]float64{}
	for range times {
		u, err := o.once(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		for name, n := range figures(u) {
			sum[name] += n
		}
	}
	return sum
}

// What goes by keys costs the same in a large directory as in a small one.
func TestCostOfOperationsDoesNotGrow(t *testing.T) {
	onBilled(t, func(t *testing.T, tab table.Table) {
		small, large := companies(t, tab)
		for _, o := range slices.Concat(operations, groupOperations(0), groupOperations(100)) {
			t.Run(o.name, func(t *testing.T) {
				within(t, o.name, 1.05, small.total(t, o, 20), large.total(t, o, 20))
			})
		}
	})
}

// Each page of a walk through a large directory costs what the pages of a small one cost.
func TestCostOfPagesDoesNotGrow(t *testing.T) {
	onBilled(t, func(t *testing.T, tab table.Table) {
		small, large := companies(t, tab)
		for name, begin := range map[string]Params{
			"by startIndex": {StartIndex: 1, Count: 100, Client: "r"},
			"by cursor":     {Count: 100, Client: "r"},
		} {
			t.Run(name, func(t *testing.T) {
				most := map[string]float64{}
				for _, page := range small.pages(t, begin) {
					for name, n := range page {
						most[name] = max(most[name], n)
					}
				}
				for k, page := range large.pages(t, begin) {
					if within(t, name, 1.05, most, page); t.Failed() {
						t.Fatalf("this is page %d", k+1)
					}
				}
			})
		}
	})
}

// pages is what each page of a walk over all users costs.
func (c *company) pages(t *testing.T, q Params) (all []map[string]float64) {
	t.Helper()
	q.Types = only(c.user)
	for met := 0; ; {
		ctx, usage := table.WithUsage(t.Context())
		l, err := c.List(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		all, met = append(all, figures(usage())), met+len(l.Resources)
		if !following(&q, l) {
			if want := len(c.people) + len(c.newcomers); met != want {
				t.Errorf("the walk met %d users, want %d", met, want)
			}
			return all
		}
	}
}

// A hundred members more cost about the same whether a group is empty or very large: in money …
func TestCostOfAHundredMembersMore(t *testing.T) {
	onBilled(t, func(t *testing.T, tab table.Table) {
		aHundredMore(t, tab, tab, "dollars", table.Usage.Dollars)
	})
}

// … and in calls that wait for each other.
func TestCallsThatWaitForAHundredMembersMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tab := memory(t)
		aHundredMore(t, tab, slow{tab, time.Millisecond}, "calls that wait", func(u table.Usage) float64 { return float64(u.RoundTrips) })
	})
}

func aHundredMore(t *testing.T, seeded, measured table.Table, name string, figure func(table.Usage) float64) {
	t.Helper()
	_, size := scales(seeded)
	size = min(size, 100_000)
	c, err := newCompany(t.Context(), seeded, "test", size, 0, size)
	if err != nil {
		t.Fatal(err)
	}
	cost := func(size int) map[string]float64 {
		u, err := addsAll(size).once(t.Context(), c.over(measured))
		if err != nil {
			t.Fatal(err)
		}
		return map[string]float64{name: figure(u)}
	}
	within(t, "add 100", 1.1, cost(0), cost(size))
}
