package directory

import (
	"context"
	"crypto/rand"
	"math"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/dynamo"
	"serverless-scim/internal/table/tabletest"
)

// onEachWire runs a test on the embedded table, on one that shows transactions in part, and at each DynamoDB endpoint
// that the variable names, over a wire with conflicts, lost answers and duplicates. On each of them some requests end
// without anybody knowing whether they happened.
func onEachWire(t *testing.T, test func(t *testing.T, tab table.Table, rounds int)) {
	t.Parallel()
	t.Run("bolt", func(t *testing.T) {
		t.Parallel()
		test(t, forgetful(memory(t)), 9)
	})
	t.Run("partial", func(t *testing.T) {
		t.Parallel()
		step := func() { time.Sleep(time.Duration(mathrand.IntN(300)) * time.Microsecond) }
		test(t, forgetful(&tabletest.PartialVisibility{Table: memory(t), Step: step}), 9)
	})
	endpoints := strings.FieldsFunc(os.Getenv(variable), func(r rune) bool { return r == ',' })
	if len(endpoints) == 0 {
		t.Run("dynamo", func(t *testing.T) { t.Skipf("set %s to the address of a DynamoDB emulator", variable) })
	}
	for _, endpoint := range endpoints {
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
			through := dynamodb.New(direct.Options(), func(o *dynamodb.Options) { o.HTTPClient = &http.Client{Transport: wire} })
			test(t, dynamo.New(through, name, func(o *dynamo.Options) { o.Timeout, o.Backoff = 50*time.Millisecond, quick }), 3)
		})
	}
}

var quick = table.Backoff{Base: time.Millisecond, Cap: 10 * time.Millisecond}

// forgetful is a table some of whose writes are given up, done or not.
func forgetful(t table.Table) table.Table {
	giveUp := func(c tabletest.Call) error {
		if c.Method == "Write" && mathrand.IntN(40) == 0 {
			return &table.TransientError{Err: context.DeadlineExceeded}
		}
		return nil
	}
	return tabletest.Faults{Table: t, Before: giveUp, After: giveUp}
}

// history is what clients asked and were told, in the order of a clock that ticks at each request and each answer.
type history struct {
	*fixture
	clock atomic.Int64
	mu    sync.Mutex
	seen  []porcupine.Operation
}

// unknown is the answer to a request that may have happened, or may yet: it ends after all others.
type unknown struct{}

// view is what a request shows: an operation, and its answer.
type view struct{ in, out any }

// request makes a request with some time for it. It may have several views: operations that happen during it.
func (h *history) request(client int, make func(f *fixture) []view) {
	f, left := *h.fixture, []time.Duration{20 * time.Millisecond, time.Second, 4 * time.Second}[mathrand.IntN(3)]
	ctx, cancel := context.WithTimeout(h.ctx, left) // with less than 3 s it leaves what is committed to others
	defer cancel()
	f.ctx = ctx
	begin := h.clock.Add(1)
	views := make(&f)
	end := h.clock.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, v := range views {
		o := porcupine.Operation{ClientId: client, Input: v.in, Call: begin, Output: v.out, Return: end}
		if v.out == (unknown{}) {
			o.Return = math.MaxInt64
		}
		h.seen = append(h.seen, o)
	}
}

// atOnce runs clients, each of which takes some steps, and a sweep that takes every writer for dead.
func (h *history) atOnce(clients, steps int, step func(client int)) {
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
	for busy := true; busy; {
		select {
		case <-done:
			busy = false
		case <-time.After(5 * time.Millisecond):
			h.sweepOld()
		}
	}
	for n := 0; h.sweepOld() != (SweepResult{}) && n < 20; n++ {
		time.Sleep(time.Millisecond)
	}
	h.quiet()
}

// sweepOld sweeps as if everything were old. It has no deadline, which would be over by its clock, but an end.
func (h *history) sweepOld() SweepResult {
	c := h.Config
	c.Now = func() time.Time { return time.Now().Add(time.Hour) }
	ctx, cancel := context.WithCancel(h.ctx)
	defer time.AfterFunc(2*time.Second, cancel).Stop()
	did, err := Sweep(ctx, c)
	if err != nil {
		did.Unfinished++ // perhaps
	}
	if err != nil && !IsTransient(err) {
		h.Error(err)
	}
	return did
}

// linearizable fails the test unless the history is one of the model's, in an order in which nothing begins before
// what it was begun after.
func (h *history) linearizable(what string, m porcupine.Model) {
	h.Helper()
	if got := porcupine.CheckOperationsTimeout(m, h.seen, time.Minute); got != porcupine.Ok {
		h.Errorf("%s: %s", what, got)
		for _, o := range h.seen {
			h.Logf("client %d [%d, %d] %+v → %+v", o.ClientId, o.Call, o.Return, o.Input, o.Output)
		}
	}
}

// answer is what an error says, or what is expected if there is none.
func (h *history) answer(err error, expected any) any {
	switch s := status(err); {
	case err == nil:
		return expected
	case IsTransient(err):
		return unknown{}
	case s == 404 || s == 409:
		return s
	}
	h.Error(err)
	return unknown{}
}

// sequence is a history in which each request follows the answer to the one before, and unknown ones go on.
func sequence(steps []view) (all []porcupine.Operation) {
	for i, v := range steps {
		o := porcupine.Operation{Input: v.in, Output: v.out, Call: int64(2 * i), Return: int64(2*i + 1)}
		if v.out == (unknown{}) {
			o.Return = math.MaxInt64
		}
		all = append(all, o)
	}
	return all
}

func (f *fixture) search(rt *scim.ResourceType, text string) (*ListResult, error) {
	f.Helper()
	e, err := filter.Parse(text)
	if err != nil {
		f.Fatal(err)
	}
	return f.List(f.ctx, Params{Types: only(rt), Filter: e, StartIndex: 1, Count: 100})
}
