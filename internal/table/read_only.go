package table

import (
	"context"
	"errors"
)

// ErrReadOnly is the error of every write to a ReadOnly table.
var ErrReadOnly = errors.New("table: the table is read-only")

// ReadOnly is a Table that rejects every write with ErrReadOnly, without a call.
type ReadOnly struct{ Table }

// Write returns ErrReadOnly.
func (ReadOnly) Write(context.Context, ...Write) error { return ErrReadOnly }

// IgnoreReadOnly returns nil if err is ErrReadOnly, and otherwise err. Reads use it for writes that other processes can do
// in their place, or that only make a later read cheaper.
func IgnoreReadOnly(err error) error {
	if errors.Is(err, ErrReadOnly) {
		return nil
	}
	return err
}
