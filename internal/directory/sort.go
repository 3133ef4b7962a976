package directory

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// maxSortValueBytes is how many bytes of a value resources are sorted by. It bounds what is held of those that match.
const maxSortValueBytes = 256

func truncateSortValue(key any) any {
	if s, ok := key.(string); ok && len(s) > maxSortValueBytes {
		return strings.ToValidUTF8(s[:maxSortValueBytes], "") // a copy: the rest is let go
	}
	return key
}

// sortedPositions is the marks of all that matches, in the order that the query asks for (RFC 7644 §3.4.2.3); what is equal in it
// stands in the order of types and ids.
func (l *execution) sortedPositions(ctx context.Context) (all []mark, err error) {
	w := &iterator{execution: l}
	err = w.forEachMatch(ctx, func(found []match) {
		for _, m := range found {
			all = append(all, mark{Subquery: m.candidate.subquery, OrderKey: m.candidate.id, SortValue: m.sortValue}) // not m.id, which holds all that was read with it
		}
	})
	slices.SortFunc(all, l.comparePositions)
	return slices.CompactFunc(all, func(a, b mark) bool { return l.comparePositions(a, b) == 0 }), err
}

func (l *execution) comparePositions(a, b mark) int {
	return cmp.Or(l.sorter.Compare(a.SortValue, b.SortValue), cmp.Compare(a.Subquery, b.Subquery), strings.Compare(a.OrderKey, b.OrderKey))
}

// readMatching reads the first n of marked resources that still match, and tells how many marks that takes.
func (l *execution) readMatching(ctx context.Context, marks []mark, n int) (page []match, taken int, err error) {
	for len(page) < n && taken < len(marks) {
		some := marks[taken:min(len(marks), taken+n-len(page))]
		candidates := make([]candidate, len(some))
		for i, m := range some {
			candidates[i] = candidate{id: m.OrderKey, orderKey: m.OrderKey, subquery: m.Subquery}
		}
		found, err := l.filterCandidates(ctx, candidates)
		if err != nil {
			return nil, 0, err
		}
		page, taken = append(page, found...), taken+len(some)
	}
	return page, taken, nil
}

// sortedPageByIndex is the page with an index.
func (l *execution) sortedPageByIndex(ctx context.Context, from resumePoint) (matchPage, error) {
	all, err := l.sortedPositions(ctx)
	if err != nil {
		return matchPage{}, err
	}
	at := 0
	if from.OrderKey != "" {
		at = l.indexAfter(all, from.mark)
	}
	at = min(len(all), at+l.StartIndex-from.index)
	matches, taken, err := l.readMatching(ctx, all[at:], l.Params.Count)
	p := matchPage{matches: matches, total: len(all), more: at+taken < len(all), lastIndex: len(all)}
	if p.more {
		p.lastIndex = l.StartIndex - 1 + len(matches)
	}
	if at+taken > 0 {
		p.end = all[at+taken-1]
	}
	return p, err
}

// sortedPageByCursor is the page behind a mark, or before it.
func (l *execution) sortedPageByCursor(ctx context.Context, from mark, backward bool) (matchPage, error) {
	all, err := l.sortedPositions(ctx)
	if err != nil {
		return matchPage{}, err
	}
	total := len(all)
	at, there := slices.BinarySearchFunc(all, from, l.comparePositions)
	if there && from.Inclusive == backward {
		at++
	}
	switch {
	case backward:
		all = all[:at]
		slices.Reverse(all)
	case from.OrderKey != "":
		all = all[at:]
	}
	matches, taken, err := l.readMatching(ctx, all, l.Params.Count)
	p := matchPage{matches: matches, end: from, more: taken < len(all), total: total}
	if taken > 0 {
		p.end = all[taken-1]
	}
	return p, err
}

// indexAfter is how many of the marks are not behind one of them.
func (l *execution) indexAfter(all []mark, m mark) int {
	n, there := slices.BinarySearchFunc(all, m, l.comparePositions)
	if there {
		n++
	}
	return n
}
