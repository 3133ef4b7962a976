package store

import (
	"context"
	"errors"
	"maps"
	"slices"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// A Transaction is a list of writes that take effect together or not at all. Each write has a handler that interprets
// the failure of its condition. The zero value is an empty transaction.
type Transaction struct {
	Writes   []table.Write // read-only: Add appends to it
	handlers []FailureHandler
}

// A FailureHandler returns the error that a failed condition means. existing is the item as it was, nil if it was
// missing. A handler may also record what the next attempt must know, and return table.ErrConflict.
type FailureHandler func(existing table.Item) error

// ConflictHandler returns table.ErrConflict: the request reads again and retries.
func ConflictHandler(table.Item) error { return table.ErrConflict }

// Add adds a write, with the handler for the failure of its condition.
func (t *Transaction) Add(w table.Write, onFailure FailureHandler) {
	t.Writes, t.handlers = append(t.Writes, w), append(t.handlers, onFailure)
}

// AddAll adds the writes of another transaction.
func (t *Transaction) AddAll(other Transaction) {
	t.Writes, t.handlers = append(t.Writes, other.Writes...), append(t.handlers, other.handlers...)
}

// WriteTransaction writes t. If conditions fail, it calls all their handlers in order and returns the first error.
func (s *Store) WriteTransaction(ctx context.Context, t *Transaction) error {
	err := s.Table.Write(ctx, t.Writes...)
	failed := (*table.ConditionError)(nil)
	if !errors.As(err, &failed) {
		return err
	}
	first := table.ErrConflict
	for n, i := range slices.Sorted(maps.Keys(failed.Items)) {
		if err := t.handlers[i](failed.Items[i]); n == 0 {
			first = err
		}
	}
	return first
}

// IsTooLarge reports whether a transaction was rejected because its items have too many bytes.
func IsTooLarge(err error) bool {
	tooLarge := (*table.TooLargeError)(nil)
	return errors.As(err, &tooLarge)
}

// AddToCounter adds the write that changes the number of resources of a type. The write goes to a random shard.
func (s *Store) AddToCounter(t *Transaction, rt *scim.ResourceType, delta int64) error {
	shard, err := s.RandomBytes(1)
	if err == nil {
		t.Add(table.Update{Key: s.Keys.Counter(rt, shard[0]), Add: table.Item{"n": table.N(delta)}}, ConflictHandler)
	}
	return err
}

// Count returns the number of resources of a type.
func (s *Store) Count(ctx context.Context, rt *scim.ResourceType) (int, error) {
	page, err := s.Table.Query(ctx, table.Range{PK: s.Keys.CounterPartition(rt)})
	n := int64(0)
	for _, it := range page.Items {
		n += table.IntValue(it["n"])
	}
	return int(max(n, 0)), err
}
