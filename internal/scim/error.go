package scim

import "fmt"

// Error is what a client is told (RFC 7644 §3.12): a status, perhaps a type, and a detail that says what to do. Err
// is the cause; it is for the log alone.
type Error struct {
	Status int
	Type   string // scimType, or ""
	Detail string
	Err    error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Detail + ": " + e.Err.Error()
	}
	return e.Detail
}

func (e *Error) Unwrap() error { return e.Err }

// The values of scimType (RFC 7644 §3.12).
const (
	InvalidFilter = "invalidFilter"
	TooMany       = "tooMany"
	Uniqueness    = "uniqueness"
	Mutability    = "mutability"
	InvalidSyntax = "invalidSyntax"
	InvalidPath   = "invalidPath"
	NoTarget      = "noTarget"
	InvalidValue  = "invalidValue"

	InvalidCursor = "invalidCursor" // RFC 9865 §2.1
	ExpiredCursor = "expiredCursor" // RFC 9865 §2.1
	InvalidCount  = "invalidCount"  // RFC 9865 §2.1
)

// BadRequest is a 400 of a scimType.
func BadRequest(scimType, format string, args ...any) *Error {
	return &Error{Status: 400, Type: scimType, Detail: fmt.Sprintf(format, args...)}
}

// NotFound is a 404.
func NotFound(format string, args ...any) *Error {
	return &Error{Status: 404, Detail: fmt.Sprintf(format, args...)}
}
