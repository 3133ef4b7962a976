package directory

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"serverless-scim/internal/table"
)

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

// Bookmarks keeps bookmarks in memory, for a process that answers all requests itself: so a page costs no write. When it
// has become full it forgets all; a walk under way goes on from what it keeps next, and a jump counts again.
type Bookmarks struct {
	mu    sync.Mutex
	walks map[string][]bookmark // by partition, in the order of their sort keys
	n     int
}

const maxBookmarks = 20_000 // some MB

func (s *Bookmarks) keep(b bookmark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.walks == nil || s.n == maxBookmarks {
		s.walks, s.n = map[string][]bookmark{}, 0
	}
	walk := s.walks[b.PK]
	i, there := slices.BinarySearchFunc(walk, b.SK, bookmark.compare)
	if there {
		walk[i] = b
		return
	}
	s.walks[b.PK], s.n = slices.Insert(walk, i, b), s.n+1
}

// nearest is the last bookmark up to a key, or the zero bookmark.
func (s *Bookmarks) nearest(k table.Key) bookmark {
	s.mu.Lock()
	defer s.mu.Unlock()
	walk := s.walks[k.PK]
	i, there := slices.BinarySearchFunc(walk, k.SK, bookmark.compare)
	if there {
		return walk[i]
	}
	if i == 0 {
		return bookmark{}
	}
	return walk[i-1]
}

func (b bookmark) compare(sk string) int { return cmp.Compare(b.SK, sk) }

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
	b, err := l.nearest(ctx, k)
	if err != nil || b.Expires <= l.Now().Unix() {
		return begin, err
	}
	s := start{total: b.Total}
	if s.index, err = strconv.Atoi(b.SK); err != nil {
		return begin, fmt.Errorf("directory: damaged bookmark: %w", err)
	}
	return s, l.parse([]byte(b.Mark), &s.mark, &s.mark)
}

// nearest is the last bookmark of a walk up to a key; the zero bookmark, which has expired, if there is none.
func (l *listing) nearest(ctx context.Context, k table.Key) (b bookmark, err error) {
	if l.Bookmarks != nil {
		return l.Bookmarks.nearest(k), nil
	}
	found, err := l.Table.Query(ctx, table.Range{PK: k.PK, From: "0", To: k.SK, Backward: true, Limit: 1})
	if err != nil || len(found.Items) == 0 {
		return b, err
	}
	return b, unmarshal(found.Items[0], &b)
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
	if l.Bookmarks != nil {
		l.Bookmarks.keep(b)
		return nil
	}
	return l.Table.Write(ctx, table.Put{Item: marshal(b)})
}
