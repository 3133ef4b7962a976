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

// bookmarkItem says where the page with an index begins, so that a walk by startIndex need not count again what it has seen.
// One takes the place of that of an earlier walk with the same index. So a walk from page 1 on finds its own, but a jump may
// begin at what an earlier one has left.
type bookmarkItem struct {
	table.Key
	Position  string `dynamodbav:"mark"`
	Total     int    `dynamodbav:"total"`
	ExpiresAt int64  `dynamodbav:"expires"` // in seconds of Unix time; DynamoDB may keep it for days longer
}

// BookmarkCache keeps bookmarks in memory, for a process that answers all requests itself: so a page costs no write. Of two
// generations it forgets the older when the younger is full: a walk under way needs what was kept last, for from anywhere
// else it would count those who have gone since, and miss as many.
type BookmarkCache struct {
	mu                sync.Mutex
	current, previous generation
}

// generation is bookmarks that are forgotten together.
type generation struct {
	byPartition map[string][]bookmarkItem // by partition, in the order of their sort keys
	size        int
}

const (
	maxBookmarkBytes      = 8 << 20 // bytes of both generations; a walk over a million users by 100 leaves 3 MB
	bookmarkOverheadBytes = 200     // bytes that one takes beside its text, at most, with its share of lists and maps
)

func (b bookmarkItem) size() int {
	return bookmarkOverheadBytes + len(b.PK) + len(b.SK) + len(b.Position)
}

func (s *BookmarkCache) put(b bookmarkItem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current.byPartition == nil || s.current.size+b.size() > maxBookmarkBytes/2 {
		s.current, s.previous = generation{byPartition: map[string][]bookmarkItem{}}, s.current
	}
	s.current.keep(b)
}

func (g *generation) keep(b bookmarkItem) {
	walk := g.byPartition[b.PK]
	i, there := slices.BinarySearchFunc(walk, b.SK, bookmarkItem.compare)
	if g.size += b.size(); there {
		g.size -= walk[i].size()
		walk[i] = b
		return
	}
	g.byPartition[b.PK] = slices.Insert(walk, i, b)
}

// floor is the last bookmark up to a key, and of two with its sort key the younger; or the zero bookmark.
func (s *BookmarkCache) floor(k table.Key) bookmarkItem {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, old := s.current.nearest(k), s.previous.nearest(k)
	if old.SK > b.SK {
		return old
	}
	return b
}

func (g *generation) nearest(k table.Key) bookmarkItem {
	walk := g.byPartition[k.PK]
	i, there := slices.BinarySearchFunc(walk, k.SK, bookmarkItem.compare)
	if there {
		return walk[i]
	}
	if i == 0 {
		return bookmarkItem{}
	}
	return walk[i-1]
}

func (b bookmarkItem) compare(sk string) int { return cmp.Compare(b.SK, sk) }

// resumePoint is where the reading of a page begins: at a bookmark, or at the beginning.
type resumePoint struct {
	mark
	index, total int
}

// findResumePoint finds the bookmark at the index that is asked for, or the nearest before it.
func (l *execution) findResumePoint(ctx context.Context) (resumePoint, error) {
	begin := resumePoint{index: 1, total: -1}
	if l.StartIndex == 1 {
		return begin, nil
	}
	k := l.keys.Bookmark(l.fingerprint(l.Client), l.StartIndex)
	b, err := l.findBookmark(ctx, k)
	if err != nil || b.ExpiresAt <= l.Now().Unix() {
		return begin, err
	}
	s := resumePoint{total: b.Total}
	if s.index, err = strconv.Atoi(b.SK); err != nil {
		return begin, fmt.Errorf("directory: damaged bookmark: %w", err)
	}
	return s, l.decodePosition([]byte(b.Position), &s.mark, &s.mark)
}

// findBookmark is the last bookmark of a walk up to a key; the zero bookmark, which has expired, if there is none.
func (l *execution) findBookmark(ctx context.Context, k table.Key) (b bookmarkItem, err error) {
	if l.Bookmarks != nil {
		return l.Bookmarks.floor(k), nil
	}
	found, err := l.Table.Query(ctx, table.Range{PK: k.PK, From: "0", To: k.SK, Backward: true, Limit: 1})
	if err != nil || len(found.Items) == 0 {
		return b, err
	}
	return b, UnmarshalItem(found.Items[0], &b)
}

// decodePosition reads a mark, or what holds one, as keys are: with numbers as they are written.
func (l *execution) decodePosition(text []byte, into any, m *mark) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("directory: damaged mark: %w", err)
	}
	if m.Subquery < 0 || m.Subquery >= len(l.selections) {
		return fmt.Errorf("directory: damaged mark: selection %d of %d", m.Subquery, len(l.selections))
	}
	return nil
}

// saveBookmark writes the bookmark of the page behind a mark.
func (l *execution) saveBookmark(ctx context.Context, index, total int, m mark) error {
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("directory: mark: %w", err)
	}
	b := bookmarkItem{l.keys.Bookmark(l.fingerprint(l.Client), index), string(text), total, l.Now().Add(PageTimeout).Unix()}
	if l.Bookmarks != nil {
		l.Bookmarks.put(b)
		return nil
	}
	return l.Table.Write(ctx, table.Put{Item: MarshalItem(b)})
}
