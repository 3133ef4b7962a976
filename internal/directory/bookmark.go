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
// One takes the place of that of an earlier walk with the same index. So a walk from page 1 on finds its own, but a jump may
// begin at what an earlier one has left.
type bookmark struct {
	table.Key
	Mark    string `dynamodbav:"mark"`
	Total   int    `dynamodbav:"total"`
	Expires int64  `dynamodbav:"expires"` // in seconds of Unix time; DynamoDB may keep it for days longer
}

// Bookmarks keeps bookmarks in memory, for a process that answers all requests itself: so a page costs no write. Of two
// generations it forgets the older when the younger is full: a walk under way needs what was kept last, for from anywhere
// else it would count those who have gone since, and miss as many.
type Bookmarks struct {
	mu         sync.Mutex
	young, old generation
}

// generation is bookmarks that are forgotten together.
type generation struct {
	walks map[string][]bookmark // by partition, in the order of their sort keys
	size  int
}

const (
	maxBookmarks = 8 << 20 // bytes of both generations; a walk over a million users by 100 leaves 3 MB
	besideText   = 200     // bytes that one takes beside its text, at most, with its share of lists and maps
)

func (b bookmark) size() int { return besideText + len(b.PK) + len(b.SK) + len(b.Mark) }

func (s *Bookmarks) keep(b bookmark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.young.walks == nil || s.young.size+b.size() > maxBookmarks/2 {
		s.young, s.old = generation{walks: map[string][]bookmark{}}, s.young
	}
	s.young.keep(b)
}

func (g *generation) keep(b bookmark) {
	walk := g.walks[b.PK]
	i, there := slices.BinarySearchFunc(walk, b.SK, bookmark.compare)
	if g.size += b.size(); there {
		g.size -= walk[i].size()
		walk[i] = b
		return
	}
	g.walks[b.PK] = slices.Insert(walk, i, b)
}

// nearest is the last bookmark up to a key, and of two with its sort key the younger; or the zero bookmark.
func (s *Bookmarks) nearest(k table.Key) bookmark {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, old := s.young.nearest(k), s.old.nearest(k)
	if old.SK > b.SK {
		return old
	}
	return b
}

func (g *generation) nearest(k table.Key) bookmark {
	walk := g.walks[k.PK]
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

// start is where the reading of a page begins: at a bookmark, or at the beginning.
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
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("directory: damaged mark: %w", err)
	}
	if m.From < 0 || m.From >= len(l.selections) {
		return fmt.Errorf("directory: damaged mark: selection %d of %d", m.From, len(l.selections))
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
