package directory

import (
	"cmp"
	"context"
	"slices"

	"serverless-scim/internal/scim"
)

// mark is a place in the order of all that a query means: behind a candidate, or, when one goes backwards, before it.
type mark struct {
	Subquery  int    `json:"f,omitempty"` // the selection
	OrderKey  string `json:"p,omitempty"` // in it; "": at its beginning
	Inclusive bool   `json:"w,omitempty"` // who is at the place is still to come
	SortValue any    `json:"k,omitempty"` // in what is sorted: of the resource with the id Place
}

// execution is a query on its way.
type execution struct {
	*Store
	Params
	selections      []subquery
	sorter          *scim.Sorter // nil: in the order of the selections, one after the other
	exact           bool         // what is found by keys matches, and to test it again costs little
	remainingBudget int          // candidates that may still be tested, unless whole
}

func (d *Store) newExecution(q Params) (*execution, error) {
	selections, err := d.newSubqueries(q)
	l := &execution{Store: d, Params: q, selections: selections, exact: true, remainingBudget: d.scanBudget()}
	for _, s := range selections {
		l.exact = l.exact && s.plan.exact && !s.reads.allMembers
		l.sorter = s.sorter
	}
	return l, err
}

// iterator goes through the candidates of a listing.
type iterator struct {
	*execution
	mark
	backward     bool
	allowPartial bool // it need not know whether more matches are left, nor find any
	done         bool
}

const (
	scanBatch       = 1600   // candidates that are looked for and tested at once
	memberScanBatch = 16     // … where all their members must be known
	skipBatch       = 10_000 // candidates that are passed at once
)

// scanBatchSize is how many candidates are looked for and tested at once, before a walk looks at what may be left for it.
func (l *execution) scanBatchSize() int {
	if l.needsAllMembers() {
		return memberScanBatch
	}
	return scanBatch
}

// nextCandidates gives up to n of those that are next, and moves behind them.
func (w *iterator) nextCandidates(ctx context.Context, n int) (all []candidate, err error) {
	for !w.done && len(all) < n {
		s := w.selections[w.Subquery]
		found, end, err := s.plan.next(ctx, w.mark, w.backward != s.descending, n-len(all))
		if err != nil {
			return nil, err
		}
		all = slices.Grow(all, len(found))
		for _, c := range found {
			c.subquery = w.Subquery
			all = append(all, c)
		}
		if len(found) > 0 {
			w.OrderKey, w.Inclusive = found[len(found)-1].orderKey, false
		}
		if end {
			w.nextSubquery()
		}
	}
	return all, nil
}

// nextSubquery goes on to the next selection.
func (w *iterator) nextSubquery() {
	step := 1
	if w.backward {
		step = -1
	}
	if w.Subquery+step < 0 || w.Subquery+step == len(w.selections) {
		w.done = true
		return
	}
	w.mark = mark{Subquery: w.Subquery + step}
}

// positionAfter is the mark of a candidate.
func (c candidate) positionAfter() mark { return mark{Subquery: c.subquery, OrderKey: c.orderKey} }

// skip goes past candidates, or past those that match, and tells how many of n there were.
func (w *iterator) skip(ctx context.Context, n int) (skipped int, err error) {
	for skipped < n && !w.done && err == nil {
		gone := 0
		switch {
		case w.DeadlineNear(ctx):
			err = w.tooManyError()
		case w.exact:
			found, e := w.nextCandidates(ctx, min(n-skipped, skipBatch))
			gone, err = len(found), e
		default:
			found, _, e := w.nextMatches(ctx, min(n-skipped, testBatchSize), nil)
			gone, err = len(found), e
		}
		skipped += gone
	}
	return skipped, err
}

// nextMatches gives the next n matches and moves behind them; more tells whether there may be others. Beside the reading of what
// is likely the last of the page something else is done, with the mark behind it.
func (w *iterator) nextMatches(ctx context.Context, n int, meanwhile func(mark) error) (page []match, more bool, err error) {
	for ask := min(max(testBatchSize, n+1), w.scanBatchSize()); ; ask = min(2*ask, w.scanBatchSize()) {
		begin, missing := w.mark, n-len(page)
		if w.exact {
			ask = missing + 1
		} else if stop, err := w.spendBudget(ctx, ask); stop || err != nil {
			return page, !w.done, err
		}
		some, err := w.nextCandidates(ctx, ask)
		if err != nil {
			return nil, false, err
		}
		if more = len(some) > missing; w.exact && more {
			some = some[:missing]
			w.rewind(begin, some)
		}
		var found []match
		calls := []func() error{func() (err error) { found, err = w.filterCandidates(ctx, some); return err }}
		if w.exact && more && meanwhile != nil {
			calls = append(calls, func() error { return meanwhile(w.mark) })
		}
		if err := w.RunShortReads(calls...); err != nil {
			return nil, false, err
		}
		if len(found) > missing {
			found = found[:missing]
			w.rewind(begin, candidatesOf(found))
			return append(page, found...), true, nil
		}
		page = append(page, found...)
		if w.done || len(page) == n && (w.exact || w.allowPartial) {
			return page, !w.done, nil
		}
	}
}

// rewind moves back, behind the last of candidates, or to where the walk was before there were any.
func (w *iterator) rewind(begin mark, some []candidate) {
	if w.mark, w.done = begin, false; len(some) > 0 {
		w.mark = some[len(some)-1].positionAfter()
	}
}

func candidatesOf(matches []match) (all []candidate) {
	for _, m := range matches {
		all = append(all, m.candidate)
	}
	return all
}

// spendBudget takes candidates off what may be tested. When nothing is left, or the deadline is near, a loose walk stops, and
// another fails.
func (w *iterator) spendBudget(ctx context.Context, n int) (stop bool, err error) {
	if w.remainingBudget -= n; w.remainingBudget > -n && !w.DeadlineNear(ctx) {
		return false, nil
	}
	if w.allowPartial {
		return true, nil
	}
	return false, w.tooManyError()
}

// forEachMatch goes through everything that matches.
func (w *iterator) forEachMatch(ctx context.Context, each func([]match)) error {
	for !w.done {
		if _, err := w.spendBudget(ctx, w.scanBatchSize()); err != nil {
			return err
		}
		some, err := w.nextCandidates(ctx, w.scanBatchSize())
		if err != nil {
			return err
		}
		found, err := w.filterCandidates(ctx, some)
		if err != nil {
			return err
		}
		each(found)
	}
	return nil
}

// DefaultScanBudget is how many resources a request tests by default where no key leads to what it means.
const DefaultScanBudget = 100_000

func (d *Store) scanBudget() int { return cmp.Or(d.Config.Budget, DefaultScanBudget) }

// tooManyError is the answer to a request that would cost a fortune.
func (d *Store) tooManyError() error {
	return scim.BadRequest(scim.TooMany, "No key leads to what the request asks for, and to look for it among more than "+
		"%d resources, or for longer than a request lasts, is refused. Filter with eq, by id, userName (a group's "+
		"displayName), externalId, emails.value, groups.value or members.value, and leave sortBy out; or page with cursor=.", d.scanBudget())
}
