package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// matchPage is a part of what a query means.
type matchPage struct {
	matches       []match
	end           mark
	more          bool // there may be others behind it; or before it, if it was read backwards
	lastIndex     int  // the index of its last resource, or of the last of all
	total         int  // -1: not known
	bookmarkSaved bool // the bookmark of the next was written beside the reading of this one
}

// fingerprint tells queries apart, but for the page that they ask for.
func (l *execution) fingerprint(parts ...string) string {
	for _, rt := range l.Types {
		parts = append(parts, rt.Name)
	}
	if parts = append(parts, l.SortBy.URN, l.SortBy.Name, l.SortBy.Sub, fmt.Sprint(l.Descending)); l.Filter != nil {
		parts = append(parts, l.Filter.String())
	}
	text, err := json.Marshal(parts)
	if err != nil {
		panic(err) // they are strings
	}
	hash := sha256.Sum256(text)
	return hex.EncodeToString(hash[:])
}

// pageByIndex is the page from an index (RFC 7644 §3.4.2.4).
func (l *execution) pageByIndex(ctx context.Context) (*ListResult, error) {
	if l.Params.Count == 0 && l.exact {
		n, err := l.countTotal(ctx)
		return &ListResult{TotalResults: n, StartIndex: l.StartIndex}, err
	}
	p, counted, err := l.readPageAndTotal(ctx, l.readIndexedPage)
	if err == nil && p.more && max(p.total, counted) < 0 {
		counted, err = l.countTotal(ctx)
	}
	if err != nil {
		return nil, err
	}
	if l.truncateToFit(&p) {
		p.bookmarkSaved = false
	}
	list := &ListResult{TotalResults: p.lastIndex, StartIndex: l.StartIndex}
	if p.more { // clients stop at the total: while there is more it must not be behind, and at the end not ahead
		list.TotalResults = max(p.total, counted, p.lastIndex+1)
	}
	calls := []func() error{func() (err error) { list.Resources, err = l.loadPage(ctx, p.matches); return err }}
	if p.more && !p.bookmarkSaved && l.Params.Count > 0 {
		calls = append(calls, func() error { return l.saveBookmark(ctx, p.lastIndex+1, list.TotalResults, p.end) })
	}
	return list, l.RunShortReads(calls...)
}

// readPageAndTotal reads a page, and beside it the total, if that is counted; otherwise it is -1.
func (l *execution) readPageAndTotal(ctx context.Context, read func(context.Context) (matchPage, error)) (p matchPage, total int, err error) {
	total = -1
	calls := []func() error{func() (err error) { p, err = read(ctx); return err }}
	if l.hasCheapCount() {
		calls = append(calls, func() (err error) { total, err = l.countTotal(ctx); return err })
	}
	err = l.RunShortReads(calls...)
	return p, total, err
}

// hasCheapCount tells whether the total costs less than to go through all.
func (l *execution) hasCheapCount() bool {
	return l.exact && !slices.ContainsFunc(l.selections, func(s subquery) bool { return !s.plan.hasCheapCount() })
}

// countTotal is the total, if what is found by keys matches.
func (l *execution) countTotal(ctx context.Context) (total int, err error) {
	for _, s := range l.selections {
		n, err := s.plan.count(ctx)
		if total += n; err != nil {
			return 0, err
		}
	}
	return total, nil
}

// truncateToFit makes a page fit an answer.
func (l *execution) truncateToFit(p *matchPage) bool {
	n := countFitting(states(p.matches), l.Params)
	if n == len(p.matches) {
		return false
	}
	p.lastIndex -= len(p.matches) - n
	p.matches, p.more, p.end = p.matches[:n], true, p.matches[n-1].positionAfter()
	return true
}

// readIndexedPage reads the page from an index.
func (l *execution) readIndexedPage(ctx context.Context) (matchPage, error) {
	from, err := l.findResumePoint(ctx)
	if err != nil {
		return matchPage{}, err
	}
	switch {
	case l.sorter != nil:
		return l.sortedPageByIndex(ctx, from)
	case !l.exact && from.total < 0:
		return l.readPageByFullScan(ctx)
	}
	w := &iterator{execution: l, mark: from.mark}
	skipped, err := w.skip(ctx, l.StartIndex-from.index)
	if err != nil || skipped < l.StartIndex-from.index {
		return matchPage{lastIndex: from.index - 1 + skipped, total: -1}, err
	}
	p := matchPage{total: from.total}
	var meanwhile func(mark) error
	if p.bookmarkSaved = l.exact && (l.hasCheapCount() || from.total >= 0); p.bookmarkSaved { // otherwise the bookmark waits for the total
		meanwhile = func(m mark) error { return l.saveBookmark(ctx, l.StartIndex+l.Params.Count, from.total, m) }
	}
	p.matches, p.more, err = w.nextMatches(ctx, l.Params.Count, meanwhile)
	p.end, p.lastIndex = w.mark, l.StartIndex-1+len(p.matches)
	return p, err
}

// readPageByFullScan goes through everything that matches, counts it, and keeps the page.
func (l *execution) readPageByFullScan(ctx context.Context) (p matchPage, err error) {
	w := &iterator{execution: l}
	err = w.forEachMatch(ctx, func(found []match) {
		for _, m := range found {
			if p.total++; p.total >= l.StartIndex && len(p.matches) < l.Params.Count {
				p.matches, p.end = append(p.matches, m), m.positionAfter()
			}
		}
	})
	p.lastIndex = min(p.total, l.StartIndex-1+len(p.matches))
	p.more = p.total > p.lastIndex
	return p, err
}
