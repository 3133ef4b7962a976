package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// page is a part of what a query means.
type page struct {
	matches []match
	behind  mark
	more    bool // there may be others behind it; or before it, if it was read backwards
	reached int  // the index of its last resource, or of the last of all
	total   int  // -1: not known
	kept    bool // the bookmark of the next was written beside the reading of this one
}

// name tells queries apart, but for the page that they ask for.
func (l *listing) name(parts ...string) string {
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

// byIndex is the page from an index (RFC 7644 §3.4.2.4).
func (l *listing) byIndex(ctx context.Context) (*List, error) {
	if l.Query.Count == 0 && l.whole {
		n, err := l.count(ctx)
		return &List{Total: n, StartIndex: l.StartIndex}, err
	}
	p, counted, err := l.read(ctx, l.indexed)
	if err == nil && p.more && max(p.total, counted) < 0 {
		counted, err = l.count(ctx)
	}
	if err != nil {
		return nil, err
	}
	if l.cut(&p) {
		p.kept = false
	}
	list := &List{Total: p.reached, StartIndex: l.StartIndex}
	if p.more { // clients stop at the total: while there is more it must not be behind, and at the end not ahead
		list.Total = max(p.total, counted, p.reached+1)
	}
	calls := []func() error{func() (err error) { list.Resources, err = l.reply(ctx, p.matches); return err }}
	if p.more && !p.kept && l.Query.Count > 0 {
		calls = append(calls, func() error { return l.keep(ctx, p.reached+1, list.Total, p.behind) })
	}
	return list, l.beside(calls...)
}

// read reads a page, and beside it the total, if that is counted; otherwise it is -1.
func (l *listing) read(ctx context.Context, read func(context.Context) (page, error)) (p page, total int, err error) {
	total = -1
	calls := []func() error{func() (err error) { p, err = read(ctx); return err }}
	if l.counted() {
		calls = append(calls, func() (err error) { total, err = l.count(ctx); return err })
	}
	err = l.beside(calls...)
	return p, total, err
}

// counted tells whether the total costs less than to go through all.
func (l *listing) counted() bool {
	return l.whole && !slices.ContainsFunc(l.selections, func(s selection) bool { return !s.access.counted() })
}

// count is the total, if what is found by keys matches.
func (l *listing) count(ctx context.Context) (total int, err error) {
	for _, s := range l.selections {
		n, err := s.access.count(ctx)
		if total += n; err != nil {
			return 0, err
		}
	}
	return total, nil
}

// cut makes a page fit an answer.
func (l *listing) cut(p *page) bool {
	n := fitting(statesOf(p.matches), l.Query)
	if n == len(p.matches) {
		return false
	}
	p.reached -= len(p.matches) - n
	p.matches, p.more, p.behind = p.matches[:n], true, p.matches[n-1].behind()
	return true
}

// indexed reads the page from an index.
func (l *listing) indexed(ctx context.Context) (page, error) {
	from, err := l.resume(ctx)
	if err != nil {
		return page{}, err
	}
	switch {
	case l.sorter != nil:
		return l.sortedFrom(ctx, from)
	case !l.whole && from.total < 0:
		return l.tested(ctx)
	}
	w := &walk{listing: l, mark: from.mark}
	skipped, err := w.skip(ctx, l.StartIndex-from.index)
	if err != nil || skipped < l.StartIndex-from.index {
		return page{reached: from.index - 1 + skipped, total: -1}, err
	}
	p := page{total: from.total}
	var meanwhile func(mark) error
	if p.kept = l.whole && (l.counted() || from.total >= 0); p.kept { // otherwise the bookmark waits for the total
		meanwhile = func(m mark) error { return l.keep(ctx, l.StartIndex+l.Query.Count, from.total, m) }
	}
	p.matches, p.more, err = w.page(ctx, l.Query.Count, meanwhile)
	p.behind, p.reached = w.mark, l.StartIndex-1+len(p.matches)
	return p, err
}

// tested goes through everything that matches, counts it, and keeps the page.
func (l *listing) tested(ctx context.Context) (p page, err error) {
	w := &walk{listing: l}
	err = w.all(ctx, func(found []match) {
		for _, m := range found {
			if p.total++; p.total >= l.StartIndex && len(p.matches) < l.Query.Count {
				p.matches, p.behind = append(p.matches, m), m.behind()
			}
		}
	})
	p.reached = min(p.total, l.StartIndex-1+len(p.matches))
	p.more = p.total > p.reached
	return p, err
}
