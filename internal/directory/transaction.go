package directory

import (
	"context"
	"errors"
	"maps"
	"slices"

	"serverless-scim/internal/table"
)

// Transaction is writes that happen wholly or not at all, each with what it means if its condition fails.
type Transaction struct {
	writes   []table.Write
	handlers []FailureHandler
}

// FailureHandler says what a failed condition means, given the item as it stood (nil: there was none). It may note something
// for the next attempt and return errLost.
type FailureHandler func(stood table.Item) error

func ConflictHandler(table.Item) error { return table.ErrConflict }

func (t *Transaction) add(w table.Write, refused FailureHandler) {
	t.writes, t.handlers = append(t.writes, w), append(t.handlers, refused)
}

func (t *Transaction) AddAll(more Transaction) {
	t.writes, t.handlers = append(t.writes, more.writes...), append(t.handlers, more.handlers...)
}

// WriteTransaction does a transaction. If conditions fail, all reasons are heard, and the first of them is the error: after one
// that says that the race was lost nothing can be trusted.
func (d *Store) WriteTransaction(ctx context.Context, t *Transaction) error {
	err := d.Table.Write(ctx, t.writes...)
	refused := (*table.ConditionError)(nil)
	if !errors.As(err, &refused) {
		return err
	}
	first := table.ErrConflict
	for n, i := range slices.Sorted(maps.Keys(refused.Items)) {
		if err := t.handlers[i](refused.Items[i]); n == 0 {
			first = err
		}
	}
	return first
}

func isTooLarge(err error) bool {
	tooLarge := (*table.TooLargeError)(nil)
	return errors.As(err, &tooLarge)
}
