package directory_test

import (
	"flag"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/dynamo"
	"serverless-scim/internal/table/tabletest"
)

var million = flag.Bool("million", false, "use a million users in an embedded table, in benchmarks and tests of cost")

// onBilled runs a test on the tables whose usage is that of DynamoDB. The usage of a table with partial visibility is
// not.
func onBilled(t *testing.T, test func(*testing.T, table.Table)) {
	directorytest.OnEach(t, func(t *testing.T, tab table.Table) {
		if _, isPartial := tab.(*tabletest.PartialVisibility); !isPartial {
			test(t, tab)
		}
	})
}

// companySizes returns the number of people of a small company and of a large one.
func companySizes(tab table.Table) (small, large int) {
	_, isDynamo := tab.(*dynamo.Table)
	switch {
	case isDynamo:
		return 1000, 3000 // a smaller company has less than a page of groups
	case *million:
		return 1000, 1_000_000
	case testing.Short() || directorytest.RaceEnabled():
		return 1000, 5000
	default:
		return 1000, 10_000
	}
}

// newCompanies returns a small company and a large one, with groups of the same sizes.
func newCompanies(t *testing.T, tab table.Table) (small, large *directorytest.Company) {
	t.Helper()
	n, m := companySizes(tab)
	small, err := directorytest.NewCompany(t.Context(), tab, "small", n, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	large, err = directorytest.NewCompany(t.Context(), tab, "large", m, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	return small, large
}

// costs holds figures of a table.Usage, by name.
type costs map[string]float64

func costsOf(u table.Usage) costs {
	return costs{"calls": float64(u.Calls), "items read": float64(u.ItemsRead), "items written": float64(u.ItemsWritten),
		"RRU": u.ReadUnits, "WRU": u.WriteUnits}
}

// checkGrowth fails the test if a cost in a large directory is more than factor times the same cost in a small one.
func checkGrowth(t *testing.T, operation string, factor float64, small, large costs) {
	t.Helper()
	for name, cost := range small {
		if large[name] > factor*cost {
			t.Errorf("%s: %g %s in a large directory, more than %g times the %g in a small one",
				operation, large[name], name, factor, cost)
		}
	}
}

// totalCosts runs an operation several times, each time on another resource, and returns the sums of the costs.
func totalCosts(t *testing.T, c *directorytest.Company, o operation, times int) costs {
	t.Helper()
	sum := costs{}
	for range times {
		u, err := o.measure(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		for name, cost := range costsOf(u) {
			sum[name] += cost
		}
	}
	return sum
}

// An operation that a key leads to costs the same in a small directory as in a large one.
func TestCostOfOperationsDoesNotGrow(t *testing.T) {
	onBilled(t, func(t *testing.T, tab table.Table) {
		small, large := newCompanies(t, tab)
		for _, o := range slices.Concat(operations, groupOperations(0), groupOperations(100)) {
			t.Run(o.name, func(t *testing.T) {
				checkGrowth(t, o.name, 1.05, totalCosts(t, small, o, 20), totalCosts(t, large, o, 20))
			})
		}
	})
}

// No page of a walk through a large directory costs more than the most expensive page of a small one.
func TestCostOfPagesDoesNotGrow(t *testing.T) {
	onBilled(t, func(t *testing.T, tab table.Table) {
		small, large := newCompanies(t, tab)
		for name, first := range map[string]directory.ListParams{
			"by startIndex": {StartIndex: 1, Count: 100, Client: "r"},
			"by cursor":     {Count: 100, Client: "r"},
		} {
			t.Run(name, func(t *testing.T) {
				highest := costs{}
				for _, page := range pageCosts(t, small, first) {
					for name, cost := range page {
						highest[name] = max(highest[name], cost)
					}
				}
				for i, page := range pageCosts(t, large, first) {
					if checkGrowth(t, name, 1.05, highest, page); t.Failed() {
						t.Fatalf("this is page %d", i+1)
					}
				}
			})
		}
	})
}

// pageCosts lists all users and returns the costs of each page.
func pageCosts(t *testing.T, c *directorytest.Company, p directory.ListParams) (pages []costs) {
	t.Helper()
	p.Types = directorytest.Only(c.User)
	for listed := 0; ; {
		ctx, usage := table.WithUsage(t.Context())
		l, err := c.List(ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		pages, listed = append(pages, costsOf(usage())), listed+len(l.Resources)
		if !directorytest.NextPage(&p, l) {
			if want := len(c.People) + len(c.Newcomers); listed != want {
				t.Errorf("the pages hold %d users, want %d", listed, want)
			}
			return pages
		}
	}
}

// To add 100 members to a very large group costs about as much money as to add them to an empty group.
func TestCostOfAHundredMembersDoesNotGrow(t *testing.T) {
	onBilled(t, func(t *testing.T, tab table.Table) {
		checkCostOfAHundredMembers(t, tab, tab, "dollars", table.Usage.Dollars)
	})
}

// To add 100 members to a very large group takes about as many round trips as to add them to an empty group.
func TestRoundTripsOfAHundredMembersDoNotGrow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tab := directorytest.NewTable(t)
		roundTrips := func(u table.Usage) float64 { return float64(u.RoundTrips) }
		checkCostOfAHundredMembers(t, tab, directorytest.Slow(tab, time.Millisecond), "round trips", roundTrips)
	})
}

// checkCostOfAHundredMembers seeds a company in one table, and measures the cost in another one, which wraps the first.
func checkCostOfAHundredMembers(t *testing.T, seeded, measured table.Table, name string, cost func(table.Usage) float64) {
	t.Helper()
	_, size := companySizes(seeded)
	size = min(size, 100_000)
	c, err := directorytest.NewCompany(t.Context(), seeded, "test", size, 0, size)
	if err != nil {
		t.Fatal(err)
	}
	costsFor := func(size int) costs {
		u, err := addHundred(size).measure(t.Context(), c.Over(measured))
		if err != nil {
			t.Fatal(err)
		}
		return costs{name: cost(u)}
	}
	checkGrowth(t, "add 100", 1.1, costsFor(0), costsFor(size))
}
