package scim

import "fmt"

// An Error is an error response (RFC 7644 §3.12).
type Error struct {
	Status int
	Type   string // scimType; "" if the RFCs define none for the error
	Detail string // the problem and the remedy, for the client
	Err    error  // the cause, for the log only; nil if Detail says everything
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

// BadRequest returns an Error with status 400 and a scimType.
func BadRequest(scimType, format string, args ...any) *Error {
	return &Error{Status: 400, Type: scimType, Detail: fmt.Sprintf(format, args...)}
}

// NotFound returns an Error with status 404.
func NotFound(format string, args ...any) *Error {
	return &Error{Status: 404, Detail: fmt.Sprintf(format, args...)}
}

// RequiredError returns the error for a required attribute without a value.
func RequiredError(attribute string) *Error {
	return BadRequest(InvalidValue, "The attribute %s is required. Send a value that is not empty.", attribute)
}

// ImmutableError returns the error for a change of an immutable attribute that has a value.
func ImmutableError(attribute string) *Error {
	return BadRequest(Mutability, "%s cannot be changed once it is set. Leave it out.", attribute)
}
