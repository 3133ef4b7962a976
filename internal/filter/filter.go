// Package filter is the little language of RFC 7644 §3.4.2.2: filters, and the paths of PATCH (§3.5.2). It parses and
// prints; it knows no schema, evaluates nothing and imports nothing of ours. What the grammar leaves to the schema,
// such as whether the last part of a URN is an attribute, is left to the reader of the tree.
package filter

// Expr is a filter: *And, *Or, *Not, *Compare, *Present or *ValuePath. String gives a text that parses to the same.
type Expr interface {
	String() string
	expr()
}

type (
	And struct{ X, Y Expr }
	Or  struct{ X, Y Expr }
	Not struct{ X Expr }

	// Compare is an attribute, an operator and a value, such as userName eq "bjensen".
	Compare struct {
		Attr  Attr
		Op    Op
		Value Value
	}

	// Present is the operator pr.
	Present struct{ Attr Attr }

	// ValuePath asks for one element of a multi-valued attribute of which all of Filter is true, such as
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

// Op is a comparison operator, in lower case.
type Op string

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

// Value is what an attribute is compared with: string, bool, nil (null) or json.Number.
type Value any

// Attr names an attribute: a URN (or ""), a name and perhaps a sub-attribute, in the writer's spelling. What stands
// behind the last colon of a URN is taken as the name, so that a schema alone, such as
// urn:ietf:params:scim:schemas:extension:enterprise:2.0:User, has the Name "User".
type Attr struct {
	URN, Name, Sub string
}

// Path is the target of a PATCH operation: an attribute, or those elements of a multi-valued one of which Filter is
// true, and of these perhaps one sub-attribute (Attr.Sub, also behind the bracket: emails[type eq "work"].value).
type Path struct {
	Attr   Attr
	Filter Expr // nil: none
}
