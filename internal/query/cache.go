package query

import (
	"cmp"
	"crypto/cipher"
	"slices"
	"sync"

	"serverless-scim/internal/table"
)

// A Cache holds what engines keep in memory between requests. The zero value is empty. It is safe for concurrent use.
type Cache struct {
	cursorKeys      cursorKeyCache
	bookmarks       bookmarkCache
	completeIndexes sync.Map // keys: the AllPartition of a type and tenant whose indexes are all complete
}

// A cursorKeyCache holds the ciphers that encrypt and decrypt the cursors of tenants. The key of a tenant is random and
// stored in the table, so all processes share it.
type cursorKeyCache struct {
	mu    sync.Mutex
	aeads map[string]cipher.AEAD // by tenant
}

const maxCachedCursorKeys = 1000 // tenants; beyond, the cache begins again

func (c *cursorKeyCache) get(tenant string) cipher.AEAD {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.aeads[tenant]
}

func (c *cursorKeyCache) put(tenant string, aead cipher.AEAD) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.aeads == nil || len(c.aeads) >= maxCachedCursorKeys {
		c.aeads = map[string]cipher.AEAD{}
	}
	c.aeads[tenant] = aead
}

const (
	maxBookmarkBytes      = 8 << 20 // of both generations; a walk over a million users by pages of 100 leaves 3 MB
	bookmarkOverheadBytes = 200     // of one bookmark at most, with its share of lists and maps
)

// A bookmarkItem stores the position of the page that begins at a start index, so that the next page need not count from
// the beginning. A bookmark replaces that of an earlier walk with the same index. So a walk from page 1 on finds its own
// bookmarks, while a jump may begin at a bookmark of an earlier walk.
type bookmarkItem struct {
	table.Key
	Position  string `dynamodbav:"mark"` // JSON
	Total     int    `dynamodbav:"total"`
	ExpiresAt int64  `dynamodbav:"expires"` // Unix time in seconds; DynamoDB may keep the item for days longer
}

func (b bookmarkItem) size() int {
	return bookmarkOverheadBytes + len(b.PK) + len(b.SK) + len(b.Position)
}

func (b bookmarkItem) compareSortKey(sk string) int { return cmp.Compare(b.SK, sk) }

// A bookmarkCache keeps bookmarks in memory, for an embedded table, so that a page costs no write. When the current
// generation is full, the cache drops the previous one. It must not drop bookmarks at random: a walk that finds only an
// older bookmark counts from there, and skips resources if others have been deleted in between.
type bookmarkCache struct {
	mu                sync.Mutex
	current, previous generation
}

// A generation is a set of bookmarks that are dropped together.
type generation struct {
	byPartition map[string][]bookmarkItem // sorted by sort key
	size        int                       // bytes
}

func (c *bookmarkCache) put(b bookmarkItem) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current.byPartition == nil || c.current.size+b.size() > maxBookmarkBytes/2 {
		c.current, c.previous = generation{byPartition: map[string][]bookmarkItem{}}, c.current
	}
	c.current.put(b)
}

func (g *generation) put(b bookmarkItem) {
	walk := g.byPartition[b.PK]
	i, exists := slices.BinarySearchFunc(walk, b.SK, bookmarkItem.compareSortKey)
	if g.size += b.size(); exists {
		g.size -= walk[i].size()
		walk[i] = b
		return
	}
	g.byPartition[b.PK] = slices.Insert(walk, i, b)
}

// floor returns the last bookmark of a partition up to a sort key, or the zero bookmark. Of two with the same sort key it
// returns the newer one.
func (c *bookmarkCache) floor(k table.Key) bookmarkItem {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, old := c.current.floor(k), c.previous.floor(k)
	if old.SK > b.SK {
		return old
	}
	return b
}

func (g *generation) floor(k table.Key) bookmarkItem {
	walk := g.byPartition[k.PK]
	i, exists := slices.BinarySearchFunc(walk, k.SK, bookmarkItem.compareSortKey)
	if exists {
		return walk[i]
	}
	if i == 0 {
		return bookmarkItem{}
	}
	return walk[i-1]
}
