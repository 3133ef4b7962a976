package query

import (
	"context"

	"serverless-scim/internal/scim"
)

// Run returns one page of the resources that match. Resources of several types follow each other by type, unless they are
// sorted. For a type that does not have an attribute of the filter, the attribute has no value.
//
// A resource that exists from the first page to the last is on exactly one page, even if it is renamed. The exception is
// an order by something that changes: SortBy, or the names that begin with the prefix in the filter. A resource whose
// position changes may then be on two pages, or on none.
func (e *Engine) Run(ctx context.Context, p Params) (*Page, error) {
	x, err := e.newExecution(p, nil)
	if err != nil {
		return nil, err
	}
	unconfirmed := x.unconfirmedIndexes()
	if len(unconfirmed) == 0 {
		return x.page(ctx)
	}
	// The page is almost always right, so it is read at the same time as the state of the indexes.
	var page *Page
	var pageErr error
	var incomplete map[*scim.ResourceType][]string
	x.speculative = true
	if err := e.store.RunShortReads(
		func() (err error) { incomplete, err = e.store.IncompleteIndexes(ctx, unconfirmed...); return err },
		func() error { page, pageErr = x.page(ctx); return nil },
	); err != nil {
		return nil, err
	}
	if e.confirmIndexes(incomplete) {
		return page, pageErr
	}
	if x, err = e.newExecution(p, incomplete); err != nil {
		return nil, err
	}
	return x.page(ctx)
}

func (x *execution) page(ctx context.Context) (*Page, error) {
	if x.params.StartIndex == 0 {
		return x.pageByCursor(ctx)
	}
	return x.pageByIndex(ctx)
}

// unconfirmedIndexes returns the types whose plans read index items that are not known to be complete.
func (x *execution) unconfirmedIndexes() (types []*scim.ResourceType) {
	for _, s := range x.subqueries {
		if s.plan.indexed {
			if _, confirmed := x.engine.cache.completeIndexes.Load(x.engine.store.Keys.AllPartition(s.rt)); !confirmed {
				types = append(types, s.rt)
			}
		}
	}
	return types
}

// confirmIndexes remembers the types without incomplete indexes, and reports whether these are all.
func (e *Engine) confirmIndexes(incomplete map[*scim.ResourceType][]string) (all bool) {
	all = true
	for rt, attributes := range incomplete {
		if all = all && len(attributes) == 0; len(attributes) == 0 {
			e.cache.completeIndexes.Store(e.store.Keys.AllPartition(rt), struct{}{})
		}
	}
	return all
}

// pageByIndex returns the page that begins at StartIndex (RFC 7644 §3.4.2.4).
func (x *execution) pageByIndex(ctx context.Context) (*Page, error) {
	if x.params.Count == 0 && x.exact {
		n, err := x.countTotal(ctx)
		return &Page{Total: n, StartIndex: x.params.StartIndex}, err
	}
	p, counted, err := x.readPageAndTotal(ctx, x.readIndexedPage)
	if err == nil && p.more && max(p.total, counted) < 0 {
		counted, err = x.countTotal(ctx)
	}
	if err != nil {
		return nil, err
	}
	if x.truncateToFit(&p) {
		p.bookmarkSaved = false
	}
	// Clients stop at the total: it must be beyond the page while there is more, and must not be beyond the last page.
	total := p.lastIndex
	if p.more {
		total = max(p.total, counted, p.lastIndex+1)
	}
	var page *Page
	calls := []func() error{func() (err error) { page, err = x.loadPage(ctx, p.matches); return err }}
	if p.more && !p.bookmarkSaved && x.params.Count > 0 {
		calls = append(calls, func() error { return x.saveBookmark(ctx, p.lastIndex+1, total, p.end) })
	}
	if err := x.engine.store.RunShortReads(calls...); err != nil {
		return nil, err
	}
	page.Total, page.StartIndex = total, x.params.StartIndex
	return page, nil
}

// readIndexedPage reads the page that begins at StartIndex.
func (x *execution) readIndexedPage(ctx context.Context) (matchPage, error) {
	from, err := x.findResumePoint(ctx)
	if err != nil {
		return matchPage{}, err
	}
	switch {
	case x.sorter != nil:
		return x.sortedPageByIndex(ctx, from)
	case !x.exact && from.total < 0:
		return x.readPageByFullScan(ctx)
	}
	it := &iterator{exec: x, position: from.position}
	skipped, err := it.skip(ctx, x.params.StartIndex-from.index)
	if err != nil || skipped < x.params.StartIndex-from.index {
		return matchPage{lastIndex: from.index - 1 + skipped, total: -1}, err
	}
	p := matchPage{total: from.total}
	var save func(position) error
	if p.bookmarkSaved = x.exact && (x.hasCheapCount() || from.total >= 0); p.bookmarkSaved { // the bookmark needs no total that is still to be counted
		save = func(after position) error {
			return x.saveBookmark(ctx, x.params.StartIndex+x.params.Count, from.total, after)
		}
	}
	p.matches, p.more, err = it.nextMatches(ctx, x.params.Count, save)
	p.end, p.lastIndex = it.position, x.params.StartIndex-1+len(p.matches)
	return p, err
}

// readPageByFullScan tests all candidates, counts the matches, and keeps the page.
func (x *execution) readPageByFullScan(ctx context.Context) (p matchPage, err error) {
	it := &iterator{exec: x}
	err = it.forEachMatch(ctx, func(found []match) {
		for _, m := range found {
			if p.total++; p.total >= x.params.StartIndex && len(p.matches) < x.params.Count {
				p.matches, p.end = append(p.matches, m), m.positionAfter()
			}
		}
	})
	p.lastIndex = min(p.total, x.params.StartIndex-1+len(p.matches))
	p.more = p.total > p.lastIndex
	return p, err
}
