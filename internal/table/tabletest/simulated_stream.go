package tabletest

import (
	"context"

	"serverless-scim/internal/table"
)

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
