package filter

import (
	"fmt"
	"iter"
)

// A Visitor computes a T from a filter. It has one method for each type of expression, so a new type of expression is a
// compile error in every Visitor. The methods call Visit for the parts of an expression that they need.
type Visitor[T any] interface {
	And(*And) T
	Or(*Or) T
	Not(*Not) T
	Compare(*Compare) T
	Present(*Present) T
	ValuePath(*ValuePath) T
}

// Visit calls the method of v for the type of e and returns its result. It panics if e is nil: a caller that accepts a
// nil Expr must decide itself what that means.
func Visit[T any](e Expr, v Visitor[T]) T {
	switch e := e.(type) {
	case *And:
		return v.And(e)
	case *Or:
		return v.Or(e)
	case *Not:
		return v.Not(e)
	case *Compare:
		return v.Compare(e)
	case *Present:
		return v.Present(e)
	case *ValuePath:
		return v.ValuePath(e)
	}
	panic(fmt.Sprintf("filter: cannot visit an expression of type %T", e))
}

// Attrs iterates over the attributes that a filter names, from left to right. For a value path it yields the attribute
// before the bracket and none of the sub-attributes in it. A nil filter names no attributes.
func Attrs(e Expr) iter.Seq[Attr] {
	return func(yield func(Attr) bool) {
		if e != nil {
			Visit(e, attrVisitor(yield))
		}
	}
}

// An attrVisitor is the yield function of Attrs. Its methods report whether to continue.
type attrVisitor func(Attr) bool

func (v attrVisitor) And(e *And) bool             { return Visit(e.X, v) && Visit(e.Y, v) }
func (v attrVisitor) Or(e *Or) bool               { return Visit(e.X, v) && Visit(e.Y, v) }
func (v attrVisitor) Not(e *Not) bool             { return Visit(e.X, v) }
func (v attrVisitor) Compare(e *Compare) bool     { return v(e.Attr) }
func (v attrVisitor) Present(e *Present) bool     { return v(e.Attr) }
func (v attrVisitor) ValuePath(e *ValuePath) bool { return v(e.Attr) }

// OrTerms returns the expressions that "or" connects.
func OrTerms(f Expr) []Expr {
	if or, ok := f.(*Or); ok {
		return append(OrTerms(or.X), OrTerms(or.Y)...)
	}
	return []Expr{f}
}
