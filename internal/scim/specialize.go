package scim

import (
	"cmp"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/leniency"
)

// SpecializeFilter returns the part of a filter that resources of this type must be tested by, in a query of several
// types (RFC 7644 §3.4.2.1). An attribute that this type does not have counts as an attribute without a value. So does
// an attribute that has another type here, if the comparison is not valid for that type. Such a comparison has the same
// result for all resources of the type. SpecializeFilter removes it, so that keys can answer the remaining filter.
//
// If nothing remains, part is nil, and all reports whether all resources of the type match or none. A nil filter
// matches all. SpecializeFilter returns a 400 invalidFilter if a comparison is valid for none of types. It records
// departures from the RFCs in l, which may be nil.
func (rt *ResourceType) SpecializeFilter(f filter.Expr, types []*ResourceType, l *leniency.Set) (part filter.Expr, all bool, err error) {
	if f == nil {
		return nil, true, nil
	}
	s := &specializer{resolve: rt.Resolve, leniency: l}
	for _, t := range types {
		s.resolvers = append(s.resolvers, t.Resolve)
	}
	p := filter.Visit(f, s)
	return p.expr, p.all, s.err
}

// A specializer specializes a filter for one resource type of a query, or for the elements of one attribute.
type specializer struct {
	resolve   resolver   // of that type or attribute
	resolvers []resolver // of all types of the query
	leniency  *leniency.Set
	err       error // the first error; if it is not nil, the results are not valid
}

// A specialized filter is expr or, if expr is nil, true of all resources or of none.
type specialized struct {
	expr filter.Expr
	all  bool
}

func (s *specializer) And(f *filter.And) specialized {
	x, y := filter.Visit(f.X, s), filter.Visit(f.Y, s)
	switch {
	case x.expr != nil && y.expr != nil:
		return specialized{expr: &filter.And{X: x.expr, Y: y.expr}}
	case x.expr == nil && x.all:
		return y
	case x.expr == nil || y.all:
		return x
	}
	return y
}

func (s *specializer) Or(f *filter.Or) specialized {
	x, y := filter.Visit(f.X, s), filter.Visit(f.Y, s)
	switch {
	case x.expr != nil && y.expr != nil:
		return specialized{expr: &filter.Or{X: x.expr, Y: y.expr}}
	case x.expr == nil && !x.all:
		return y
	case x.expr == nil || !y.all:
		return x
	}
	return y
}

func (s *specializer) Not(f *filter.Not) specialized {
	x := filter.Visit(f.X, s)
	if x.expr == nil {
		return specialized{all: !x.all}
	}
	return specialized{expr: &filter.Not{X: x.expr}}
}

// Compare treats null as no value (RFC 7643 §2.5). For an attribute without a value, only ne is true.
func (s *specializer) Compare(f *filter.Compare) specialized {
	return s.comparison(f, f.Attr, (f.Op == filter.NE) != (f.Value == nil))
}

func (s *specializer) Present(f *filter.Present) specialized { return s.comparison(f, f.Attr, false) }

// ValuePath specializes the filter in brackets too, because types that have the attribute may differ in its sub-attributes.
func (s *specializer) ValuePath(f *filter.ValuePath) specialized {
	elements := &specializer{leniency: s.leniency}
	for _, resolve := range s.resolvers {
		if r, err := valuePathAttribute(f, resolve, s.leniency); err == nil {
			elements.resolvers = append(elements.resolvers, r.Attr.resolveElement)
		}
	}
	if len(elements.resolvers) == 0 {
		s.checkComparableInAny(f, f.Attr)
		return specialized{}
	}
	r, absent := valuePathAttribute(f, s.resolve, s.leniency)
	elements.resolve = elements.resolvers[0] // checks the filter in brackets if this type does not have the attribute
	if absent == nil {
		elements.resolve = r.Attr.resolveElement
	}
	x := filter.Visit(f.Filter, elements)
	s.err = cmp.Or(s.err, elements.err)
	switch {
	case absent != nil || x.expr == nil && !x.all:
		return specialized{}
	case x.expr == nil: // true of every element
		return specialized{expr: &filter.Present{Attr: f.Attr}}
	}
	return specialized{expr: &filter.ValuePath{Attr: f.Attr, Filter: x.expr}}
}

// comparison specializes a comparison with the attribute n. The comparison has the result absent where n has no value.
func (s *specializer) comparison(f filter.Expr, n filter.Attr, absent bool) specialized {
	if _, err := compile(f, s.resolve, s.leniency); err == nil {
		return specialized{expr: f}
	}
	s.checkComparableInAny(f, n)
	return specialized{all: absent}
}

// checkComparableInAny records an error if a comparison with the attribute n is valid for none of the types. It prefers
// the error of a type that has the attribute.
func (s *specializer) checkComparableInAny(f filter.Expr, n filter.Attr) {
	var err error
	for _, resolve := range s.resolvers {
		_, invalid := compile(f, resolve, s.leniency)
		if invalid == nil {
			return
		}
		if _, known := resolve(n); known || err == nil {
			err = invalid
		}
	}
	s.err = cmp.Or(s.err, err)
}
