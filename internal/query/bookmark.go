package query

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// PageTimeout is how long cursors and bookmarks are valid.
const PageTimeout = time.Hour

// A resumePoint is where the reading of a page begins: at a bookmark or at the beginning.
type resumePoint struct {
	position position
	index    int // of the first match after the position
	total    int // -1: not known
}

// findResumePoint returns the bookmark at StartIndex, or the nearest one before it.
func (x *execution) findResumePoint(ctx context.Context) (resumePoint, error) {
	beginning := resumePoint{index: 1, total: -1}
	if x.params.StartIndex == 1 {
		return beginning, nil
	}
	k := x.engine.store.Keys.Bookmark(x.fingerprint(x.params.Client), x.params.StartIndex)
	b, err := x.findBookmark(ctx, k)
	if err != nil || b.ExpiresAt <= x.engine.store.Now().Unix() {
		return beginning, err
	}
	r := resumePoint{total: b.Total}
	if r.index, err = strconv.Atoi(b.SK); err != nil {
		return beginning, fmt.Errorf("query: corrupt bookmark: %w", err)
	}
	return r, x.decodePosition([]byte(b.Position), &r.position, &r.position)
}

// findBookmark returns the last bookmark of a walk up to a key, or the zero bookmark, which has expired.
func (x *execution) findBookmark(ctx context.Context, k table.Key) (b bookmarkItem, err error) {
	if x.engine.store.Embedded {
		return x.engine.cache.bookmarks.floor(k), nil
	}
	page, err := x.engine.store.Table.Query(ctx, table.Range{PK: k.PK, From: "0", To: k.SK, Backward: true, Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return b, err
	}
	return b, store.UnmarshalItem(page.Items[0], &b)
}

// decodePosition decodes JSON into a value that contains p. Numbers keep their text, as in sort values.
func (x *execution) decodePosition(text []byte, into any, p *position) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("query: corrupt position: %w", err)
	}
	if p.Subquery < 0 || p.Subquery >= len(x.subqueries) {
		return fmt.Errorf("query: corrupt position: subquery %d of %d", p.Subquery, len(x.subqueries))
	}
	return nil
}

// saveBookmark stores the position of the page that begins at an index, unless the table is read-only.
func (x *execution) saveBookmark(ctx context.Context, index, total int, p position) error {
	if x.speculative {
		return nil
	}
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("query: position: %w", err)
	}
	k := x.engine.store.Keys.Bookmark(x.fingerprint(x.params.Client), index)
	b := bookmarkItem{k, string(text), total, x.engine.store.Now().Add(PageTimeout).Unix()}
	if x.engine.store.Embedded {
		x.engine.cache.bookmarks.put(b)
		return nil
	}
	return table.IgnoreReadOnly(x.engine.store.Table.Write(ctx, table.Put{Item: store.MarshalItem(b)}))
}
