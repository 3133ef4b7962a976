package tabletest

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"testing"

	"serverless-scim/internal/table"
)

// run runs a few processes that add the same numbers to two accounts, and one that compares the accounts and passes the
// result to report. It returns a hash of the trace.
func run(seed uint64, report func(*Simulation, error)) (trace uint64, s *Simulation) {
	h := fnv.New64a()
	s = NewSimulation(seed)
	s.Trace = func(format string, args ...any) { fmt.Fprintf(h, format+"\n", args...) }
	a, b := key("p", "a"), key("q", "b")
	s.Store(item(a, "n", 0), item(b, "n", 0))
	for range 3 {
		s.Start(func() {
			ctx := s.Begin(nil)
			for range 3 {
				addToBoth(ctx, s, a, b)
			}
		})
	}
	s.Start(func() {
		ctx := s.Begin(nil)
		for range 5 {
			report(s, compareAccounts(ctx, s, a, b))
		}
	})
	s.Run(false)
	return h.Sum64(), s
}

// addToBoth adds a number to both accounts in one transaction, and waits at the same time.
func addToBoth(ctx context.Context, s *Simulation, a, b table.Key) {
	n := table.N(int64(s.Int(10)))
	err := s.Together(
		func() error {
			add := table.Item{"n": n}
			return s.Write(ctx, table.Update{Key: a, Add: add}, table.Update{Key: b, Add: add})
		},
		func() error { return s.Backoff().Wait(ctx, 1) },
	)
	s.Log("added %v: %v", n, err)
}

// compareAccounts returns an error if the accounts differ in a Snapshot, and errPartial if they differ in a plain read,
// which the contract allows.
func compareAccounts(ctx context.Context, s *Simulation, a, b table.Key) error {
	items, err := s.Snapshot(ctx, a, b)
	if err != nil {
		return err
	}
	if table.IntValue(items[0]["n"]) != table.IntValue(items[1]["n"]) {
		return fmt.Errorf("the Snapshot has part of a transaction: %s", list(items))
	}
	items, err = s.Get(ctx, nil, a, b)
	if err == nil && table.IntValue(items[0]["n"]) != table.IntValue(items[1]["n"]) {
		return errPartial
	}
	return err
}

var errPartial = errors.New("the plain read has part of a transaction")

func TestSameSeedLeadsToSameRun(t *testing.T) {
	t.Parallel()
	traces := map[uint64]bool{}
	for seed := range uint64(200) {
		first, _ := run(seed, func(*Simulation, error) {})
		second, _ := run(seed, func(*Simulation, error) {})
		if first != second {
			t.Errorf("seed %d leads to two different runs", seed)
		}
		traces[first] = true
	}
	if len(traces) < 190 {
		t.Errorf("200 seeds lead to %d different runs, want at least 190", len(traces))
	}
}

// With any seed, a transaction takes effect completely or not at all, and a Snapshot never sees part of one. Plain
// reads do in some run, and every kind of event occurs in some run.
func TestSimulationFollowsTheContract(t *testing.T) {
	t.Parallel()
	var all Events
	partialReads := 0
	for seed := range uint64(500) {
		_, s := run(seed, func(s *Simulation, err error) {
			if err == errPartial {
				partialReads++
			} else if err != nil && !is[*table.TransientError](err) {
				s.Fail("%v", err)
			}
		})
		a, visible, lagging := s.Peek(key("p", "a"))
		b, _, _ := s.Peek(key("q", "b"))
		equal := table.IntValue(a["n"]) == table.IntValue(b["n"])
		if s.Failure() != "" || lagging || text(a) != text(visible) || !equal {
			t.Errorf("seed %d: %s; the accounts are %s and %s", seed, s.Failure(), text(a), text(b))
		}
		all.Add(s.Events)
	}
	if all.Kills*all.Conflicts*all.Lost*all.Late*all.Expired*all.Stale*partialReads == 0 {
		t.Errorf("%+v, %d partial reads: want some of each", all, partialReads)
	}
}

func TestSimulationRejectsInvalidCalls(t *testing.T) {
	t.Parallel()
	s := NewSimulation(1)
	s.StopFaults()
	s.Actions = 2
	k := key("p", "s")
	s.Start(func() {
		ctx := s.Begin(nil)
		if err := s.Write(ctx, table.Delete{Key: k}, table.Delete{Key: k}); !is[*table.InvalidError](err) {
			t.Errorf("two actions on an item: %v, want an InvalidError", err)
		}
		exists := []table.Condition{table.Exists()}
		err := s.Write(ctx, table.Update{Key: k, Add: table.Item{"n": table.N(1)}, If: exists})
		if failedItems(err) == "" {
			t.Errorf("a failed condition: %v, want a ConditionError", err)
		}
		s.Write(ctx, table.Delete{Key: k}, table.Delete{Key: key("p", "t")}, table.Delete{Key: key("p", "u")})
	})
	if s.Run(false); s.Failure() == "" {
		t.Error("a transaction of three actions did not fail the run, want at most two")
	}
}

// A page may end anywhere. All pages together contain the range.
func TestSimulationPagesContainTheRange(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		s := NewSimulation(seed)
		for i := range 20 {
			s.Store(item(key("p", fmt.Sprintf("%c%02d", "ab"[i%2], i)), "n", i))
		}
		s.Start(func() {
			for _, r := range []table.Range{{PK: "p", Prefix: "b"}, {PK: "p", From: "b00", To: "b19", Limit: 3}} {
				ctx, n := s.Begin(nil), 0
				for {
					page, err := s.Query(ctx, r)
					if n += len(page.Items); err != nil {
						return // the deadline has passed
					}
					if r.ExclusiveStart = page.LastEvaluatedKey.SK; r.ExclusiveStart == "" {
						break
					}
				}
				if n != 10 {
					t.Errorf("seed %d: the pages of %+v have %d items, want 10", seed, r, n)
				}
			}
		})
		s.Run(false)
	}
}

// A simulated stream delivers each change of an item at least once. Apart from repetitions, it keeps the order of the
// changes, and a plain read never returns an older state than a delivered record.
func TestSimulatedStreamDeliversEveryChangeInOrder(t *testing.T) {
	t.Parallel()
	repeated := 0
	for seed := range uint64(500) {
		s := NewSimulation(seed)
		a, b := key("p", "a"), key("q", "b")
		s.Store(item(a, "n", 0), item(b, "n", 0))
		streams := s.Watch(func(table.Key) bool { return true })
		for range 2 {
			s.Start(func() {
				ctx := s.Begin(nil)
				for range 3 {
					add := table.Item{"n": table.N(1)}
					_ = s.Write(ctx, table.Update{Key: a, Add: add}, table.Update{Key: b, Add: add})
				}
			})
		}
		seen := map[table.Key]int64{}
		check := func(ctx context.Context, records []table.Record) error {
			for _, r := range records {
				switch n := table.IntValue(r.New["n"]); {
				case n == seen[r.Key]+1:
					seen[r.Key] = n
				case n > seen[r.Key]:
					t.Errorf("seed %d: %v is delivered with %d after %d", seed, r.Key, n, seen[r.Key])
				default:
					repeated++
				}
				if items, err := s.Get(ctx, nil, r.Key); err == nil && table.IntValue(items[0]["n"]) < table.IntValue(r.New["n"]) {
					t.Errorf("seed %d: a read of %v is older than its record", seed, r.Key)
				}
			}
			return ctx.Err()
		}
		receive := func() {
			for _, stream := range streams {
				s.Start(func() {
					for range 5 {
						_, _ = stream.Receive(s.Begin(nil), check)
					}
				})
			}
		}
		receive()
		s.Run(false)
		for s.StopFaults(); streams[0].Pending() || streams[1].Pending(); s.Run(false) {
			receive()
		}
		for _, k := range []table.Key{a, b} {
			if now, _, _ := s.Peek(k); table.IntValue(now["n"]) != seen[k] {
				t.Errorf("seed %d: %v is %d, and was delivered up to %d", seed, k, table.IntValue(now["n"]), seen[k])
			}
		}
	}
	if repeated == 0 {
		t.Error("no record was delivered again")
	}
}
