// Package filter parses and prints filters (RFC 7644 §3.4.2.2) and the paths of PATCH operations (§3.5.2). It has no
// schemas and evaluates no filters. The grammar does not say whether the last part of a URN is an attribute, so the caller
// must resolve names with its schemas. Begin with [Parse], and with [Visit] to read the result.
package filter

import "fmt"

// An Expr is a filter: *And, *Or, *Not, *Compare, *Present or *ValuePath. String returns a text that parses to an equal
// Expr. Use Visit to distinguish the types.
type Expr interface {
	String() string
	expr()
}

type (
	// And is true if X and Y are true.
	And struct{ X, Y Expr }

	// Or is true if X or Y is true.
	Or struct{ X, Y Expr }

	// Not is true if X is false.
	Not struct{ X Expr }

	// Compare compares an attribute with a value, as in userName eq "bjensen".
	Compare struct {
		Attr  Attr
		Op    Op
		Value Value
	}

	// Present is true if the attribute has a value that is not empty (operator pr).
	Present struct{ Attr Attr }

	// ValuePath is true if Filter is true of at least one element of a multi-valued attribute, as in
	// emails[type eq "work" and value co "@example.com"]. The names in Filter are sub-attributes.
	ValuePath struct {
		Attr   Attr
		Filter Expr
	}
)

func (*And) expr()       {}
func (*Or) expr()        {}
func (*Not) expr()       {}
func (*Compare) expr()   {}
func (*Present) expr()   {}
func (*ValuePath) expr() {}

// An Op is a comparison operator, in lower case.
type Op string

// The comparison operators.
const (
	EQ Op = "eq"
	NE Op = "ne"
	CO Op = "co"
	SW Op = "sw"
	EW Op = "ew"
	GT Op = "gt"
	GE Op = "ge"
	LT Op = "lt"
	LE Op = "le"
)

// A Value is the value in a comparison: a string, a bool, a json.Number, or nil for null.
type Value any

// An Attr names an attribute, in the spelling of the text. URN and Sub are empty if the text has none. The part after
// the last colon of a URN is the Name, even if the text names a whole schema: the Name of
// urn:ietf:params:scim:schemas:extension:enterprise:2.0:User is "User".
type Attr struct {
	URN, Name, Sub string
}

// A Path is the target of a PATCH operation: an attribute, or the elements of a multi-valued attribute that match
// Filter. If Attr.Sub is not empty, the target is that sub-attribute of the attribute or of the elements. In
// emails[type eq "work"].value, Attr.Sub is "value".
type Path struct {
	Attr   Attr
	Filter Expr // nil if the path has no filter
}

// An Error says where a text violates the grammar, and what the grammar expects there.
type Error struct {
	Offset int // in bytes from the start of the text
	Detail string
}

func (e *Error) Error() string { return fmt.Sprintf("%s (at offset %d)", e.Detail, e.Offset) }
