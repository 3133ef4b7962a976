package tabletest

import (
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

// RunSchedules simulates n schedules in parallel, from the seed first on, and reports those that fail. After a failure, it
// begins no schedule with a greater seed. newWorker is called once for each worker; what it returns simulates one schedule,
// and returns the first violation, or "". A failure names the flag -seed of the calling test, which repeats it.
func RunSchedules(t *testing.T, first, n int, newWorker func() func(seed uint64) (failure string)) {
	t.Helper()
	dir, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	end, workers := first+n, runtime.GOMAXPROCS(0) // end is exclusive, and is lowered to the first seed that fails
	isBeforeEnd := func(seed int) bool {
		mu.Lock()
		defer mu.Unlock()
		return seed < end
	}
	t.Run("seeds", func(t *testing.T) {
		for shard := range workers {
			simulate := newWorker()
			t.Run(fmt.Sprint(shard), func(t *testing.T) {
				t.Parallel()
				for seed := first + shard; isBeforeEnd(seed); seed += workers {
					failure := simulate(uint64(seed))
					if failure == "" {
						continue
					}
					t.Errorf("seed %d: %s\nrepeat: go test ./internal/%s -run TestSimulation -v -seed %[1]d", seed, failure, filepath.Base(dir))
					mu.Lock()
					end = min(end, seed)
					mu.Unlock()
				}
			})
		}
	})
}
