package filter

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// The String methods of the expressions return a text that Parse parses to an equal Expr.

func (e *And) String() string       { return string(appendExpr(nil, e, orLevel)) }
func (e *Or) String() string        { return string(appendExpr(nil, e, orLevel)) }
func (e *Not) String() string       { return string(appendExpr(nil, e, orLevel)) }
func (e *Compare) String() string   { return string(appendExpr(nil, e, orLevel)) }
func (e *Present) String() string   { return string(appendExpr(nil, e, orLevel)) }
func (e *ValuePath) String() string { return string(appendExpr(nil, e, orLevel)) }

// String returns the name as a filter or path spells it.
func (a Attr) String() string {
	s := a.Name
	if a.URN != "" {
		s = a.URN + ":" + s
	}
	if a.Sub != "" {
		s += "." + a.Sub
	}
	return s
}

// String returns a text that ParsePath parses to an equal path.
func (p Path) String() string {
	if p.Filter == nil {
		return p.Attr.String()
	}
	attr := Attr{URN: p.Attr.URN, Name: p.Attr.Name}
	b := appendExpr(nil, &ValuePath{attr, p.Filter}, orLevel)
	if p.Attr.Sub != "" {
		b = append(append(b, '.'), p.Attr.Sub...)
	}
	return string(b)
}

// The levels say how tightly an operator binds. An operand that binds less tightly than its place requires needs
// parentheses.
const (
	orLevel = iota
	andLevel
	termLevel
)

// appendExpr appends e to b, in parentheses if it binds less tightly than level.
func appendExpr(b []byte, e Expr, level int) []byte { return Visit(e, printer{b, level}) }

// A printer appends an expression to text for a place that requires level.
type printer struct {
	text  []byte
	level int
}

func (p printer) And(e *And) []byte { return p.pair(e.X, " and ", e.Y, andLevel) }
func (p printer) Or(e *Or) []byte   { return p.pair(e.X, " or ", e.Y, orLevel) }

func (p printer) Not(e *Not) []byte {
	return append(appendExpr(append(p.text, "not ("...), e.X, orLevel), ')')
}

func (p printer) Compare(e *Compare) []byte {
	return appendValue(fmt.Append(p.text, e.Attr, " ", e.Op, " "), e.Value)
}

func (p printer) Present(e *Present) []byte { return fmt.Append(p.text, e.Attr, " pr") }

func (p printer) ValuePath(e *ValuePath) []byte {
	return append(appendExpr(fmt.Append(p.text, e.Attr, "["), e.Filter, orLevel), ']')
}

// pair appends two expressions and the operator between them. The result groups from the left, as the parser does.
func (p printer) pair(x Expr, operator string, y Expr, level int) []byte {
	b := p.text
	if level < p.level {
		b = append(b, '(')
	}
	b = append(appendExpr(b, x, level), operator...)
	b = appendExpr(b, y, level+1)
	if level < p.level {
		b = append(b, ')')
	}
	return b
}

func appendValue(b []byte, v Value) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		b, _ = jsontext.AppendQuote(b, v)
		return b
	}
	return fmt.Append(b, v)
}
