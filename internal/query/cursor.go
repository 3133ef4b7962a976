package query

import (
	"context"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// A cursor is the content of an encrypted cursor.
type cursor struct {
	position
	Backward bool  `json:"b,omitempty"`
	Expires  int64 `json:"x"` // Unix time in seconds
}

// cursorAEAD returns the cipher of the tenant. It holds no lock during table calls, so that no tenant waits for another.
func (e *Engine) cursorAEAD(ctx context.Context) (cipher.AEAD, error) {
	tenant := e.store.Keys.Tenant()
	if cached := e.cache.cursorKeys.get(tenant); cached != nil {
		return cached, nil
	}
	key, err := e.loadOrCreateCursorKey(ctx)
	if err != nil {
		return nil, err
	}
	aead, err := key.NewAEAD()
	if err != nil {
		return nil, fmt.Errorf("query: corrupt cursor key: %w", err)
	}
	e.cache.cursorKeys.put(tenant, aead)
	return aead, nil
}

// loadOrCreateCursorKey reads the cursor key of the tenant, and creates it if it is missing. If several processes create
// it at the same time, all of them use the key that was written first.
func (e *Engine) loadOrCreateCursorKey(ctx context.Context) (key store.CursorKeyItem, err error) {
	key.Key = e.store.Keys.CursorKey()
	items, err := e.store.Table.Get(ctx, nil, key.Key)
	if err != nil {
		return key, err
	}
	if len(items) == 0 {
		random, err := e.store.RandomBytes(32)
		if err != nil {
			return key, err
		}
		key.EncodedKey = base64.StdEncoding.EncodeToString(random)
		items = []table.Item{store.MarshalItem(key)}
		failed := (*table.ConditionError)(nil)
		put := table.Put{Item: items[0], If: []table.Condition{table.NotExists()}}
		if err := e.store.Table.Write(ctx, put); errors.As(err, &failed) {
			items[0] = failed.Items[0]
		} else if err != nil {
			return key, err
		}
	}
	err = store.UnmarshalItem(items[0], &key)
	return key, err
}

// sealCursor returns the cursor of a position. It is valid for this query of this tenant only, and needs no escaping in a
// URL.
func (x *execution) sealCursor(ctx context.Context, p position, backward bool) (string, error) {
	aead, err := x.engine.cursorAEAD(ctx)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(cursor{p, backward, x.engine.store.Now().Add(PageTimeout).Unix()})
	if err != nil {
		return "", fmt.Errorf("query: cursor: %w", err)
	}
	nonce, err := x.engine.store.RandomBytes(aead.NonceSize())
	return base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, text, x.cursorAAD())), err
}

// cursorAAD returns the additional authenticated data that binds a cursor to the tenant and the query.
func (x *execution) cursorAAD() []byte {
	return []byte(x.engine.store.Keys.Tenant() + "#" + x.fingerprint())
}

// openCursor decrypts the cursor that the client sent. The empty cursor is the beginning.
func (x *execution) openCursor(ctx context.Context) (c cursor, err error) {
	if x.params.Cursor == "" {
		return c, nil
	}
	aead, err := x.engine.cursorAEAD(ctx)
	if err != nil {
		return c, err
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(x.params.Cursor)
	if err != nil || len(sealed) < aead.NonceSize() || strings.ContainsAny(x.params.Cursor, "\r\n") { // even a strict decoder skips line ends
		return c, invalidCursorError()
	}
	text, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], x.cursorAAD())
	if err != nil {
		return c, invalidCursorError()
	}
	if err := x.decodePosition(text, &c, &c.position); err != nil {
		return c, err
	}
	if x.engine.store.Now().Unix() >= c.Expires {
		return c, scim.BadRequest(scim.ExpiredCursor, "The cursor has expired. Start over with an empty cursor.")
	}
	return c, nil
}

func invalidCursorError() error {
	return scim.BadRequest(scim.InvalidCursor, "The cursor is not valid for this query. Send the same parameters as in the request "+
		"that returned the cursor, or start over with an empty cursor.")
}

// pageByCursor returns the page after a cursor, or before it (RFC 9865 §2).
func (x *execution) pageByCursor(ctx context.Context) (*Page, error) {
	c, err := x.openCursor(ctx)
	if err != nil {
		return nil, err
	}
	p, total, err := x.readPageAndTotal(ctx, func(ctx context.Context) (p matchPage, err error) {
		if x.sorter != nil {
			return x.sortedPageByCursor(ctx, c.position, c.Backward)
		}
		it := &iterator{exec: x, position: c.position, backward: c.Backward, allowPartial: true}
		p.matches, p.more, err = it.nextMatches(ctx, x.params.Count, nil)
		p.end, p.total = it.position, -1
		return p, err
	})
	if err != nil {
		return nil, err
	}
	x.truncateToFit(&p)
	next, previous, err := x.adjacentCursors(ctx, c, p)
	if err != nil {
		return nil, err
	}
	if c.Backward {
		slices.Reverse(p.matches)
	}
	page, err := x.loadPage(ctx, p.matches)
	if err != nil {
		return nil, err
	}
	page.Total, page.NextCursor, page.PreviousCursor = max(p.total, total), next, previous
	return page, nil
}

// reversePosition returns the position from which the opposite direction continues before the page. A page can be empty:
// what followed the cursor has been deleted, does not match, or was too much for one request.
func (p matchPage) reversePosition(from cursor) position {
	switch end := p.end; {
	case len(p.matches) > 0:
		return p.matches[0].positionAfter()
	case from.Backward && !p.more:
		return position{}
	case end.OrderKey == "" && from.Backward: // no candidate of this subquery was tested
		return position{Subquery: end.Subquery + 1}
	case end.OrderKey == "":
		return position{Subquery: end.Subquery - 1}
	default:
		end.Inclusive = !end.Inclusive // a candidate that was left out in one direction is read in the other
		return end
	}
}

// adjacentCursors returns the cursors of the next and the previous page. The last page has no next cursor, by which
// clients recognize it, and the first page has no previous one.
func (x *execution) adjacentCursors(ctx context.Context, from cursor, p matchPage) (next, previous string, err error) {
	onward, reverse := "", ""
	if p.more {
		onward, err = x.sealCursor(ctx, p.end, from.Backward)
	}
	if err == nil && (from.OrderKey != "" || from.Subquery > 0 || from.Backward) {
		reverse, err = x.sealCursor(ctx, p.reversePosition(from), !from.Backward)
	}
	if from.Backward {
		return reverse, onward, err
	}
	return onward, reverse, err
}
