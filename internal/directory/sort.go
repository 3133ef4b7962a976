package directory

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// maxKey is how many bytes of a value resources are sorted by. It bounds what is held of those that match.
const maxKey = 256

func shortened(key any) any {
	if s, ok := key.(string); ok && len(s) > maxKey {
		return strings.ToValidUTF8(s[:maxKey], "") // a copy: the rest is let go
	}
	return key
}

// sorted is the marks of all that matches, in the order that the query asks for (RFC 7644 §3.4.2.3); what is equal in it
// stands in the order of types and ids.
func (l *listing) sorted(ctx context.Context) (all []mark, err error) {
	w := &walk{listing: l}
	err = w.all(ctx, func(found []match) {
		for _, m := range found {
			all = append(all, mark{From: m.at.from, Place: m.at.id, Key: m.key}) // not m.id, which holds all that was read with it
		}
	})
	slices.SortFunc(all, l.compare)
	return slices.CompactFunc(all, func(a, b mark) bool { return l.compare(a, b) == 0 }), err
}

func (l *listing) compare(a, b mark) int {
	return cmp.Or(l.sorter.Compare(a.Key, b.Key), cmp.Compare(a.From, b.From), strings.Compare(a.Place, b.Place))
}

// pick reads the first n of marked resources that still match, and tells how many marks that takes.
func (l *listing) pick(ctx context.Context, marks []mark, n int) (page []match, taken int, err error) {
	for len(page) < n && taken < len(marks) {
		some := marks[taken:min(len(marks), taken+n-len(page))]
		candidates := make([]candidate, len(some))
		for i, m := range some {
			candidates[i] = candidate{id: m.Place, place: m.Place, from: m.From}
		}
		found, err := l.matching(ctx, candidates)
		if err != nil {
			return nil, 0, err
		}
		page, taken = append(page, found...), taken+len(some)
	}
	return page, taken, nil
}

// sortedFrom is the page with an index.
func (l *listing) sortedFrom(ctx context.Context, from start) (page, error) {
	all, err := l.sorted(ctx)
	if err != nil {
		return page{}, err
	}
	at := 0
	if from.Place != "" {
		at = l.behind(all, from.mark)
	}
	at = min(len(all), at+l.StartIndex-from.index)
	matches, taken, err := l.pick(ctx, all[at:], l.Query.Count)
	p := page{matches: matches, total: len(all), more: at+taken < len(all), reached: len(all)}
	if p.more {
		p.reached = l.StartIndex - 1 + len(matches)
	}
	if at+taken > 0 {
		p.behind = all[at+taken-1]
	}
	return p, err
}

// sortedPage is the page behind a mark, or before it.
func (l *listing) sortedPage(ctx context.Context, from mark, backward bool) (page, error) {
	all, err := l.sorted(ctx)
	if err != nil {
		return page{}, err
	}
	total := len(all)
	at, there := slices.BinarySearchFunc(all, from, l.compare)
	if there && from.With == backward {
		at++
	}
	switch {
	case backward:
		all = all[:at]
		slices.Reverse(all)
	case from.Place != "":
		all = all[at:]
	}
	matches, taken, err := l.pick(ctx, all, l.Query.Count)
	p := page{matches: matches, behind: from, more: taken < len(all), total: total}
	if taken > 0 {
		p.behind = all[taken-1]
	}
	return p, err
}

// behind is how many of the marks are not behind one of them.
func (l *listing) behind(all []mark, m mark) int {
	n, there := slices.BinarySearchFunc(all, m, l.compare)
	if there {
		n++
	}
	return n
}
