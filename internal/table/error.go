package table

import (
	"context"
	"errors"
	"fmt"
)

// A ConditionError reports that conditions failed and that nothing was written.
type ConditionError struct {
	// Items holds the current item for each write whose conditions failed, by the index of the write in the call. The
	// item is nil if it does not exist. Do not rely on the list being complete: DynamoDB does not document that it
	// reports every failed write.
	Items map[int]Item
}

func (e *ConditionError) Error() string {
	return fmt.Sprintf("table: conditions of %d writes failed", len(e.Items))
}

// A TransientError reports that a transient error lasted until the deadline. If the call was a Write, the write may or
// may not have taken effect.
type TransientError struct{ Err error }

func (e *TransientError) Error() string {
	return "table: no result before the deadline: " + e.Err.Error()
}
func (e *TransientError) Unwrap() error { return e.Err }

// A TooLargeError reports that an item exceeds 400 KB, or a transaction 4 MB. Nothing was written.
type TooLargeError struct{ Reason string }

func (e *TooLargeError) Error() string { return "table: too large: " + e.Reason }

// An InvalidError reports that DynamoDB rejects the call, or the driver in its place. The caller has a bug, or an
// attribute does not have the expected type.
type InvalidError struct{ Reason string }

func (e *InvalidError) Error() string { return "table: invalid call: " + e.Reason }

// IsTransient reports whether the same request can succeed later: after throttling, conflicts, or an ended context.
func IsTransient(err error) bool {
	transient := (*TransientError)(nil)
	return errors.As(err, &transient) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

func invalidError(format string, a ...any) error {
	return &InvalidError{Reason: fmt.Sprintf(format, a...)}
}

func tooLargeError(format string, a ...any) error {
	return &TooLargeError{Reason: fmt.Sprintf(format, a...)}
}
