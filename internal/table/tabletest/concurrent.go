package tabletest

import (
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"serverless-scim/internal/table"
)

func concurrentRules() []rule {
	return []rule{
		{"one winner", "of many writers with the condition that an item be absent exactly one wins", checkOneWinner},
		{"no lost update", "an update conditioned on the version it read is never lost, and never done twice", checkNoLostUpdate},
		{"relative", "relative changes need no condition: each counts once", checkRelative},
		{"one instant", "a Snapshot sees all of a transaction or none of it", checkOneInstant},
	}
}

func checkOneWinner(s *subject) {
	var g errgroup.Group
	var won atomic.Int32
	k := key("p", "name")
	for i := range 64 {
		g.Go(func() error {
			err := s.Write(s.ctx, table.Put{Item: item(k, "by", i), If: []table.Condition{table.NotExists()}},
				table.Put{Item: item(key("winner", fmt.Sprint(i)))})
			if err == nil {
				won.Add(1)
			} else if !is[*table.ConditionError](err) {
				return err
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		s.Fatal(err)
	}
	if n := len(s.query(table.Range{PK: "winner"}).Items); won.Load() != 1 || n != 1 {
		s.Errorf("%d writers won, %d left a mark", won.Load(), n)
	}
}

func checkNoLostUpdate(s *subject) {
	const writers, times = 32, 4
	k := key("p", "head")
	s.put(item(k, "ver", 0))
	var g errgroup.Group
	for i := range writers {
		g.Go(func() error {
			for n := range times {
				if err := increment(s, k, key("mark", fmt.Sprint(i, " ", n))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		s.Fatal(err)
	}
	s.holds(k, item(k, "ver", writers*times))
	if n := len(s.query(table.Range{PK: "mark"}).Items); n != writers*times {
		s.Errorf("%d of %d marks", n, writers*times)
	}
}

// increment moves the version on, however often others are faster.
func increment(s *subject, k, mark table.Key) error {
	for {
		items, err := s.Get(s.ctx, nil, k)
		if err != nil || len(items) != 1 {
			return fmt.Errorf("%d items: %w", len(items), err)
		}
		ver := items[0]["ver"]
		err = s.Write(s.ctx, table.Put{Item: item(mark), If: []table.Condition{table.NotExists()}},
			table.Update{Key: k, Add: table.Item{"ver": table.N(1)}, If: []table.Condition{table.Equals("ver", ver)}})
		if !is[*table.ConditionError](err) {
			return err
		}
	}
}

func checkRelative(s *subject) {
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
	s.holds(k, item(k, "n", 32*31/2, "set", want))
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
					return fmt.Errorf("torn: %s", list(items))
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		s.Error(err)
	}
}
