package query

import (
	"context"
	"crypto/cipher"
	"math"

	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// Limits that the external tests must exceed.
const (
	TestBatchSize    = testBatchSize
	ScanBatch        = scanBatch
	SkipBatch        = skipBatch
	MaxBookmarkBytes = maxBookmarkBytes
)

// BookmarkKey returns the key of the bookmark for the page that begins at p.StartIndex.
func (e *Engine) BookmarkKey(p Params) (table.Key, error) {
	x, err := e.newExecution(p, nil)
	if err != nil {
		return table.Key{}, err
	}
	return e.store.Keys.Bookmark(x.fingerprint(p.Client), p.StartIndex), nil
}

// PutBookmark keeps a bookmark in memory and returns its size in bytes. The position is the JSON text.
func (c *Cache) PutBookmark(k table.Key, position string) (size int) {
	b := bookmarkItem{Key: k, Position: position, ExpiresAt: math.MaxInt64}
	c.bookmarks.put(b)
	return b.size()
}

// CopyCursorKey lets one tenant use the cursor key of another.
func (c *Cache) CopyCursorKey(from, to string) { c.cursorKeys.put(to, c.cursorKeys.get(from)) }

// CursorAEAD is cursorAEAD.
func (e *Engine) CursorAEAD(ctx context.Context) (cipher.AEAD, error) { return e.cursorAEAD(ctx) }

// LoadOrCreateCursorKey is loadOrCreateCursorKey.
func (e *Engine) LoadOrCreateCursorKey(ctx context.Context) (store.CursorKeyItem, error) {
	return e.loadOrCreateCursorKey(ctx)
}

// SealCursor returns the cursor of the position after an order key.
func (e *Engine) SealCursor(ctx context.Context, p Params, orderKey string) (string, error) {
	x, err := e.newExecution(p, nil)
	if err != nil {
		return "", err
	}
	return x.sealCursor(ctx, position{OrderKey: orderKey}, false)
}
