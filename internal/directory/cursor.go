package directory

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// CursorKeyCache remembers by what each tenant's cursors (RFC 9865) are sealed, and opened again. The key is random, and stands
// in the table, where all directories of the tenant share it.
type CursorKeyCache struct {
	mu    sync.Mutex
	aeads map[string]cipher.AEAD // by tenant
}

const maxCachedCursorKeys = 1000 // tenants that are remembered

func (c *CursorKeyCache) get(tenant string) cipher.AEAD {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.aeads[tenant]
}

func (c *CursorKeyCache) put(tenant string, s cipher.AEAD) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.aeads == nil || len(c.aeads) >= maxCachedCursorKeys {
		c.aeads = map[string]cipher.AEAD{}
	}
	c.aeads[tenant] = s
}

// CursorKeyItem is the item that holds the key.
type CursorKeyItem struct {
	table.Key
	EncodedKey string `dynamodbav:"secret"`
}

// cursor is what a client gets sealed.
type cursor struct {
	mark
	Backward bool  `json:"b,omitempty"`
	Expires  int64 `json:"x"` // in seconds of Unix time
}

// cursorAEAD gives the cipher of the tenant. No lock is held while the table is asked: one tenant must not wait for another.
func (d *Store) cursorAEAD(ctx context.Context) (cipher.AEAD, error) {
	if known := d.Cursors.get(d.keys.tenant); known != nil {
		return known, nil
	}
	s, err := d.loadOrCreateCursorKey(ctx)
	if err != nil {
		return nil, err
	}
	aead, err := s.NewAEAD()
	if err != nil {
		return nil, fmt.Errorf("directory: damaged secret: %w", err)
	}
	d.Cursors.put(d.keys.tenant, aead)
	return aead, nil
}

func (s CursorKeyItem) NewAEAD() (cipher.AEAD, error) {
	key, err := base64.StdEncoding.DecodeString(s.EncodedKey)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// loadOrCreateCursorKey reads the key of the tenant, and makes it where there is none. Of several that make one at once, one does.
func (d *Store) loadOrCreateCursorKey(ctx context.Context) (s CursorKeyItem, err error) {
	s.Key = d.keys.CursorKey()
	items, err := d.Table.Get(ctx, nil, s.Key)
	if err != nil {
		return s, err
	}
	if len(items) == 0 {
		fresh, err := d.RandomBytes(32)
		if err != nil {
			return s, err
		}
		s.EncodedKey = base64.StdEncoding.EncodeToString(fresh)
		items = []table.Item{MarshalItem(s)}
		refused := (*table.ConditionError)(nil)
		if err := d.Table.Write(ctx, table.Put{Item: items[0], If: []table.Condition{table.NotExists()}}); errors.As(err, &refused) {
			items[0] = refused.Items[0]
		} else if err != nil {
			return s, err
		}
	}
	err = UnmarshalItem(items[0], &s)
	return s, err
}

// sealCursor makes the cursor of a mark, for this query of this tenant alone. It has no letter that must be escaped in a URL.
func (l *execution) sealCursor(ctx context.Context, m mark, backward bool) (string, error) {
	s, err := l.cursorAEAD(ctx)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(cursor{m, backward, l.Now().Add(PageTimeout).Unix()})
	if err != nil {
		return "", fmt.Errorf("directory: cursor: %w", err)
	}
	nonce, err := l.RandomBytes(s.NonceSize())
	return base64.RawURLEncoding.EncodeToString(s.Seal(nonce, nonce, text, l.cursorAAD())), err
}

// cursorAAD is what a cursor holds for alone.
func (l *execution) cursorAAD() []byte { return []byte(l.keys.tenant + "#" + l.fingerprint()) }

// openCursor reads the cursor that a client sent.
func (l *execution) openCursor(ctx context.Context) (c cursor, err error) {
	if l.Cursor == "" {
		return c, nil
	}
	s, err := l.cursorAEAD(ctx)
	if err != nil {
		return c, err
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(l.Cursor) // strict or not, it skips the ends of lines
	if err != nil || len(sealed) < s.NonceSize() || strings.ContainsAny(l.Cursor, "\r\n") {
		return c, invalidCursorError()
	}
	text, err := s.Open(nil, sealed[:s.NonceSize()], sealed[s.NonceSize():], l.cursorAAD())
	if err != nil {
		return c, invalidCursorError()
	}
	if err := l.decodePosition(text, &c, &c.mark); err != nil {
		return c, err
	}
	if l.Now().Unix() >= c.Expires {
		return c, scim.BadRequest(scim.ExpiredCursor, "The cursor has expired. Begin again with an empty cursor.")
	}
	return c, nil
}

func invalidCursorError() error {
	return scim.BadRequest(scim.InvalidCursor, "The cursor is none that was given for this query. Repeat the query as it was, "+
		"but for the cursor, or begin again with an empty cursor.")
}

// pageByCursor is the page behind a cursor, or before it (RFC 9865 §2).
func (l *execution) pageByCursor(ctx context.Context) (*ListResult, error) {
	c, err := l.openCursor(ctx)
	if err != nil {
		return nil, err
	}
	p, total, err := l.readPageAndTotal(ctx, func(ctx context.Context) (p matchPage, err error) {
		if l.sorter != nil {
			return l.sortedPageByCursor(ctx, c.mark, c.Backward)
		}
		w := &iterator{execution: l, mark: c.mark, backward: c.Backward, allowPartial: true}
		p.matches, p.more, err = w.nextMatches(ctx, l.Params.Count, nil)
		p.end, p.total = w.mark, -1
		return p, err
	})
	if err != nil {
		return nil, err
	}
	l.truncateToFit(&p)
	list := &ListResult{TotalResults: max(p.total, total)}
	if list.NextCursor, list.PreviousCursor, err = l.adjacentCursors(ctx, c, p); err != nil {
		return nil, err
	}
	if c.Backward {
		slices.Reverse(p.matches)
	}
	list.Resources, err = l.loadPage(ctx, p.matches)
	return list, err
}

// reversePosition is the mark from which one goes back over what stands before a page. A page may be empty: what was behind the
// cursor when that was given has gone since, or does not match, or was too much for one request.
func (p matchPage) reversePosition(from cursor) mark {
	switch m := p.end; {
	case len(p.matches) > 0:
		return p.matches[0].positionAfter()
	case from.Backward && !p.more:
		return mark{} // at the beginning
	case m.OrderKey == "" && from.Backward: // in a selection of which nothing was tested
		return mark{Subquery: m.Subquery + 1}
	case m.OrderKey == "":
		return mark{Subquery: m.Subquery - 1}
	default:
		m.Inclusive = !m.Inclusive // who was left out on the way on is met on the way back
		return m
	}
}

// adjacentCursors gives those of the pages behind and before a page that was read from a cursor. The last page has no next one,
// by which clients know that it is the last; the first has none before it.
func (l *execution) adjacentCursors(ctx context.Context, from cursor, p matchPage) (next, previous string, err error) {
	on, back := "", ""
	if p.more {
		on, err = l.sealCursor(ctx, p.end, from.Backward)
	}
	if err == nil && (from.OrderKey != "" || from.Subquery > 0 || from.Backward) {
		back, err = l.sealCursor(ctx, p.reversePosition(from), !from.Backward)
	}
	if from.Backward {
		return back, on, err
	}
	return on, back, err
}
