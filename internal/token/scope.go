package token

// A Scope says what the requests of a token may do. The zero value and unknown scopes permit nothing.
type Scope string

const (
	ScopeAll  Scope = "scim"      // reads and writes; the default
	ScopeRead Scope = "scim.read" // reads only
)

// IsKnown reports whether s is one of the scopes of this package.
func (s Scope) IsKnown() bool { return s == ScopeAll || s == ScopeRead }

// AllowsWrites reports whether a request may change resources.
func (s Scope) AllowsWrites() bool { return s == ScopeAll }
