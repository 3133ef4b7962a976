package directory

import (
	"context"
	"errors"
	"maps"
	"slices"

	"serverless-scim/internal/table"
)

// transaction is writes that happen wholly or not at all, each with what it means if its condition fails.
type transaction struct {
	writes  []table.Write
	reasons []reason
}

// reason says what a failed condition means, given the item as it stood (nil: there was none). It may note something
// for the next attempt and return errLost.
type reason func(stood table.Item) error

func lost(table.Item) error { return errLost }

func (t *transaction) add(w table.Write, refused reason) {
	t.writes, t.reasons = append(t.writes, w), append(t.reasons, refused)
}

func (t *transaction) append(more transaction) {
	t.writes, t.reasons = append(t.writes, more.writes...), append(t.reasons, more.reasons...)
}

// write does a transaction. If conditions fail, all reasons are heard, and the first of them is the error: after one
// that says that the race was lost nothing can be trusted.
func (d *Directory) write(ctx context.Context, t *transaction) error {
	err := d.Table.Write(ctx, t.writes...)
	refused := (*table.Refused)(nil)
	if !errors.As(err, &refused) {
		return err
	}
	first := errLost
	for n, i := range slices.Sorted(maps.Keys(refused.Failed)) {
		if err := t.reasons[i](refused.Failed[i]); n == 0 {
			first = err
		}
	}
	return first
}

func isTooLarge(err error) bool {
	tooLarge := (*table.TooLarge)(nil)
	return errors.As(err, &tooLarge)
}
