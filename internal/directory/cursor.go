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

// Cursors remembers by what each tenant's cursors (RFC 9865) are sealed, and opened again. The key is random, and stands
// in the table, where all directories of the tenant share it.
type Cursors struct {
	mu    sync.Mutex
	aeads map[string]cipher.AEAD // by tenant
}

const maxSealers = 1000 // tenants that are remembered

func (c *Cursors) of(tenant string) cipher.AEAD {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.aeads[tenant]
}

func (c *Cursors) remember(tenant string, s cipher.AEAD) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.aeads == nil || len(c.aeads) >= maxSealers {
		c.aeads = map[string]cipher.AEAD{}
	}
	c.aeads[tenant] = s
}

// secret is the item that holds the key.
type secret struct {
	table.Key
	Secret string `dynamodbav:"secret"`
}

// cursor is what a client gets sealed.
type cursor struct {
	mark
	Backward bool  `json:"b,omitempty"`
	Expires  int64 `json:"x"` // in seconds of Unix time
}

// sealer gives the cipher of the tenant. No lock is held while the table is asked: one tenant must not wait for another.
func (d *Directory) sealer(ctx context.Context) (cipher.AEAD, error) {
	if known := d.Cursors.of(d.keys.tenant); known != nil {
		return known, nil
	}
	s, err := d.secret(ctx)
	if err != nil {
		return nil, err
	}
	aead, err := s.aead()
	if err != nil {
		return nil, fmt.Errorf("directory: damaged secret: %w", err)
	}
	d.Cursors.remember(d.keys.tenant, aead)
	return aead, nil
}

func (s secret) aead() (cipher.AEAD, error) {
	key, err := base64.StdEncoding.DecodeString(s.Secret)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// secret reads the key of the tenant, and makes it where there is none. Of several that make one at once, one does.
func (d *Directory) secret(ctx context.Context) (s secret, err error) {
	s.Key = d.keys.secret()
	items, err := d.Table.Get(ctx, nil, s.Key)
	if err != nil {
		return s, err
	}
	if len(items) == 0 {
		fresh, err := d.random(32)
		if err != nil {
			return s, err
		}
		s.Secret = base64.StdEncoding.EncodeToString(fresh)
		items = []table.Item{marshal(s)}
		refused := (*table.Refused)(nil)
		if err := d.Table.Write(ctx, table.Put{Item: items[0], If: []table.Condition{table.Absent()}}); errors.As(err, &refused) {
			items[0] = refused.Failed[0]
		} else if err != nil {
			return s, err
		}
	}
	err = unmarshal(items[0], &s)
	return s, err
}

// seal makes the cursor of a mark, for this query of this tenant alone. It has no letter that must be escaped in a URL.
func (l *listing) seal(ctx context.Context, m mark, backward bool) (string, error) {
	s, err := l.sealer(ctx)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(cursor{m, backward, l.Now().Add(PageTimeout).Unix()})
	if err != nil {
		return "", fmt.Errorf("directory: cursor: %w", err)
	}
	nonce, err := l.random(s.NonceSize())
	return base64.RawURLEncoding.EncodeToString(s.Seal(nonce, nonce, text, l.bound())), err
}

// bound is what a cursor holds for alone.
func (l *listing) bound() []byte { return []byte(l.keys.tenant + "#" + l.name()) }

// open reads the cursor that a client sent.
func (l *listing) open(ctx context.Context) (c cursor, err error) {
	if l.Cursor == "" {
		return c, nil
	}
	s, err := l.sealer(ctx)
	if err != nil {
		return c, err
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(l.Cursor) // strict or not, it skips the ends of lines
	if err != nil || len(sealed) < s.NonceSize() || strings.ContainsAny(l.Cursor, "\r\n") {
		return c, invalidCursor()
	}
	text, err := s.Open(nil, sealed[:s.NonceSize()], sealed[s.NonceSize():], l.bound())
	if err != nil {
		return c, invalidCursor()
	}
	if err := l.parse(text, &c, &c.mark); err != nil {
		return c, err
	}
	if l.Now().Unix() >= c.Expires {
		return c, scim.BadRequest(scim.ExpiredCursor, "The cursor has expired. Begin again with an empty cursor.")
	}
	return c, nil
}

func invalidCursor() error {
	return scim.BadRequest(scim.InvalidCursor, "The cursor is none that was given for this query. Repeat the query as it was, "+
		"but for the cursor, or begin again with an empty cursor.")
}

// byCursor is the page behind a cursor, or before it (RFC 9865 §2).
func (l *listing) byCursor(ctx context.Context) (*List, error) {
	c, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	p, total, err := l.read(ctx, func(ctx context.Context) (p page, err error) {
		if l.sorter != nil {
			return l.sortedPage(ctx, c.mark, c.Backward)
		}
		w := &walk{listing: l, mark: c.mark, backward: c.Backward, loose: true}
		p.matches, p.more, err = w.page(ctx, l.Query.Count, nil)
		p.behind, p.total = w.mark, -1
		return p, err
	})
	if err != nil {
		return nil, err
	}
	l.cut(&p)
	list := &List{Total: max(p.total, total)}
	if list.Next, list.Previous, err = l.cursors(ctx, c, p); err != nil {
		return nil, err
	}
	if c.Backward {
		slices.Reverse(p.matches)
	}
	list.Resources, err = l.reply(ctx, p.matches)
	return list, err
}

// turn is the mark from which one goes back over what stands before a page. A page may be empty: what was behind the
// cursor when that was given has gone since, or does not match, or was too much for one request.
func (p page) turn(from cursor) mark {
	switch m := p.behind; {
	case len(p.matches) > 0:
		return p.matches[0].behind()
	case from.Backward && !p.more:
		return mark{} // at the beginning
	case m.Place == "" && from.Backward: // in a selection of which nothing was tested
		return mark{From: m.From + 1}
	case m.Place == "":
		return mark{From: m.From - 1}
	default:
		m.With = !m.With // who was left out on the way on is met on the way back
		return m
	}
}

// cursors gives those of the pages behind and before a page that was read from a cursor. The last page has no next one,
// by which clients know that it is the last; the first has none before it.
func (l *listing) cursors(ctx context.Context, from cursor, p page) (next, previous string, err error) {
	on, back := "", ""
	if p.more {
		on, err = l.seal(ctx, p.behind, from.Backward)
	}
	if err == nil && (from.Place != "" || from.From > 0 || from.Backward) {
		back, err = l.seal(ctx, p.turn(from), !from.Backward)
	}
	if from.Backward {
		return back, on, err
	}
	return on, back, err
}
