package leniency

import "fmt"

// InteropReason ends the detail of every error that only the profile interop causes.
const InteropReason = ", because the profile of the tenant is interop."

// refusals holds, for each rule that the profile interop refuses, the detail of the error up to InteropReason. It quotes
// the value to which the rule would be applied. The profile accepts the other rules.
var refusals = [count]string{
	DraftURN:           "The URN %.100q is not defined. Send the URN that /Schemas has",
	MessageNameUnknown: "The message has the undefined name %.100q. Leave it out",
	PathAsName:         "The name %.100q in the value of a PATCH operation is a path. Send an operation with this path",
	SchemasUnknown:     "The URN %.100q in schemas is not defined. Leave it out",
	UnknownAttribute:   "The attribute %.100q is not defined. Send only the attributes that /Schemas has",
}

// A RefusedError reports that the profile interop refuses a rule. Its response is 400 invalidSyntax.
type RefusedError struct {
	Rule   Rule
	Detail string // the problem and the remedy, for the client
}

// Error returns a text for the log, which contains nothing that a client sent.
func (e *RefusedError) Error() string {
	return "leniency: the profile interop refuses the rule " + e.Rule.Name()
}

// UseInterop sets the profile of the request to interop. Call it before Apply, because it is not safe for concurrent use.
func (s *Set) UseInterop() { s.interop = true }

// IsInterop reports whether the profile of the request is interop. The profile of a nil *Set is lenient.
func (s *Set) IsInterop() bool { return s != nil && s.interop }

// Apply records that a rule was applied to a value, such as the name of an attribute. If the profile refuses the rule, Apply
// records nothing and returns a *RefusedError.
func (s *Set) Apply(r Rule, value string) error {
	if s.IsInterop() && refusals[r] != "" {
		return &RefusedError{r, fmt.Sprintf(refusals[r]+InteropReason, value)}
	}
	s.Add(r)
	return nil
}
