package tabletest

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"testing"

	"serverless-scim/internal/table"
)

// run plays a few processes that move money between two accounts, and tells all that happens as one number.
func run(seed uint64, watch func(*Simulation, error)) (trace uint64, s *Simulation) {
	h := fnv.New64a()
	s = NewSimulation(seed)
	s.Trace = func(format string, args ...any) { fmt.Fprintf(h, format+"\n", args...) }
	a, b := key("p", "a"), key("q", "b")
	s.Store(item(a, "n", 0), item(b, "n", 0))
	for range 3 {
		s.Start(func() {
			ctx := s.Begin(nil)
			for range 3 {
				move(ctx, s, a, b)
			}
		})
	}
	s.Start(func() {
		ctx := s.Begin(nil)
		for range 5 {
			watch(s, looks(ctx, s, a, b))
		}
	})
	s.Run(false)
	return h.Sum64(), s
}

func move(ctx context.Context, s *Simulation, a, b table.Key) {
	n := table.N(int64(s.Int(10)))
	err := s.Together(
		func() error {
			return s.Write(ctx, table.Update{Key: a, Add: table.Item{"n": n}}, table.Update{Key: b, Add: table.Item{"n": n}})
		},
		func() error { return s.Backoff().Wait(ctx, 1) },
	)
	s.Log("moved %v: %v", n, err)
}

// looks gives an error unless a Snapshot shows both accounts as equal; plain reads need not.
func looks(ctx context.Context, s *Simulation, a, b table.Key) error {
	items, err := s.Snapshot(ctx, a, b)
	if err != nil {
		return err
	}
	if table.IntValue(items[0]["n"]) != table.IntValue(items[1]["n"]) {
		return fmt.Errorf("torn: %s", list(items))
	}
	items, err = s.Get(ctx, nil, a, b)
	if err == nil && table.IntValue(items[0]["n"]) != table.IntValue(items[1]["n"]) {
		return errTorn
	}
	return err
}

var errTorn = errors.New("torn")

func TestTheSameSeedGivesTheSameRun(t *testing.T) {
	t.Parallel()
	different := map[uint64]bool{}
	for seed := range uint64(200) {
		one, _ := run(seed, func(*Simulation, error) {})
		two, _ := run(seed, func(*Simulation, error) {})
		if one != two {
			t.Errorf("seed %d gives two runs", seed)
		}
		different[one] = true
	}
	if len(different) < 190 {
		t.Errorf("200 seeds give %d runs", len(different))
	}
}

// Whatever the seed, a transaction is done wholly or not at all; plain reads may see it in part, a Snapshot never does;
// and all that may happen does happen in some run.
func TestSimulationIsATable(t *testing.T) {
	t.Parallel()
	var all Events
	torn := 0
	for seed := range uint64(500) {
		_, s := run(seed, func(s *Simulation, err error) {
			var busy *table.TransientError
			if err == errTorn {
				torn++
			} else if err != nil && !errors.As(err, &busy) {
				s.Fail("%v", err)
			}
		})
		a, seen, lagging := s.Peek(key("p", "a"))
		b, _, _ := s.Peek(key("q", "b"))
		if s.Failure() != "" || lagging || text(a) != text(seen) || table.IntValue(a["n"]) != table.IntValue(b["n"]) {
			t.Errorf("seed %d: %s; in the end %s and %s", seed, s.Failure(), text(a), text(b))
		}
		all.Add(s.Events)
	}
	if all.Kills*all.Conflicts*all.Lost*all.Late*all.Expired*all.Stale*torn == 0 {
		t.Errorf("%+v, %d torn reads: want some of each", all, torn)
	}
}

func TestSimulationRefusesWhatDynamoDBDoes(t *testing.T) {
	t.Parallel()
	s := NewSimulation(1)
	s.StopFaults()
	s.Actions = 2
	k := key("p", "s")
	s.Start(func() {
		ctx := s.Begin(nil)
		var invalid *table.InvalidError
		if err := s.Write(ctx, table.Delete{Key: k}, table.Delete{Key: k}); !errors.As(err, &invalid) {
			t.Errorf("two actions on an item: %v", err)
		}
		err := s.Write(ctx, table.Update{Key: k, Add: table.Item{"n": table.N(1)}, If: []table.Condition{table.Exists()}})
		if failures(err) == "" {
			t.Errorf("a condition that fails: %v", err)
		}
		s.Write(ctx, table.Delete{Key: k}, table.Delete{Key: key("p", "t")}, table.Delete{Key: key("p", "u")})
	})
	if s.Run(false); s.Failure() == "" {
		t.Error("three actions where two are allowed")
	}
}

// A page may end anywhere; all of them together are the range.
func TestSimulationPages(t *testing.T) {
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
						return // its deadline
					}
					if r.ExclusiveStart = page.LastEvaluatedKey.SK; r.ExclusiveStart == "" {
						break
					}
				}
				if n != 10 {
					t.Errorf("seed %d: %+v has %d items, want 10", seed, r, n)
				}
			}
		})
		s.Run(false)
	}
}
