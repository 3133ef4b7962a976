package table

import "fmt"

// ConditionError says that conditions failed and nothing was written.
type ConditionError struct {
	Items map[int]Item // by the write's place in the call: the item as it stood, nil where there was none
}

func (e *ConditionError) Error() string {
	return fmt.Sprintf("table: the conditions of %d writes failed", len(e.Items))
}

// TransientError says that what is transient went on until the deadline. A write may or may not have happened.
type TransientError struct{ Err error }

func (e *TransientError) Error() string { return "table: still busy at the deadline: " + e.Err.Error() }
func (e *TransientError) Unwrap() error { return e.Err }

// TooLargeError says that an item, or a transaction, is larger than DynamoDB takes (400 KB, 4 MB). Nothing was written.
type TooLargeError struct{ Reason string }

func (e *TooLargeError) Error() string { return "table: too large: " + e.Reason }

// InvalidError says that a call has a form that DynamoDB refuses whatever the table holds. It is a fault of the caller.
type InvalidError struct{ Reason string }

func (e *InvalidError) Error() string { return "table: invalid call: " + e.Reason }
