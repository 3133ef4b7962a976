package directory

import (
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/table/dynamo"
)

var million = flag.Bool("million", false, "a million users in benchmarks and tests of cost, in the embedded table")

// BenchmarkCost tells for each operation what it costs: by the embedded table and by each DynamoDB endpoint that the
// variable names, by the size of the directory and of the group. What is made before is not measured.
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
	for endpoint := range strings.FieldsFuncSeq(os.Getenv(variable), func(r rune) bool { return r == ',' }) {
		b.Run(strings.TrimPrefix(endpoint, "http://"), func(b *testing.B) {
			d := dynamo.New(dynamo.NewClient(dynamo.ClientConfig{Endpoint: endpoint}), "bench-"+rand.Text())
			if err := d.Create(b.Context()); err != nil {
				b.Fatal(err)
			}
			benchmarkSizes(b, d, 1000, 100_000)
		})
	}
}

// benchmarkSizes makes a tenant of each size, with groups of these sizes.
func benchmarkSizes(b *testing.B, tab table.Table, sizes ...int) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			groups := slices.DeleteFunc([]int{0, 1000, 100_000}, func(size int) bool { return size > n })
			begin := time.Now()
			c, err := newCompany(b.Context(), tab, fmt.Sprint("of ", n), n, groups...)
			if err != nil {
				b.Fatal(err)
			}
			b.Logf("%d users seeded in %v", n, time.Since(begin).Round(100*time.Millisecond))
			for _, o := range slices.Concat(operations, pages) {
				b.Run(o.name, func(b *testing.B) { c.benchmark(b, o) })
			}
			for _, size := range groups {
				for _, o := range groupOperations(size) {
					b.Run(fmt.Sprintf("group of %d/%s", size, o.name), func(b *testing.B) { c.benchmark(b, o) })
				}
			}
		})
	}
}

func (c *company) benchmark(b *testing.B, o operation) {
	waits := c.waits(b, o)
	metered, usage := table.WithUsage(b.Context())
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		on, err := o.before(b.Context(), c)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		err = o.do(metered, c, on)
		b.StopTimer()
		if err == nil && o.after != nil {
			err = o.after(b.Context(), c, on)
		}
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	u, n := usage(), float64(b.N)
	b.ReportMetric(float64(waits), "waits")
	b.ReportMetric(float64(u.Calls)/n, "calls")
	b.ReportMetric(float64(u.ItemsRead)/n, "read")
	b.ReportMetric(float64(u.ItemsWritten)/n, "written")
	b.ReportMetric(u.ReadUnits/n, "RRU")
	b.ReportMetric(u.WriteUnits/n, "WRU")
	b.ReportMetric(1e6*u.Dollars()/n, "$/million")
}

// waits is how many calls wait for each other, where each takes long enough for those that can overlap to do so: at
// worst they miss each other.
func (c *company) waits(b *testing.B, o operation) int {
	least := 0
	for range 3 {
		u, err := o.once(b.Context(), c.over(slow{c.raw, time.Millisecond}))
		if err != nil {
			b.Fatal(err)
		}
		if least == 0 || u.RoundTrips < least {
			least = u.RoundTrips
		}
	}
	return least
}
