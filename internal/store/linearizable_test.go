package store_test

import (
	"context"
	"crypto/rand"
	"math"
	mathrand "math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/dynamo"
	"serverless-scim/internal/table/tabletest"
)

// onEachFaulty runs a test on an embedded table, on a table with partial visibility, and on a table of each DynamoDB
// emulator. The connection to an emulator has conflicts, lost responses and repeated requests. On every table, the
// outcome of some writes is unknown.
func onEachFaulty(t *testing.T, test func(t *testing.T, tab table.Table, rounds int)) {
	t.Parallel()
	t.Run("bolt", func(t *testing.T) {
		t.Parallel()
		test(t, withUnknownOutcomes(directorytest.NewTable(t)), 9)
	})
	t.Run("partial", func(t *testing.T) {
		t.Parallel()
		step := func() { time.Sleep(time.Duration(mathrand.IntN(300)) * time.Microsecond) }
		test(t, withUnknownOutcomes(&tabletest.PartialVisibility{Table: directorytest.NewTable(t), Step: step}), 9)
	})
	if len(directorytest.Endpoints()) == 0 {
		t.Run("dynamo", func(t *testing.T) {
			t.Skipf("set %s to the address of a DynamoDB emulator", directorytest.EndpointsVariable)
		})
	}
	for _, endpoint := range directorytest.Endpoints() {
		t.Run(endpoint, func(t *testing.T) {
			t.Parallel()
			direct, name := dynamo.NewClient(dynamo.ClientConfig{Endpoint: endpoint}), "linearizable-"+rand.Text()
			if err := dynamo.New(direct, name).Create(t.Context()); err != nil {
				t.Fatal(err)
			}
			wire := &tabletest.Wire{Seed: 1, Delay: 5 * time.Millisecond, Chance: map[tabletest.Fault]float64{
				tabletest.Conflict: 0.3, tabletest.Lost: 0.1, tabletest.Doubled: 0.1, tabletest.Short: 0.1, tabletest.Slow: 0.05,
			}}
			t.Cleanup(wire.Wait)
			faulty := dynamodb.New(direct.Options(), func(o *dynamodb.Options) { o.HTTPClient = &http.Client{Transport: wire} })
			options := func(o *dynamo.Options) { o.Timeout, o.Backoff = 50*time.Millisecond, shortBackoff }
			test(t, dynamo.New(faulty, name, options), 3)
		})
	}
}

var shortBackoff = table.Backoff{Base: time.Millisecond, Cap: 10 * time.Millisecond}

// withUnknownOutcomes returns a table on which some writes return a transient error, whether they took effect or not.
func withUnknownOutcomes(t table.Table) table.Table {
	fail := func(c tabletest.Call) error {
		if c.Method == "Write" && mathrand.IntN(40) == 0 {
			return &table.TransientError{Err: context.DeadlineExceeded}
		}
		return nil
	}
	return tabletest.Faults{Table: t, Before: fail, After: fail}
}

// A history holds the requests of all clients and their responses. Its clock ticks at each request and each response.
type history struct {
	*directorytest.Fixture
	clock      atomic.Int64
	mu         sync.Mutex
	operations []porcupine.Operation
}

func newHistory(f *directorytest.Fixture) *history {
	f.Configure(func(c *directory.Config) { c.Store.Backoff = shortBackoff })
	return &history{Fixture: f}
}

// unknownOutcome is the output of a request that may have taken effect, or may still. It returns after all others.
type unknownOutcome struct{}

// An observation is an operation of a model and its output.
type observation struct{ in, out any }

// send sends a request with a random deadline, and records its observations. A request can have several: operations
// that happen while it runs.
func (h *history) send(client int, request func(f *directorytest.Fixture) []observation) {
	// With less than the deadline reserve, the request leaves a committed change to the sweep and other requests.
	timeout := []time.Duration{20 * time.Millisecond, time.Second, 4 * time.Second}[mathrand.IntN(3)]
	ctx, cancel := context.WithTimeout(h.Ctx, timeout)
	defer cancel()
	begin := h.clock.Add(1)
	observations := request(withContext(ctx, h.Fixture))
	end := h.clock.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, observed := range observations {
		o := porcupine.Operation{ClientId: client, Input: observed.in, Call: begin, Output: observed.out, Return: end}
		if observed.out == (unknownOutcome{}) {
			o.Return = math.MaxInt64
		}
		h.operations = append(h.operations, o)
	}
}

// runClients runs clients that each take some steps, and concurrent sweeps that take every intent for abandoned. Then
// it sweeps until nothing is unfinished.
func (h *history) runClients(clients, steps int, step func(client int)) {
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			for range steps {
				step(c)
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-time.After(5 * time.Millisecond):
			h.sweepAll()
		}
	}
	for n := 0; h.sweepAll() != (store.SweepResult{}) && n < 20; n++ {
		time.Sleep(time.Millisecond)
	}
	h.CheckIdle()
}

// sweepAll runs a sweep whose clock is an hour ahead. A deadline would have passed by that clock, so the sweep is
// canceled instead.
func (h *history) sweepAll() store.SweepResult {
	c := h.Config.Store
	c.Now = func() time.Time { return time.Now().Add(time.Hour) }
	ctx, cancel := context.WithCancel(h.Ctx)
	defer time.AfterFunc(2*time.Second, cancel).Stop()
	result, err := store.Sweep(ctx, c)
	if err != nil {
		result.Unfinished++ // something may remain
	}
	if err != nil && !table.IsTransient(err) {
		h.Error(err)
	}
	return result
}

// checkLinearizable fails the test unless the model allows the history.
func (h *history) checkLinearizable(name string, m porcupine.Model) {
	h.Helper()
	if result := porcupine.CheckOperationsTimeout(m, h.operations, time.Minute); result != porcupine.Ok {
		h.Errorf("%s: %s", name, result)
		for _, o := range h.operations {
			h.Logf("client %d [%d, %d] %+v → %+v", o.ClientId, o.Call, o.Return, o.Input, o.Output)
		}
	}
}

// outputOf returns the output of a request: success if err is nil, the status of 404 and 409, or unknownOutcome.
func (h *history) outputOf(err error, success any) any {
	switch status := directorytest.Status(err); {
	case err == nil:
		return success
	case table.IsTransient(err):
		return unknownOutcome{}
	case status == 404 || status == 409:
		return status
	}
	h.Error(err)
	return unknownOutcome{}
}

// sequence returns a history in which each request begins after the response to the one before. Requests with an
// unknown outcome continue to the end.
func sequence(steps []observation) (operations []porcupine.Operation) {
	for i, step := range steps {
		o := porcupine.Operation{Input: step.in, Output: step.out, Call: int64(2 * i), Return: int64(2*i + 1)}
		if step.out == (unknownOutcome{}) {
			o.Return = math.MaxInt64
		}
		operations = append(operations, o)
	}
	return operations
}

func search(f *directorytest.Fixture, rt *scim.ResourceType, text string) (*directory.ListResult, error) {
	return f.List(f.Ctx, directory.ListParams{
		Types: directorytest.Only(rt), Filter: directorytest.Parse(f, text), StartIndex: 1, Count: 100,
	})
}
