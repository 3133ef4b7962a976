package scim

import (
	"context"
	"errors"
)

// DefaultEvaluationBudget is the number of bytes that the filters of one request may compare. One processor compares
// about a billion bytes in a second. 100,000 users with ten comparisons of 50 bytes each need a twelfth of the budget.
const DefaultEvaluationBudget = 1 << 30

// ErrOverBudget reports that an Evaluation has spent its budget.
var ErrOverBudget = errors.New("scim: the evaluation exceeds its budget")

// Costs in bytes compared. They are measured, so that the budget bounds the time of every kind of work.
const (
	valueCost      = 32  // a value that a comparison reads, in addition to its bytes
	foldCost       = 32  // folding a byte of a value that is not ASCII
	lookupDiscount = 8   // finding a folded value hashes its bytes, which is faster than comparing them
	checkInterval  = 1e6 // between two checks of the context
	maxFoldedBytes = 8 << 20
)

// An Evaluation is the work of testing resources by predicates. It folds each value of a resource once, however many
// comparisons test the value, and it bounds the bytes that are compared. A nil *Evaluation has no bound and folds a value
// for each comparison. An Evaluation is not safe for concurrent use.
type Evaluation struct {
	budget, used int
	unchecked    int // bytes since the last check of ctx and stop
	ctx          context.Context
	stop         func() bool // reports whether the budget ends now, whatever remains; nil: never
	err          error       // the first error
	folded       map[string]string
	foldedBytes  int // in folded
}

// NewEvaluation returns an Evaluation that may compare budget bytes. About once a millisecond, it checks whether ctx has
// ended, and whether stop reports that the budget ends before it is spent. If stop is nil, it does not.
func NewEvaluation(ctx context.Context, budget int, stop func() bool) *Evaluation {
	return &Evaluation{ctx: ctx, budget: budget, stop: stop}
}

// Err returns ErrOverBudget after the budget is spent, or the error of the context. The results of predicates are valid only if
// Err returns nil afterward.
func (e *Evaluation) Err() error {
	if e == nil {
		return nil
	}
	return e.err
}

// Used returns the number of bytes compared.
func (e *Evaluation) Used() int { return e.used }

// Next begins another resource: it checks the context and releases the folded values. It returns what Err returns.
func (e *Evaluation) Next() error {
	e.folded, e.foldedBytes = nil, 0
	return e.Check()
}

// Check checks the context, and returns what Err returns.
func (e *Evaluation) Check() error {
	if e.unchecked = 0; e.err == nil {
		e.err = e.ctx.Err()
	}
	if e.err == nil && e.stop != nil && e.stop() {
		e.err = ErrOverBudget
	}
	return e.err
}

// Charge counts n bytes compared, or work that takes as long.
func (e *Evaluation) Charge(n int) {
	if e == nil || e.err != nil {
		return
	}
	e.used += n
	e.unchecked += n
	switch {
	case e.used > e.budget:
		e.err = ErrOverBudget
	case e.unchecked >= checkInterval:
		e.Check()
	}
}

// Fold returns what Attribute.Fold returns. It folds a value only once.
func (e *Evaluation) Fold(a *Attribute, s string) string {
	if e.Charge(len(s) / lookupDiscount); e == nil || a.CaseExact {
		return a.Fold(s)
	}
	if folded, ok := e.folded[s]; ok {
		return folded
	}
	cost := len(s)
	if !isASCII(s) {
		cost *= foldCost
	}
	if e.Charge(cost); e.err != nil {
		return s
	}
	folded := Fold(s)
	if e.foldedBytes += len(folded); e.foldedBytes > maxFoldedBytes || e.folded == nil {
		e.folded, e.foldedBytes = map[string]string{}, len(folded)
	}
	e.folded[s] = folded
	return folded
}

// values returns the values that r has in o, or nil after an error.
func (e *Evaluation) values(r AttributeRef, o Object) []any { return e.read(r, o, r.Values) }

// comparedValues returns the values that a comparison with r tests in o, or nil after an error.
func (e *Evaluation) comparedValues(r AttributeRef, o Object) []any {
	return e.read(r, o, r.comparedValues)
}

// read charges the work of reading r in o, and returns what values returns.
func (e *Evaluation) read(r AttributeRef, o Object, values func(Object) []any) []any {
	if e.Err() != nil {
		return nil
	}
	read := 1
	if r.Attr != nil {
		elements, _ := r.container(o)[r.Attr.Name].([]any) // with or without the sub-attribute
		read += len(elements)
	}
	e.Charge(valueCost * read)
	return values(o)
}
