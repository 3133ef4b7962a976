package scim

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/leniency"
)

// A Predicate reports whether a resource or a complex value matches a filter. The result is not valid if the Err of the
// Evaluation is not nil afterward. A nil Evaluation does not bound the work.
type Predicate func(*Evaluation, Object) bool

// Matcher compiles a filter (RFC 7644 §3.4.2.2). It returns a 400 invalidFilter in these cases: the filter is nil, the
// resource type lacks an attribute, or a comparison is not valid for the type of its attribute.
func (rt *ResourceType) Matcher(f filter.Expr) (Predicate, error) { return compile(f, rt.Resolve, nil) }

// ElementMatcher compiles the filter of a value path of the attribute, whose names are sub-attributes. Call the
// predicate with AsObject of an element. ElementMatcher records departures from the RFCs in l.
func (a *Attribute) ElementMatcher(f filter.Expr, l *leniency.Set) (Predicate, error) {
	return compile(f, a.resolveElement, l)
}

// A resolver returns the meaning of a name in a filter. Its second result is false if the name is unknown.
type resolver func(filter.Attr) (AttributeRef, bool)

// resolveElement is the resolver for the names in a value path of the attribute. The elements of a simple attribute
// have the one sub-attribute "value".
func (a *Attribute) resolveElement(n filter.Attr) (AttributeRef, bool) {
	sub := a.Sub(n.Name)
	if sub == nil && len(a.SubAttributes) == 0 && lowerASCII(n.Name) == "value" {
		value := *a
		value.Name, value.MultiValued, sub = "value", false, &value
	}
	return AttributeRef{Attr: sub}, sub != nil && n.Sub == "" && n.URN == ""
}

// compile returns the predicate of a filter.
func compile(f filter.Expr, resolve resolver, l *leniency.Set) (Predicate, error) {
	if f == nil {
		return nil, BadRequest(InvalidFilter, "The filter is empty. Send a filter or leave it out.")
	}
	c := &compiler{resolve: resolve, leniency: l}
	p := filter.Visit(f, c)
	return p, c.err
}

// A compiler is the visitor that compiles a filter. The predicates are valid only if err is nil at the end.
type compiler struct {
	resolve  resolver
	leniency *leniency.Set
	err      error // the first error
}

// keep records the error of a predicate and returns the predicate.
func (c *compiler) keep(p Predicate, err error) Predicate {
	c.err = cmp.Or(c.err, err)
	return p
}

func (c *compiler) And(f *filter.And) Predicate {
	x, y := filter.Visit(f.X, c), filter.Visit(f.Y, c)
	return func(e *Evaluation, o Object) bool { return x(e, o) && y(e, o) }
}

func (c *compiler) Or(f *filter.Or) Predicate {
	x, y := filter.Visit(f.X, c), filter.Visit(f.Y, c)
	return func(e *Evaluation, o Object) bool { return x(e, o) || y(e, o) }
}

func (c *compiler) Not(f *filter.Not) Predicate {
	x := filter.Visit(f.X, c)
	return func(e *Evaluation, o Object) bool { return !x(e, o) }
}

func (c *compiler) Compare(f *filter.Compare) Predicate {
	return c.keep(compareMatcher(f, c.resolve, c.leniency))
}

func (c *compiler) Present(f *filter.Present) Predicate {
	r, err := resolveForFilter(f.Attr, c.resolve, c.leniency)
	return c.keep(func(e *Evaluation, o Object) bool { return isPresent(e.values(r, o)) }, err)
}

func (c *compiler) ValuePath(f *filter.ValuePath) Predicate {
	return c.keep(valuePathMatcher(f, c.resolve, c.leniency))
}

// resolveForFilter resolves a name. It returns a 400 invalidFilter if the name is unknown. It also rejects attributes
// that are never returned, because a filter would reveal their values.
func resolveForFilter(n filter.Attr, resolve resolver, l *leniency.Set) (AttributeRef, error) {
	r, ok := resolve(n)
	if RecordDraftURN(l, n.URN) != nil || !ok {
		return r, BadRequest(InvalidFilter, "The filter has the unknown attribute %s. See /Schemas.", n)
	}
	if leaf := r.Leaf(); leaf != nil && leaf.Returned == "never" {
		return r, BadRequest(InvalidFilter, "A filter cannot use the attribute %s. Filter by another attribute.", n)
	}
	return r, nil
}

// isPresent reports whether at least one value is not empty (RFC 7644 §3.4.2.2, operator pr).
func isPresent(values []any) bool {
	return slices.ContainsFunc(values, func(v any) bool {
		switch v := v.(type) {
		case Object:
			return isPresent(slices.Collect(maps.Values(v)))
		case []any:
			return isPresent(v)
		}
		return v != ""
	})
}

// valuePathAttribute resolves the attribute of a value path. It returns a 400 invalidFilter for a whole extension or a
// sub-attribute.
func valuePathAttribute(f *filter.ValuePath, resolve resolver, l *leniency.Set) (AttributeRef, error) {
	r, err := resolveForFilter(f.Attr, resolve, l)
	if err == nil && (r.Attr == nil || r.Sub != nil) {
		err = BadRequest(InvalidFilter, "%s cannot have a filter in brackets. Name an attribute.", f.Attr)
	}
	return r, err
}

// valuePathMatcher returns the predicate that is true if at least one element matches the filter in brackets.
func valuePathMatcher(f *filter.ValuePath, resolve resolver, l *leniency.Set) (Predicate, error) {
	r, err := valuePathAttribute(f, resolve, l)
	if err != nil {
		return nil, err
	}
	element, err := r.Attr.ElementMatcher(f.Filter, l)
	return func(e *Evaluation, o Object) bool {
		for _, v := range e.values(r, o) {
			if element(e, AsObject(v)) {
				return true
			}
		}
		return false
	}, err
}

// AsObject returns an element as an Object. A simple value becomes an Object with the one name "value".
func AsObject(v any) Object {
	if o, ok := v.(Object); ok {
		return o
	}
	return Object{"value": v}
}

// compareMatcher returns the predicate of a comparison. It returns a 400 invalidFilter if the operator or the value
// does not fit the type of the attribute.
func compareMatcher(f *filter.Compare, resolve resolver, l *leniency.Set) (Predicate, error) {
	r, err := resolveForFilter(f.Attr, resolve, l)
	if err != nil {
		return nil, err
	}
	if f.Value == nil && (f.Op == filter.EQ || f.Op == filter.NE) { // RFC 7643 §2.5: null means unassigned
		return func(e *Evaluation, o Object) bool { return isPresent(e.values(r, o)) == (f.Op == filter.NE) }, nil
	}
	if leaf := r.Leaf(); leaf != nil && leaf.Type == "complex" && r.Sub == nil {
		r.Sub = leaf.Sub("value") // emails eq "x" means emails.value eq "x", as in an example of RFC 7644 §3.4.2.2
		if !leaf.MultiValued {
			l.Add(leniency.FilterComplex)
		}
	}
	a := r.Leaf()
	if a == nil || a.Type == "complex" {
		return nil, BadRequest(InvalidFilter, "%s is complex. Name one of its sub-attributes.", f.Attr)
	}
	want, ok := a.canonicalOperand(f.Value, l)
	if !ok || !a.supportsOperator(f.Op) {
		return nil, BadRequest(InvalidFilter, "%s is a %s and cannot be compared by %q with this value. "+
			"Use an operator and a value of that type.", f.Attr, a.Type, f.Op)
	}
	test := a.comparison(f.Op, want)
	return func(e *Evaluation, o Object) bool {
		for _, v := range e.comparedValues(r, o) {
			if test(e, v) {
				return f.Op != filter.NE
			}
		}
		return f.Op == filter.NE // also true if the attribute is absent
	}, nil
}

// canonicalOperand returns the canonical form of a value that a filter compares the attribute with. Its second result
// is false if the value does not fit the type of the attribute.
func (a *Attribute) canonicalOperand(v filter.Value, l *leniency.Set) (any, bool) {
	switch a.Type {
	case "boolean":
		return canonicalBoolean(v, l)
	case "integer", "decimal":
		return canonicalNumber(v, false)
	case "dateTime":
		return a.canonicalString(v)
	}
	s, ok := v.(string)
	return s, ok
}

// supportsOperator reports whether an operator is valid for the attribute's type.
func (a *Attribute) supportsOperator(op filter.Op) bool {
	switch op {
	case filter.EQ, filter.NE:
		return true
	case filter.CO, filter.SW, filter.EW:
		return a.Type == "string" || a.Type == "reference" || a.Type == "dateTime"
	}
	return a.Type != "boolean" && a.Type != "binary"
}

// comparison returns the function that compares one value with want. For ne it returns the function of eq, and the
// caller inverts the result.
func (a *Attribute) comparison(op filter.Op, want any) func(*Evaluation, any) bool {
	text, isText := want.(string)
	text = a.Fold(text)
	test := map[filter.Op]func(string, string) bool{
		filter.CO: strings.Contains, filter.SW: strings.HasPrefix, filter.EW: strings.HasSuffix,
	}[op]
	if test == nil && isText && a.Type != "dateTime" {
		test = func(s, text string) bool { return satisfies(op, strings.Compare(s, text)) }
	}
	if test == nil {
		return func(_ *Evaluation, v any) bool {
			order, ok := a.Compare(v, want)
			return ok && satisfies(op, order)
		}
	}
	return func(e *Evaluation, v any) bool {
		s, ok := v.(string)
		s = e.Fold(a, s)
		compared := len(s)
		if op != filter.CO {
			compared = min(len(s), len(text))
		}
		e.Charge(compared)
		return ok && test(s, text)
	}
}

// satisfies reports whether an order that Attribute.Compare returned satisfies an operator.
func satisfies(op filter.Op, order int) bool {
	switch op {
	case filter.GT:
		return order > 0
	case filter.GE:
		return order >= 0
	case filter.LT:
		return order < 0
	case filter.LE:
		return order <= 0
	}
	return order == 0
}
