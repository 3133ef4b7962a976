package scim

import "serverless-scim/internal/filter"

// SpecializeFilter is what is left of a filter for resources of this type, where it is put to several types at once (RFC 7644
// §3.4.2.1): what this one does not have counts as an attribute without a value, and so does an attribute of the same
// name with which the comparison makes no sense, for it has no value that could be meant. Such comparisons have the same
// answer for all, and are left out, so that what remains can be answered by keys. Where nothing remains, part is nil, and
// all tells whether all resources of the type are meant or none. A comparison that makes sense for none of the types is
// refused with a 400 invalidFilter.
func (rt *ResourceType) SpecializeFilter(f filter.Expr, types []*ResourceType) (part filter.Expr, all bool, err error) {
	if f == nil {
		return nil, true, nil
	}
	q := specializer{resolve: rt.Resolve}
	for _, other := range types {
		q.all = append(q.all, other.Resolve)
	}
	p, err := q.specialize(f)
	return p.expr, p.all, err
}

// specializer is whose part of a filter is looked for, among whom.
type specializer struct {
	resolve resolver
	all     []resolver
}

// specialized is what is left of a filter, or, without it, whether it is true of all or of none.
type specialized struct {
	expr filter.Expr
	all  bool
}

func (q specializer) specialize(f filter.Expr) (specialized, error) {
	switch f := f.(type) {
	case *filter.And:
		x, y, err := q.specializeBoth(f.X, f.Y)
		return x.and(y), err
	case *filter.Or:
		x, y, err := q.specializeBoth(f.X, f.Y)
		return x.or(y), err
	case *filter.Not:
		x, err := q.specialize(f.X)
		if x.expr == nil {
			return specialized{all: !x.all}, err
		}
		return specialized{expr: &filter.Not{X: x.expr}}, err
	case *filter.ValuePath:
		return q.specializeValuePath(f)
	case *filter.Present:
		return q.specializeComparison(f, f.Attr, false)
	case *filter.Compare: // of no value only ne is true, and RFC 7643 §2.5: null is no value
		return q.specializeComparison(f, f.Attr, (f.Op == filter.NE) != (f.Value == nil))
	}
	return specialized{}, BadRequest(InvalidFilter, "The filter is empty.")
}

func (q specializer) specializeBoth(x, y filter.Expr) (specialized, specialized, error) {
	p, err := q.specialize(x)
	if err != nil {
		return p, p, err
	}
	r, err := q.specialize(y)
	return p, r, err
}

func (p specialized) and(q specialized) specialized {
	switch {
	case p.expr != nil && q.expr != nil:
		return specialized{expr: &filter.And{X: p.expr, Y: q.expr}}
	case p.expr == nil && p.all:
		return q
	case p.expr == nil || q.all:
		return p
	}
	return q
}

func (p specialized) or(q specialized) specialized {
	switch {
	case p.expr != nil && q.expr != nil:
		return specialized{expr: &filter.Or{X: p.expr, Y: q.expr}}
	case p.expr == nil && !p.all:
		return q
	case p.expr == nil || !q.all:
		return p
	}
	return q
}

// specializeComparison is the part of a comparison with one attribute, which is true or false where that has no value.
func (q specializer) specializeComparison(f filter.Expr, n filter.Attr, absent bool) (specialized, error) {
	if _, err := compile(f, q.resolve); err == nil {
		return specialized{expr: f}, nil
	}
	return specialized{all: absent}, q.checkComparableInAny(f, n)
}

// checkComparableInAny tells why a comparison makes sense for none of the types, if it is so, and rather of one that has the name.
func (q specializer) checkComparableInAny(f filter.Expr, n filter.Attr) (err error) {
	for _, resolve := range q.all {
		_, wrong := compile(f, resolve)
		if wrong == nil {
			return nil
		}
		if _, known := resolve(n); known || err == nil {
			err = wrong
		}
	}
	return err
}

// specializeValuePath is the part of a value path. Types that have the attribute may differ in its sub-attributes.
func (q specializer) specializeValuePath(f *filter.ValuePath) (specialized, error) {
	var within specializer
	for _, resolve := range q.all {
		if r, err := valuePathAttribute(f, resolve); err == nil {
			within.all = append(within.all, r.Attr.resolveElement)
		}
	}
	if len(within.all) == 0 {
		return specialized{}, q.checkComparableInAny(f, f.Attr)
	}
	within.resolve = within.all[0] // what is in the brackets must make sense where there are no elements, too
	r, absent := valuePathAttribute(f, q.resolve)
	if absent == nil {
		within.resolve = r.Attr.resolveElement
	}
	x, err := within.specialize(f.Filter)
	switch {
	case absent != nil || x.expr == nil && !x.all:
		return specialized{}, err
	case x.expr == nil: // true of each element, if there is one
		return specialized{expr: &filter.Present{Attr: f.Attr}}, err
	}
	return specialized{expr: &filter.ValuePath{Attr: f.Attr, Filter: x.expr}}, err
}
