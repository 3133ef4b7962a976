package directory

import (
	"cmp"
	"context"
	"slices"

	"serverless-scim/internal/scim"
)

// mark is a place in the order of all that a query means: behind a candidate, or, when one goes backwards, before it.
type mark struct {
	From  int    `json:"f,omitempty"` // the selection
	Place string `json:"p,omitempty"` // in it; "": at its beginning
	With  bool   `json:"w,omitempty"` // who is at the place is still to come
	Key   any    `json:"k,omitempty"` // in what is sorted: of the resource with the id Place
}

// listing is a query on its way.
type listing struct {
	*Directory
	Query
	selections []selection
	sorter     *scim.Sorter // nil: in the order of the selections, one after the other
	whole      bool         // what is found by keys matches, and to test it again costs little
	left       int          // candidates that may still be tested, unless whole
}

func (d *Directory) listing(q Query) (*listing, error) {
	selections, err := d.selections(q)
	l := &listing{Directory: d, Query: q, selections: selections, whole: true, left: d.budget()}
	for _, s := range selections {
		l.whole = l.whole && s.access.whole && !s.needs.members
		l.sorter = s.sorter
	}
	return l, err
}

// walk goes through the candidates of a listing.
type walk struct {
	*listing
	mark
	backward bool
	loose    bool // it need not know whether more matches are left, nor find any
	ended    bool
}

const (
	batch  = 1600   // candidates that are looked for and tested at once
	few    = 16     // … where all their members must be known
	stride = 10_000 // candidates that are passed at once
)

// round is how many candidates are looked for and tested at once, before a walk looks at what may be left for it.
func (l *listing) round() int {
	if l.heavy() {
		return few
	}
	return batch
}

// candidates gives up to n of those that are next, and moves behind them.
func (w *walk) candidates(ctx context.Context, n int) (all []candidate, err error) {
	for !w.ended && len(all) < n {
		s := w.selections[w.From]
		found, end, err := s.access.next(ctx, w.mark, w.backward != s.reverse, n-len(all))
		if err != nil {
			return nil, err
		}
		all = slices.Grow(all, len(found))
		for _, c := range found {
			c.from = w.From
			all = append(all, c)
		}
		if len(found) > 0 {
			w.Place, w.With = found[len(found)-1].place, false
		}
		if end {
			w.turn()
		}
	}
	return all, nil
}

// turn goes on to the next selection.
func (w *walk) turn() {
	step := 1
	if w.backward {
		step = -1
	}
	if w.From+step < 0 || w.From+step == len(w.selections) {
		w.ended = true
		return
	}
	w.mark = mark{From: w.From + step}
}

// behind is the mark of a candidate.
func (c candidate) behind() mark { return mark{From: c.from, Place: c.place} }

// skip goes past candidates, or past those that match, and tells how many of n there were.
func (w *walk) skip(ctx context.Context, n int) (skipped int, err error) {
	for skipped < n && !w.ended && err == nil {
		gone := 0
		switch {
		case w.hurried(ctx):
			err = w.tooMany()
		case w.whole:
			found, e := w.candidates(ctx, min(n-skipped, stride))
			gone, err = len(found), e
		default:
			found, _, e := w.page(ctx, min(n-skipped, tested), nil)
			gone, err = len(found), e
		}
		skipped += gone
	}
	return skipped, err
}

// page gives the next n matches and moves behind them; more tells whether there may be others. Beside the reading of what
// is likely the last of the page something else is done, with the mark behind it.
func (w *walk) page(ctx context.Context, n int, meanwhile func(mark) error) (page []match, more bool, err error) {
	for ask := min(max(tested, n+1), w.round()); ; ask = min(2*ask, w.round()) {
		begin, missing := w.mark, n-len(page)
		if w.whole {
			ask = missing + 1
		} else if stop, err := w.spend(ctx, ask); stop || err != nil {
			return page, !w.ended, err
		}
		some, err := w.candidates(ctx, ask)
		if err != nil {
			return nil, false, err
		}
		if more = len(some) > missing; w.whole && more {
			some = some[:missing]
			w.stop(begin, some)
		}
		var found []match
		calls := []func() error{func() (err error) { found, err = w.matching(ctx, some); return err }}
		if w.whole && more && meanwhile != nil {
			calls = append(calls, func() error { return meanwhile(w.mark) })
		}
		if err := w.beside(calls...); err != nil {
			return nil, false, err
		}
		if len(found) > missing {
			found = found[:missing]
			w.stop(begin, at(found))
			return append(page, found...), true, nil
		}
		page = append(page, found...)
		if w.ended || len(page) == n && (w.whole || w.loose) {
			return page, !w.ended, nil
		}
	}
}

// stop moves back, behind the last of candidates, or to where the walk was before there were any.
func (w *walk) stop(begin mark, some []candidate) {
	if w.mark, w.ended = begin, false; len(some) > 0 {
		w.mark = some[len(some)-1].behind()
	}
}

func at(matches []match) (all []candidate) {
	for _, m := range matches {
		all = append(all, m.at)
	}
	return all
}

// spend takes candidates off what may be tested. When nothing is left, or the deadline is near, a loose walk stops, and
// another fails.
func (w *walk) spend(ctx context.Context, n int) (stop bool, err error) {
	if w.left -= n; w.left > -n && !w.hurried(ctx) {
		return false, nil
	}
	if w.loose {
		return true, nil
	}
	return false, w.tooMany()
}

// all goes through everything that matches.
func (w *walk) all(ctx context.Context, each func([]match)) error {
	for !w.ended {
		if _, err := w.spend(ctx, w.round()); err != nil {
			return err
		}
		some, err := w.candidates(ctx, w.round())
		if err != nil {
			return err
		}
		found, err := w.matching(ctx, some)
		if err != nil {
			return err
		}
		each(found)
	}
	return nil
}

// Budget is how many resources a request tests by default where no key leads to what it means.
const Budget = 100_000

func (d *Directory) budget() int { return cmp.Or(d.Config.Budget, Budget) }

// tooMany is the answer to a request that would cost a fortune.
func (d *Directory) tooMany() error {
	return scim.BadRequest(scim.TooMany, "No key leads to what the request asks for, and to look for it among more than "+
		"%d resources, or for longer than a request lasts, is refused. Filter with eq, by id, userName (a group's "+
		"displayName), externalId, emails.value, groups.value or members.value, and leave sortBy out; or page with cursor=.", d.budget())
}
