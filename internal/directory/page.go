package directory

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"serverless-scim/internal/table"
)

// page is a part of what a query means.
type page struct {
	matches []match
	behind  mark
	more    bool // there may be others behind it; or before it, if it was read backwards
	reached int  // the index of its last resource, or of the last of all
	total   int  // -1: not known
	kept    bool // a bookmark says where the next begins
}

// PageTimeout is how long a client can wait between two pages.
const PageTimeout = time.Hour

// bookmark says where the page with an index begins, so that a walk by startIndex need not count again what it has seen.
// Page 1 begins a new walk; its bookmarks replace those of the one before.
type bookmark struct {
	table.Key
	Mark    string `dynamodbav:"mark"`
	Total   int    `dynamodbav:"total"`
	Expires int64  `dynamodbav:"expires"` // in seconds of Unix time; DynamoDB may keep it for days longer
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

// start is where a walk begins, if no bookmark is nearer.
type start struct {
	mark
	index, total int
}

// resume finds the bookmark at the index that is asked for, or the nearest before it.
func (l *listing) resume(ctx context.Context) (start, error) {
	begin := start{index: 1, total: -1}
	if l.StartIndex == 1 {
		return begin, nil
	}
	k := l.keys.bookmark(l.name(l.Reader), l.StartIndex)
	found, err := l.Table.Query(ctx, table.Range{PK: k.PK, From: "0", To: k.SK, Backward: true, Limit: 1})
	if err != nil || len(found.Items) == 0 {
		return begin, err
	}
	var b bookmark
	if err := unmarshal(found.Items[0], &b); err != nil || b.Expires <= l.Now().Unix() {
		return begin, err
	}
	s := start{total: b.Total}
	if s.index, err = strconv.Atoi(b.SK); err != nil {
		return begin, fmt.Errorf("directory: damaged bookmark: %w", err)
	}
	return s, l.parse([]byte(b.Mark), &s.mark, &s.mark)
}

// parse reads a mark, or what holds one, as keys are: with numbers as they are written.
func (l *listing) parse(text []byte, into any, m *mark) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(into); err != nil || m.From < 0 || m.From >= len(l.selections) {
		return fmt.Errorf("directory: damaged mark: %w", err)
	}
	return nil
}

// keep writes the bookmark of the page behind a mark.
func (l *listing) keep(ctx context.Context, index, total int, m mark) error {
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("directory: mark: %w", err)
	}
	b := bookmark{l.keys.bookmark(l.name(l.Reader), index), string(text), total, l.Now().Add(PageTimeout).Unix()}
	return l.Table.Write(ctx, table.Put{Item: marshal(b)})
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
	return list, l.together(calls...)
}

// read reads a page, and beside it the total, if that is counted; otherwise it is -1.
func (l *listing) read(ctx context.Context, read func(context.Context) (page, error)) (p page, total int, err error) {
	total = -1
	calls := []func() error{func() (err error) { p, err = read(ctx); return err }}
	if l.counted() {
		calls = append(calls, func() (err error) { total, err = l.count(ctx); return err })
	}
	err = l.together(calls...)
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
