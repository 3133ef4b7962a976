package query

import (
	"context"
)

const skipBatch = 10_000 // candidates that are skipped at once

// An iterator moves through the candidates of a query.
type iterator struct {
	exec         *execution
	position     position
	backward     bool
	allowPartial bool // a page may have fewer matches than asked for, although more exist
	done         bool
	tested       int // candidates
}

// nextCandidates returns up to n candidates and moves after them.
func (it *iterator) nextCandidates(ctx context.Context, n int) (all []candidate, err error) {
	for !it.done && len(all) < n {
		s := it.exec.subqueries[it.position.Subquery]
		found, end, err := s.plan.source.next(ctx, it.position, it.backward != s.descending, n-len(all))
		if err != nil {
			return nil, err
		}
		for _, c := range found {
			c.subquery = it.position.Subquery
			all = append(all, c)
		}
		if len(found) > 0 {
			it.position.OrderKey, it.position.Inclusive = found[len(found)-1].orderKey, false
		}
		if end {
			it.nextSubquery()
		}
	}
	return all, nil
}

// nextSubquery moves to the beginning of the next subquery, or sets done after the last one.
func (it *iterator) nextSubquery() {
	step := 1
	if it.backward {
		step = -1
	}
	if next := it.position.Subquery + step; next < 0 || next == len(it.exec.subqueries) {
		it.done = true
	} else {
		it.position = position{Subquery: next}
	}
}

// rewind moves directly after the last of the candidates, or to begin if there are none.
func (it *iterator) rewind(begin position, candidates []candidate) {
	if it.position, it.done = begin, false; len(candidates) > 0 {
		it.position = candidates[len(candidates)-1].positionAfter()
	}
}

// skip moves past n matches, and returns how many there were. If the plan is exact, it does not test the candidates.
func (it *iterator) skip(ctx context.Context, n int) (skipped int, err error) {
	for skipped < n && !it.done && err == nil {
		switch {
		case it.exec.engine.store.DeadlineNear(ctx):
			err = it.exec.engine.tooManyError()
		case it.exec.exact:
			found, e := it.nextCandidates(ctx, min(n-skipped, skipBatch))
			skipped, err = skipped+len(found), e
		default:
			found, _, e := it.nextTested(ctx, min(n-skipped, testBatchSize))
			skipped, err = skipped+len(found), e
		}
	}
	return skipped, err
}

// nextMatches returns the next n matches and moves after them. more reports whether there may be others. If save is not
// nil, nextMatches may call it with the position after the page, at the same time as it reads the resources.
func (it *iterator) nextMatches(ctx context.Context, n int, save func(position) error) (page []match, more bool, err error) {
	if it.exec.exact {
		return it.nextExact(ctx, n, save)
	}
	return it.nextTested(ctx, n)
}

// nextExact is nextMatches for an exact plan: it reads one candidate more than it needs to learn whether there are more.
// It repeats only if a candidate has been deleted or changed since its index item was read.
func (it *iterator) nextExact(ctx context.Context, n int, save func(position) error) (page []match, more bool, err error) {
	for {
		begin, wanted := it.position, n-len(page)
		batch, err := it.nextCandidates(ctx, wanted+1)
		if err != nil {
			return nil, false, err
		}
		var found []match
		var stopped bool
		calls := []func() error{func() (err error) { found, stopped, err = it.test(ctx, begin, batch); return err }}
		if len(batch) > wanted {
			batch = batch[:wanted]
			it.rewind(begin, batch)
			if after := it.position; save != nil {
				calls = append(calls, func() error { return save(after) })
			}
		}
		if err := it.exec.engine.store.RunShortReads(calls...); err != nil {
			return nil, false, err
		}
		if page = append(page, found...); stopped || it.done || len(page) == n {
			return page, !it.done, nil
		}
	}
}

// nextTested is nextMatches for a plan that is not exact: it tests batches of candidates, within the scan budget.
func (it *iterator) nextTested(ctx context.Context, n int) (page []match, more bool, err error) {
	size := it.exec.scanBatchSize()
	for batchSize := min(max(testBatchSize, n+1), size); ; batchSize = min(2*batchSize, size) {
		begin, wanted := it.position, n-len(page)
		if stop, err := it.spendBudget(ctx, batchSize); stop || err != nil {
			return page, !it.done, err
		}
		found, stopped, err := it.testNext(ctx, batchSize)
		if err != nil {
			return nil, false, err
		}
		if len(found) > wanted {
			found = found[:wanted]
			it.rewind(begin, candidatesOf(found))
			return append(page, found...), true, nil
		}
		page = append(page, found...)
		if stopped || it.done || len(page) == n && it.allowPartial {
			return page, !it.done, nil
		}
	}
}

// testNext returns the matches among the next n candidates, and moves after the candidates. stopped is that of test.
func (it *iterator) testNext(ctx context.Context, n int) (found []match, stopped bool, err error) {
	begin := it.position
	batch, err := it.nextCandidates(ctx, n)
	if err != nil {
		return nil, false, err
	}
	return it.test(ctx, begin, batch)
}

// test returns the matches among the candidates that follow begin. If the evaluation budget ends before all are tested, it
// moves back before the first untested one. stopped reports that this part is enough. Otherwise, or if the whole budget is
// too small for one candidate, test returns an error.
func (it *iterator) test(ctx context.Context, begin position, batch []candidate) (found []match, stopped bool, err error) {
	found, tested, err := it.exec.filterCandidates(ctx, batch)
	if it.tested += tested; err != nil || tested == len(batch) {
		return found, false, err
	}
	if it.rewind(begin, batch[:tested]); !it.allowPartial || it.tested == 0 {
		return nil, false, it.exec.engine.tooManyError()
	}
	return found, true, nil
}

func candidatesOf(matches []match) (all []candidate) {
	for _, m := range matches {
		all = append(all, m.candidate)
	}
	return all
}

// spendBudget takes n candidates from the scan budget. If the budget is spent or the deadline is near, an iterator with
// allowPartial stops, and any other returns an error.
func (it *iterator) spendBudget(ctx context.Context, n int) (stop bool, err error) {
	x := it.exec
	if x.remainingBudget -= n; x.remainingBudget > -n && !x.engine.store.DeadlineNear(ctx) {
		return false, nil
	}
	if it.allowPartial {
		return true, nil
	}
	return false, x.engine.tooManyError()
}

// forEachMatch calls do with all matches, a batch at a time.
func (it *iterator) forEachMatch(ctx context.Context, do func([]match)) error {
	for !it.done {
		if _, err := it.spendBudget(ctx, it.exec.scanBatchSize()); err != nil {
			return err
		}
		found, _, err := it.testNext(ctx, it.exec.scanBatchSize())
		if err != nil {
			return err
		}
		do(found)
	}
	return nil
}
