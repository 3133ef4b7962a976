package scim

import "serverless-scim/internal/filter"

// Part is what is left of a filter for resources of this type, where it is put to several types at once (RFC 7644
// §3.4.2.1): what this one does not have counts as an attribute without a value, and so does an attribute of the same
// name with which the comparison makes no sense, for it has no value that could be meant. Such comparisons have the same
// answer for all, and are left out, so that what remains can be answered by keys. Where nothing remains, part is nil, and
// all tells whether all resources of the type are meant or none. A comparison that makes sense for none of the types is
// refused with a 400 invalidFilter.
func (rt *ResourceType) Part(f filter.Expr, types []*ResourceType) (part filter.Expr, all bool, err error) {
	if f == nil {
		return nil, true, nil
	}
	q := question{own: rt.Resolve}
	for _, other := range types {
		q.all = append(q.all, other.Resolve)
	}
	p, err := q.part(f)
	return p.expr, p.all, err
}

// question is whose part of a filter is looked for, among whom.
type question struct {
	own resolver
	all []resolver
}

// part is what is left of a filter, or, without it, whether it is true of all or of none.
type part struct {
	expr filter.Expr
	all  bool
}

func (q question) part(f filter.Expr) (part, error) {
	switch f := f.(type) {
	case *filter.And:
		x, y, err := q.both(f.X, f.Y)
		return x.and(y), err
	case *filter.Or:
		x, y, err := q.both(f.X, f.Y)
		return x.or(y), err
	case *filter.Not:
		x, err := q.part(f.X)
		if x.expr == nil {
			return part{all: !x.all}, err
		}
		return part{expr: &filter.Not{X: x.expr}}, err
	case *filter.ValuePath:
		return q.elements(f)
	case *filter.Present:
		return q.comparison(f, f.Attr, false)
	case *filter.Compare: // of no value only ne is true, and RFC 7643 §2.5: null is no value
		return q.comparison(f, f.Attr, (f.Op == filter.NE) != (f.Value == nil))
	}
	return part{}, BadRequest(InvalidFilter, "The filter is empty.")
}

func (q question) both(x, y filter.Expr) (part, part, error) {
	p, err := q.part(x)
	if err != nil {
		return p, p, err
	}
	r, err := q.part(y)
	return p, r, err
}

func (p part) and(q part) part {
	switch {
	case p.expr != nil && q.expr != nil:
		return part{expr: &filter.And{X: p.expr, Y: q.expr}}
	case p.expr == nil && p.all:
		return q
	case p.expr == nil || q.all:
		return p
	}
	return q
}

func (p part) or(q part) part {
	switch {
	case p.expr != nil && q.expr != nil:
		return part{expr: &filter.Or{X: p.expr, Y: q.expr}}
	case p.expr == nil && !p.all:
		return q
	case p.expr == nil || !q.all:
		return p
	}
	return q
}

// comparison is the part of a comparison with one attribute, which is true or false where that has no value.
func (q question) comparison(f filter.Expr, n filter.Attr, absent bool) (part, error) {
	if _, err := matcher(f, q.own); err == nil {
		return part{expr: f}, nil
	}
	return part{all: absent}, q.sense(f, n)
}

// sense tells why a comparison makes sense for none of the types, if it is so, and rather of one that has the name.
func (q question) sense(f filter.Expr, n filter.Attr) (err error) {
	for _, resolve := range q.all {
		_, wrong := matcher(f, resolve)
		if wrong == nil {
			return nil
		}
		if _, known := resolve(n); known || err == nil {
			err = wrong
		}
	}
	return err
}

// elements is the part of a value path. Types that have the attribute may differ in its sub-attributes.
func (q question) elements(f *filter.ValuePath) (part, error) {
	var within question
	for _, resolve := range q.all {
		if r, err := bracketed(f, resolve); err == nil {
			within.all = append(within.all, r.Attr.element)
		}
	}
	if len(within.all) == 0 {
		return part{}, q.sense(f, f.Attr)
	}
	within.own = within.all[0] // what is in the brackets must make sense where there are no elements, too
	r, absent := bracketed(f, q.own)
	if absent == nil {
		within.own = r.Attr.element
	}
	x, err := within.part(f.Filter)
	switch {
	case absent != nil || x.expr == nil && !x.all:
		return part{}, err
	case x.expr == nil: // true of each element, if there is one
		return part{expr: &filter.Present{Attr: f.Attr}}, err
	}
	return part{expr: &filter.ValuePath{Attr: f.Attr, Filter: x.expr}}, err
}
