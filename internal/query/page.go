package query

import (
	"context"
	"slices"
	"strings"

	"serverless-scim/internal/store"
)

// A matchPage is a page of matches with what is known about its surroundings.
type matchPage struct {
	matches       []match
	end           position
	more          bool // there may be matches after the page, or before it if it was read backward
	lastIndex     int  // index of the last match of the page, or of the last match of all if the page is empty
	total         int  // -1: not known
	bookmarkSaved bool // the bookmark for the next page is saved already
}

// readPageAndTotal reads a page and, at the same time, the total if counting is cheap. Otherwise total is -1.
func (x *execution) readPageAndTotal(ctx context.Context, read func(context.Context) (matchPage, error)) (p matchPage, total int, err error) {
	total = -1
	calls := []func() error{func() (err error) { p, err = read(ctx); return err }}
	if x.hasCheapCount() {
		calls = append(calls, func() (err error) { total, err = x.countTotal(ctx); return err })
	}
	err = x.engine.store.RunShortReads(calls...)
	return p, total, err
}

// hasCheapCount reports whether the total is known without reading all candidates.
func (x *execution) hasCheapCount() bool {
	return x.exact && !slices.ContainsFunc(x.subqueries, func(s subquery) bool { return !s.plan.source.hasCheapCount() })
}

// countTotal returns the number of candidates, which is the total if the plans are exact.
func (x *execution) countTotal(ctx context.Context) (total int, err error) {
	for _, s := range x.subqueries {
		n, err := s.plan.source.count(ctx)
		if total += n; err != nil {
			return 0, err
		}
	}
	return total, nil
}

// truncateToFit shortens a page that does not fit a response, and reports whether it did.
func (x *execution) truncateToFit(p *matchPage) bool {
	n := x.countFitting(p.matches)
	if n == len(p.matches) {
		return false
	}
	p.lastIndex -= len(p.matches) - n
	p.matches, p.more, p.end = p.matches[:n], true, p.matches[n-1].positionAfter()
	return true
}

// maxPageBytes bounds a page, so that Lambda's 6 MB response holds it escaped.
const maxPageBytes = 4 << 20

// countFitting returns how many of the matches fit one page, and at least one. A Lambda response is itself a JSON string,
// so characters that are escaped count twice.
func (x *execution) countFitting(matches []match) int {
	size := 0
	for i, m := range matches {
		escaped := strings.Count(m.resource.Head.Document, `"`) + strings.Count(m.resource.Head.Document, `\`)
		size += x.params.Size(m.resource, int(m.resource.Head.MaxMemberCount())) + escaped
		if i > 0 && size > maxPageBytes {
			return i
		}
	}
	return len(matches)
}

// loadPage returns the page of its matches, with the members of groups if they are needed. A group that has changed since it
// was tested is tested again.
func (x *execution) loadPage(ctx context.Context, matches []match) (*Page, error) {
	loaded, err := x.engine.store.LoadMembers(ctx, states(matches), x.params.NeedsMembers)
	if err != nil {
		return nil, err
	}
	for i, m := range matches {
		s := &x.subqueries[m.candidate.subquery]
		if loaded[i].Head == m.resource.Head || loaded[i].Head == nil || s.matches == nil {
			continue
		}
		m.resource = loaded[i]
		stillMatches, err := x.engine.evaluateAll(ctx, s, []match{m}, x.newEvaluation(ctx, 1))
		if err != nil {
			return nil, err
		}
		if len(stillMatches) == 0 {
			loaded[i].Head = nil
		}
	}
	return &Page{Resources: slices.DeleteFunc(loaded, func(r store.ResourceState) bool { return r.Head == nil })}, nil
}
