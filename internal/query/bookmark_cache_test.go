package query

import (
	"strconv"
	"strings"
	"testing"

	"serverless-scim/internal/store"
)

// The number of walks and the length of their positions do not matter. The newest bookmark is always kept.
func TestBookmarkCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := &bookmarkCache{}
	for i := range 60_000 {
		index := i / 2 % 7000 // each bookmark is replaced: at once, and again when it is old
		k := store.NewKeys("t").Bookmark(strconv.Itoa(index%3), index)
		c.put(bookmarkItem{Key: k, Total: i, Position: strings.Repeat("x", i%1000)})
		if found := c.floor(k); c.current.size+c.previous.size > maxBookmarkBytes || found.Total != i {
			t.Fatalf("the cache has %d bytes; it returns bookmark %d, want %d", c.current.size+c.previous.size, found.Total, i)
		}
	}
	for _, g := range []generation{c.current, c.previous} {
		for _, walk := range g.byPartition {
			for _, b := range walk {
				g.size -= b.size()
			}
		}
		if g.size != 0 {
			t.Errorf("the size of a generation is %d bytes more than that of its bookmarks", g.size)
		}
	}
}
