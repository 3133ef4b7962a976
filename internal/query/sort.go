package query

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// sortedPositions returns the positions of all matches in the order of SortBy (RFC 7644 §3.4.2.3). Equal sort values are
// in the order of types and IDs.
func (x *execution) sortedPositions(ctx context.Context) (all []position, err error) {
	it := &iterator{exec: x}
	err = it.forEachMatch(ctx, func(found []match) {
		for _, m := range found {
			// Use the candidate's ID: the ID of the resource shares memory with the item and would keep all of it reachable.
			all = append(all, position{Subquery: m.candidate.subquery, OrderKey: m.candidate.id, SortValue: m.sortValue})
		}
	})
	slices.SortFunc(all, x.comparePositions)
	return slices.CompactFunc(all, func(a, b position) bool { return x.comparePositions(a, b) == 0 }), err
}

func (x *execution) comparePositions(a, b position) int {
	return cmp.Or(x.sorter.Compare(a.SortValue, b.SortValue), cmp.Compare(a.Subquery, b.Subquery), strings.Compare(a.OrderKey, b.OrderKey))
}

// readMatching returns the resources at the first n positions that still match, and the number of positions it consumed.
func (x *execution) readMatching(ctx context.Context, positions []position, n int) (page []match, consumed int, err error) {
	for len(page) < n && consumed < len(positions) {
		batch := positions[consumed:min(len(positions), consumed+n-len(page))]
		candidates := make([]candidate, len(batch))
		for i, p := range batch {
			candidates[i] = candidate{id: p.OrderKey, orderKey: p.OrderKey, subquery: p.Subquery}
		}
		found, _, err := (&iterator{exec: x}).test(ctx, position{}, candidates)
		if err != nil {
			return nil, 0, err
		}
		page, consumed = append(page, found...), consumed+len(batch)
	}
	return page, consumed, nil
}

// sortedPageByIndex returns the page of a sorted query that begins at StartIndex.
func (x *execution) sortedPageByIndex(ctx context.Context, from resumePoint) (matchPage, error) {
	all, err := x.sortedPositions(ctx)
	if err != nil {
		return matchPage{}, err
	}
	at := 0
	if from.position.SortValue = x.sorter.Fold(from.position.SortValue); from.position.OrderKey != "" {
		at = x.indexAfter(all, from.position)
	}
	at = min(len(all), at+x.params.StartIndex-from.index)
	matches, consumed, err := x.readMatching(ctx, all[at:], x.params.Count)
	p := matchPage{matches: matches, total: len(all), more: at+consumed < len(all), lastIndex: len(all)}
	if p.more {
		p.lastIndex = x.params.StartIndex - 1 + len(matches)
	}
	if at+consumed > 0 {
		p.end = all[at+consumed-1]
	}
	return p, err
}

// sortedPageByCursor returns the page of a sorted query after a position, or before it.
func (x *execution) sortedPageByCursor(ctx context.Context, from position, backward bool) (matchPage, error) {
	all, err := x.sortedPositions(ctx)
	if err != nil {
		return matchPage{}, err
	}
	total := len(all)
	from.SortValue = x.sorter.Fold(from.SortValue)
	at, exists := slices.BinarySearchFunc(all, from, x.comparePositions)
	if exists && from.Inclusive == backward {
		at++
	}
	switch {
	case backward:
		all = all[:at]
		slices.Reverse(all)
	case from.OrderKey != "":
		all = all[at:]
	}
	matches, consumed, err := x.readMatching(ctx, all, x.params.Count)
	p := matchPage{matches: matches, end: from, more: consumed < len(all), total: total}
	if consumed > 0 {
		p.end = all[consumed-1]
	}
	return p, err
}

// indexAfter returns the number of sorted positions up to and including p.
func (x *execution) indexAfter(sorted []position, p position) int {
	n, exists := slices.BinarySearchFunc(sorted, p, x.comparePositions)
	if exists {
		n++
	}
	return n
}
