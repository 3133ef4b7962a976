package query_test

import (
	"errors"
	"slices"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
)

// matchingIDs returns the sorted IDs of the resources that match a query. It reads all resources and evaluates the
// filter for each. It returns an error if the query is not valid.
func matchingIDs(f *directorytest.Fixture, p directory.ListParams) (ids []string, err error) {
	f.Helper()
	canSort := func(rt *scim.ResourceType) bool { _, err := rt.Sorter(p.SortBy, false, nil); return err == nil }
	if p.SortBy.Name != "" && !slices.ContainsFunc(p.Types, canSort) {
		return nil, errors.New("no type has the attribute of sortBy")
	}
	for _, rt := range p.Types {
		for _, r := range list(f.T, f, directory.ListParams{Types: directorytest.Only(rt), StartIndex: 1, Count: 1000}).Resources {
			e := &referenceEvaluator{types: p.Types, rt: rt, object: directorytest.Object(r)}
			matches := p.Filter == nil || filter.Visit(p.Filter, e)
			if e.err != nil {
				return nil, e.err
			}
			if matches {
				ids = append(ids, r.ID())
			}
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// A referenceEvaluator is a filter.Visitor that reports whether a resource matches. It evaluates every comparison by
// itself, without plans and specialized filters. An attribute that only other types of the query have is an attribute
// without a value (RFC 7644 §3.4.2.1).
type referenceEvaluator struct {
	types  []*scim.ResourceType // of the query
	rt     *scim.ResourceType   // of the resource
	object scim.Object
	err    error // not nil if a comparison is valid for none of the types
}

func (e *referenceEvaluator) And(f *filter.And) bool {
	x, y := filter.Visit(f.X, e), filter.Visit(f.Y, e)
	return x && y
}

func (e *referenceEvaluator) Or(f *filter.Or) bool {
	x, y := filter.Visit(f.X, e), filter.Visit(f.Y, e)
	return x || y
}

func (e *referenceEvaluator) Not(f *filter.Not) bool { return !filter.Visit(f.X, e) }

func (e *referenceEvaluator) Compare(f *filter.Compare) bool {
	return e.evaluate(f, (f.Op == filter.NE) != (f.Value == nil))
}

func (e *referenceEvaluator) Present(f *filter.Present) bool     { return e.evaluate(f, false) }
func (e *referenceEvaluator) ValuePath(f *filter.ValuePath) bool { return e.evaluate(f, false) }

// evaluate returns the result of one comparison. ifNoValue is the result for an attribute without a value.
func (e *referenceEvaluator) evaluate(f filter.Expr, ifNoValue bool) bool {
	matches, err := e.rt.Matcher(f)
	if err == nil {
		return matches(nil, e.object)
	}
	isValid := func(rt *scim.ResourceType) bool { _, err := rt.Matcher(f); return err == nil }
	if !slices.ContainsFunc(e.types, isValid) {
		e.err = err
	}
	return ifNoValue
}
