package tabletest

import (
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"serverless-scim/internal/table"
)

func concurrentRules() []rule {
	return []rule{
		{"one winner", "of concurrent writers with the condition NotExists on an item, exactly one succeeds",
			checkOneWinner},
		{"no lost update", "an update with a condition on the version that its writer read is applied exactly once",
			checkNoLostUpdate},
		{"add", "an Add without a condition is applied exactly once", checkAdd},
		{"one instant", "a Snapshot sees all of a transaction or nothing of it", checkOneInstant},
	}
}

func checkOneWinner(s *subject) {
	var g errgroup.Group
	var winners atomic.Int32
	k := key("p", "name")
	for i := range 64 {
		g.Go(func() error {
			err := s.Write(s.ctx, table.Put{Item: item(k, "by", i), If: []table.Condition{table.NotExists()}},
				table.Put{Item: item(key("winner", fmt.Sprint(i)))})
			if err == nil {
				winners.Add(1)
			} else if !is[*table.ConditionError](err) {
				return err
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		s.Fatal(err)
	}
	if n := len(s.query(table.Range{PK: "winner"}).Items); winners.Load() != 1 || n != 1 {
		s.Errorf("%d writers succeeded, and %d wrote their second item, want 1 and 1", winners.Load(), n)
	}
}

func checkNoLostUpdate(s *subject) {
	const writers, updates = 32, 4
	k := key("p", "head")
	s.put(item(k, "ver", 0))
	var g errgroup.Group
	for i := range writers {
		g.Go(func() error {
			for n := range updates {
				if err := increment(s, k, key("update", fmt.Sprint(i, " ", n))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		s.Fatal(err)
	}
	s.checkStored(k, item(k, "ver", writers*updates))
	if n := len(s.query(table.Range{PK: "update"}).Items); n != writers*updates {
		s.Errorf("%d updates took effect, want %d", n, writers*updates)
	}
}

// increment adds 1 to the version, on the condition that it has not changed since increment read it, and puts a record.
// It repeats this until the condition holds.
func increment(s *subject, k, record table.Key) error {
	for {
		items, err := s.Get(s.ctx, nil, k)
		if err != nil || len(items) != 1 {
			return fmt.Errorf("%d items: %w", len(items), err)
		}
		version := items[0]["ver"]
		isCurrent := []table.Condition{table.Equals("ver", version)}
		err = s.Write(s.ctx, table.Put{Item: item(record), If: []table.Condition{table.NotExists()}},
			table.Update{Key: k, Add: table.Item{"ver": table.N(1)}, If: isCurrent})
		if !is[*table.ConditionError](err) {
			return err
		}
	}
}

func checkAdd(s *subject) {
	k := key("p", "count")
	var g errgroup.Group
	var want []string
	for i := range 32 {
		want = append(want, fmt.Sprint(i))
		g.Go(func() error {
			add := table.Item{"n": value(i), "set": value([]string{fmt.Sprint(i)})}
			return s.Write(s.ctx, table.Update{Key: k, Add: add})
		})
	}
	if err := g.Wait(); err != nil {
		s.Fatal(err)
	}
	s.checkStored(k, item(k, "n", 32*31/2, "set", want))
}

func checkOneInstant(s *subject) {
	a, b := key("p", "a"), key("q", "b")
	s.put(item(a, "n", 0), item(b, "n", 0))
	var g errgroup.Group
	var done atomic.Bool
	g.Go(func() error {
		defer done.Store(true)
		for n := range 100 {
			set := table.Item{"n": value(n)}
			if err := s.Write(s.ctx, table.Update{Key: a, Set: set}, table.Update{Key: b, Set: set}); err != nil {
				return err
			}
		}
		return nil
	})
	for range 2 {
		g.Go(func() error {
			for !done.Load() {
				items, err := s.Snapshot(s.ctx, a, b)
				if err != nil {
					return err
				}
				if len(items) != 2 || table.IntValue(items[0]["n"]) != table.IntValue(items[1]["n"]) {
					return fmt.Errorf("the Snapshot has part of a transaction: %s", list(items))
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		s.Error(err)
	}
}
