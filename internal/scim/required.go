package scim

import (
	"slices"

	"serverless-scim/internal/filter"
)

// RequiredValues returns the case-folded values of which an element of the attribute has one if it matches the filter of a
// value path. It returns nil if an element with any value can match.
func (a *Attribute) RequiredValues(f filter.Expr) []string {
	return filter.Visit(f, requiredValues{a})
}

// A requiredValues is the visitor of RequiredValues.
type requiredValues struct{ attribute *Attribute }

func (v requiredValues) And(f *filter.And) []string {
	if x := filter.Visit(f.X, v); x != nil {
		return x
	}
	return filter.Visit(f.Y, v)
}

func (v requiredValues) Or(f *filter.Or) []string {
	if x, y := filter.Visit(f.X, v), filter.Visit(f.Y, v); x != nil && y != nil {
		return slices.Concat(x, y)
	}
	return nil
}

func (v requiredValues) Not(*filter.Not) []string             { return nil }
func (v requiredValues) Present(*filter.Present) []string     { return nil }
func (v requiredValues) ValuePath(*filter.ValuePath) []string { return nil }

func (v requiredValues) Compare(f *filter.Compare) []string {
	value := v.attribute.Sub("value")
	if s, ok := f.Value.(string); ok && f.Op == filter.EQ && v.attribute.Sub(f.Attr.Name) == value {
		return []string{value.Fold(s)}
	}
	return nil
}
