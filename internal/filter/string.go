package filter

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

func (e *And) String() string       { return string(appendExpr(nil, e, 0)) }
func (e *Or) String() string        { return string(appendExpr(nil, e, 0)) }
func (e *Not) String() string       { return string(appendExpr(nil, e, 0)) }
func (e *Compare) String() string   { return string(appendExpr(nil, e, 0)) }
func (e *Present) String() string   { return string(appendExpr(nil, e, 0)) }
func (e *ValuePath) String() string { return string(appendExpr(nil, e, 0)) }

// String is the name as it stands in a filter or path.
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

// String is a text that ParsePath reads as the same path.
func (p Path) String() string {
	if p.Filter == nil {
		return p.Attr.String()
	}
	whole := Attr{URN: p.Attr.URN, Name: p.Attr.Name}
	b := appendExpr(nil, &ValuePath{whole, p.Filter}, 0)
	if p.Attr.Sub != "" {
		b = append(append(b, '.'), p.Attr.Sub...)
	}
	return string(b)
}

// How tightly an operator binds: a part that binds less than its place asks for stands in parentheses.
const (
	orLevel = iota
	andLevel
	termLevel
)

func appendExpr(b []byte, e Expr, level int) []byte {
	switch e := e.(type) {
	case *Or:
		return appendPair(b, e.X, " or ", e.Y, orLevel, level)
	case *And:
		return appendPair(b, e.X, " and ", e.Y, andLevel, level)
	case *Not:
		return append(appendExpr(append(b, "not ("...), e.X, orLevel), ')')
	case *ValuePath:
		return append(appendExpr(fmt.Append(b, e.Attr, "["), e.Filter, orLevel), ']')
	case *Present:
		return fmt.Append(b, e.Attr, " pr")
	case *Compare:
		return appendValue(fmt.Append(b, e.Attr, " ", e.Op, " "), e.Value)
	}
	return b
}

// appendPair groups from the left, as the parser does.
func appendPair(b []byte, x Expr, word string, y Expr, own, level int) []byte {
	if own < level {
		b = append(b, '(')
	}
	b = append(appendExpr(b, x, own), word...)
	b = appendExpr(b, y, own+1)
	if own < level {
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
