package tabletest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"serverless-scim/internal/table"
)

// WatchedSortKey is the sort key of the items that the stream of a table under test must deliver.
const WatchedSortKey = "@"

// RunStream checks every rule of table.Stream on a separate table. open must return an empty table and a stream of its
// items with the sort key WatchedSortKey, which may also deliver other items.
func RunStream(t *testing.T, open func(*testing.T) (table.Table, table.Stream)) {
	for _, r := range streamRules() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			t.Cleanup(func() {
				if t.Failed() {
					t.Log("rule: " + r.sentence)
				}
			})
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			t.Cleanup(cancel)
			tab, stream := open(t)
			r.check(&streamSubject{&subject{T: t, Table: tab, ctx: ctx}, stream})
		})
	}
}

type streamSubject struct {
	*subject
	stream table.Stream
}

type streamRule struct {
	name, sentence string
	check          func(*streamSubject)
}

func streamRules() []streamRule {
	return []streamRule{
		{"images", "a record has the key, the old image, and the new image of one changed item", checkImages},
		{"no change", "a write that changes nothing, and a transaction that fails, lead to no record with different images", checkNoRecord},
		{"transaction", "each watched item of a transaction has its own record", checkTransactionRecords},
		{"order", "the records of an item come in the order of its commits", checkRecordOrder},
		{"again", "records are delivered again if the handler returns an error", checkRedelivery},
	}
}

// receive returns the records of watched items with different images until there are n. It then reports further ones as errors.
func (s *streamSubject) receive(n int) (records []table.Record) {
	s.Helper()
	for idle := 0; len(records) < n || idle == 0; {
		got, err := s.stream.Receive(s.ctx, func(_ context.Context, batch []table.Record) error {
			for _, r := range batch {
				if r.Key.SK == WatchedSortKey && describeItem(r.Old) != describeItem(r.New) {
					records = append(records, r)
				}
			}
			return nil
		})
		if err != nil {
			s.Fatalf("Receive, after %d of %d records: %v", len(records), n, err)
		}
		if idle++; got > 0 {
			idle = 0
		} else {
			time.Sleep(10 * time.Millisecond) // an emulator may deliver later
		}
	}
	if len(records) > n {
		s.Errorf("%d records, want %d", len(records), n)
	}
	return records
}

func watched(i any) table.Key { return key(fmt.Sprint("p", i), WatchedSortKey) }

func checkImages(s *streamSubject) {
	k := watched("")
	first, second := item(k, "a", "x", "n", 7, "flag", true, "set", []string{"p", "q"}), item(k, "a", "y", "n", 8, "flag", true, "set", []string{"q"})
	s.put(first)
	s.write(table.Update{Key: k, Set: table.Item{"a": value("y")}, Add: table.Item{"n": value(1)}, Delete: table.Item{"set": value([]string{"p"})}})
	s.write(table.Delete{Key: k})
	records := s.receive(3)
	for i, want := range [][2]table.Item{{nil, first}, {first, second}, {second, nil}} {
		r := records[i]
		if r.Key != k || r.Err != nil || r.Expired || describeItem(r.Old) != describeItem(want[0]) || describeItem(r.New) != describeItem(want[1]) {
			s.Errorf("record %d is %+v, want the images %s and %s", i, r, describeItem(want[0]), describeItem(want[1]))
		}
		if age := time.Since(r.CommittedAt).Abs(); age > time.Hour {
			s.Errorf("record %d was committed at %v", i, r.CommittedAt)
		}
	}
}

func checkNoRecord(s *streamSubject) {
	k := watched("")
	it := item(k, "n", 1)
	s.put(it)
	s.put(it)
	s.write(table.Update{Key: k, Set: table.Item{"n": value(1)}})
	s.write(table.ConditionCheck{Key: k, If: []table.Condition{table.Exists()}}, table.Delete{Key: watched("missing")})
	err := s.Write(s.ctx, table.Put{Item: item(watched("other"))}, table.Put{Item: it, If: []table.Condition{table.NotExists()}})
	if !is[*table.ConditionError](err) {
		s.Error(err)
	}
	s.write(table.Delete{Key: k})
	if records := s.receive(2); records[0].Old != nil || records[1].New != nil {
		s.Errorf("records %+v, want those of the first write and of the last", records)
	}
}

func checkTransactionRecords(s *streamSubject) {
	const n = 99
	writes := []table.Write{table.Put{Item: item(key("p", "not watched"))}}
	for i := range n {
		writes = append(writes, table.Put{Item: item(watched(i))})
	}
	s.write(writes...)
	seen := map[table.Key]bool{}
	for _, r := range s.receive(n) {
		seen[r.Key] = true
	}
	if len(seen) != n {
		s.Errorf("records of %d items, want %d", len(seen), n)
	}
}

func checkRecordOrder(s *streamSubject) {
	const writers, items, updates = 8, 4, 10
	var g errgroup.Group
	for w := range writers {
		g.Go(func() error {
			for n := range updates {
				u := table.Update{Key: watched((w + n) % items), Add: table.Item{"n": value(1)}}
				if err := s.Write(s.ctx, u); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		s.Fatal(err)
	}
	last := map[table.Key]int64{}
	for _, r := range s.receive(writers * updates) {
		if before, after := table.IntValue(r.Old["n"]), table.IntValue(r.New["n"]); before != last[r.Key] || after != before+1 {
			s.Errorf("%v goes from %d to %d, after a record with %d", r.Key, before, after, last[r.Key])
		}
		last[r.Key]++
	}
}

func checkRedelivery(s *streamSubject) {
	for i := range 3 {
		s.put(item(watched(""), "n", i))
	}
	refused := errors.New("refused")
	for range 2 {
		for seen := 0; seen == 0; {
			_, err := s.stream.Receive(s.ctx, func(_ context.Context, batch []table.Record) error {
				seen = len(batch)
				return refused
			})
			if seen > 0 && !errors.Is(err, refused) || seen == 0 && err != nil {
				s.Fatalf("Receive returned %v", err)
			}
		}
	}
	for i, r := range s.receive(3) {
		if table.IntValue(r.New["n"]) != int64(i) {
			s.Errorf("record %d has n = %v", i, r.New["n"])
		}
	}
}
