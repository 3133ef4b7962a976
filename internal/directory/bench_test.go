package directory_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
)

// BenchmarkCost reports the time and the cost of each operation, by table, size of the directory and size of the group.
// The tables are an embedded table in a file and a table of each DynamoDB emulator.
//
//	go test ./internal/directory -run '^$' -bench Cost -benchtime 50x
func BenchmarkCost(b *testing.B) {
	b.Run("bolt", func(b *testing.B) {
		sizes := []int{1000, 100_000}
		if *million {
			sizes = append(sizes, 1_000_000)
		}
		path := filepath.Join(b.TempDir(), "scim.db")
		file, err := bolt.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		defer file.Close()
		benchmarkSizes(b, file, sizes...)
		if info, err := os.Stat(path); err == nil {
			b.Logf("the file has %d MB", info.Size()>>20)
		}
	})
	for _, endpoint := range directorytest.Endpoints() {
		b.Run(strings.TrimPrefix(endpoint, "http://"), func(b *testing.B) {
			benchmarkSizes(b, directorytest.NewDynamoTable(b, endpoint), 1000, 100_000)
		})
	}
}

// benchmarkSizes runs all operations on companies with these numbers of people, each of another tenant.
func benchmarkSizes(b *testing.B, tab table.Table, sizes ...int) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			groups := slices.DeleteFunc([]int{0, 1000, 100_000}, func(size int) bool { return size > n })
			start := time.Now()
			c, err := directorytest.NewCompany(b.Context(), tab, fmt.Sprint("of ", n), n, groups...)
			if err != nil {
				b.Fatal(err)
			}
			b.Logf("%d users seeded in %v", n, time.Since(start).Round(100*time.Millisecond))
			for _, o := range slices.Concat(operations, pageOperations) {
				b.Run(o.name, func(b *testing.B) { benchmark(b, c, o) })
			}
			for _, size := range groups {
				for _, o := range groupOperations(size) {
					b.Run(fmt.Sprintf("group of %d/%s", size, o.name), func(b *testing.B) { benchmark(b, c, o) })
				}
			}
		})
	}
}

// benchmark measures an operation without its before and after.
func benchmark(b *testing.B, c *directorytest.Company, o operation) {
	roundTrips := minRoundTrips(b, c, o)
	metered, usage := table.WithUsage(b.Context())
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		target, err := o.before(b.Context(), c)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		err = o.do(metered, c, target)
		b.StopTimer()
		if err == nil && o.after != nil {
			err = o.after(b.Context(), c, target)
		}
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	u, n := usage(), float64(b.N)
	b.ReportMetric(float64(roundTrips), "waits")
	b.ReportMetric(float64(u.Calls)/n, "calls")
	b.ReportMetric(float64(u.ItemsRead)/n, "read")
	b.ReportMetric(float64(u.ItemsWritten)/n, "written")
	b.ReportMetric(u.ReadUnits/n, "RRU")
	b.ReportMetric(u.WriteUnits/n, "WRU")
	b.ReportMetric(1e6*u.Dollars()/n, "$/million")
}

// minRoundTrips returns the smallest number of round trips of three attempts. Calls that can overlap sometimes do not,
// which makes the number of one attempt too large.
func minRoundTrips(b *testing.B, c *directorytest.Company, o operation) int {
	least := 0
	for range 3 {
		u, err := o.measure(b.Context(), c.Over(directorytest.Slow(c.Table, time.Millisecond)))
		if err != nil {
			b.Fatal(err)
		}
		if least == 0 || u.RoundTrips < least {
			least = u.RoundTrips
		}
	}
	return least
}
