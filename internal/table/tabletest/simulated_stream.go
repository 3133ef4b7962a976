package tabletest

import (
	"context"
	"hash/fnv"

	"serverless-scim/internal/table"
)

// streamShards is the number of shards of a simulated stream. All records of an item are in the same shard.
const streamShards = 2

// A SimulatedStream is the table.Stream of one shard of a Simulation. It delivers batches of random size, at random later
// than possible, and at random again although they were handled. Only one process may receive from it at a time, as
// Lambda ensures, but a process that crashes may leave writes behind that arrive during the next delivery.
type SimulatedStream struct {
	simulation *Simulation
	records    []table.Record
	handled    int // records before this one were handled
}

// Watch makes the table keep streams of the items that a predicate selects, and returns the stream of each shard. It must
// be called before Run.
func (s *Simulation) Watch(watched func(table.Key) bool) []*SimulatedStream {
	s.watched, s.rates.repeat, s.rates.delay = watched, s.pick(0, 100, 400), s.pick(0, 300)
	for range streamShards {
		s.streams = append(s.streams, &SimulatedStream{simulation: s})
	}
	return s.streams
}

// Pending reports whether the stream has records that were not handled.
func (t *SimulatedStream) Pending() bool { return t.handled < len(t.records) }

// Receive passes a batch of records to handle.
func (t *SimulatedStream) Receive(ctx context.Context, handle func(context.Context, []table.Record) error) (int, error) {
	s, from := t.simulation, t.handled
	s.step()
	if s.chance(s.rates.repeat) {
		from = s.Int(from + 1)
		s.Log("a stream delivers again from record %d of %d", from, t.handled)
	}
	if from == len(t.records) || s.chance(s.rates.delay) {
		return 0, nil
	}
	batch := t.records[from : from+1+s.Int(len(t.records)-from)]
	if len(batch) > table.MaxStreamBatch {
		batch = batch[:table.MaxStreamBatch]
	}
	if err := handle(ctx, batch); err != nil {
		return 0, err
	}
	t.handled = max(t.handled, from+len(batch))
	return len(batch), nil
}

// show makes the current item of a place visible to plain reads, and adds the record of the change to the stream.
// DynamoDB, too, writes the record of an item together with the item, and not with the other items of its transaction.
func (s *Simulation) show(p *place) {
	old := p.visible
	p.visible = p.item
	if s.watched == nil || !s.watched(p.Key) || describeItems(old) == describeItems(p.item) {
		return
	}
	h := fnv.New32a()
	h.Write([]byte(p.PK))
	stream := s.streams[h.Sum32()%streamShards]
	stream.records = append(stream.records, table.Record{Key: p.Key, Old: old, New: p.item, CommittedAt: s.clock})
}

func describeItems(it table.Item) string {
	if it == nil {
		return ""
	}
	return list([]table.Item{it})
}
