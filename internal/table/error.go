package table

import "fmt"

// Refused says that conditions failed and nothing was written.
type Refused struct {
	Failed map[int]Item // by the write's place in the call: the item as it stood, nil where there was none
}

func (e *Refused) Error() string {
	return fmt.Sprintf("table: the conditions of %d writes failed", len(e.Failed))
}

// Busy says that what is transient went on until the deadline. A write may or may not have happened.
type Busy struct{ Err error }

func (e *Busy) Error() string { return "table: still busy at the deadline: " + e.Err.Error() }
func (e *Busy) Unwrap() error { return e.Err }

// TooLarge says that an item, or a transaction, is larger than DynamoDB takes (400 KB, 4 MB). Nothing was written.
type TooLarge struct{ Why string }

func (e *TooLarge) Error() string { return "table: too large: " + e.Why }

// Invalid says that a call has a form that DynamoDB refuses whatever the table holds. It is a fault of the caller.
type Invalid struct{ Why string }

func (e *Invalid) Error() string { return "table: invalid call: " + e.Why }
