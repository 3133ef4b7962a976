package table

import (
	"context"
	"strings"
)

// Within is a part of a table: the partitions whose keys begin with Prefix and, of the partition Shared, the sort keys
// that do. A call that could reach anything else is *Invalid, and is not made; so is every Scan, which reads all. The
// error keeps the keys to itself. An empty Prefix leaves nothing to be reached, an empty Shared no such partition.
type Within struct {
	Table
	Prefix string
	Shared string
}

// holds tells whether this is the beginning of what can be reached.
func (w Within) holds(s string) bool { return w.Prefix != "" && strings.HasPrefix(s, w.Prefix) }

func (w Within) shares(pk string) bool { return w.Shared != "" && pk == w.Shared }

func (w Within) check(k Key) error {
	part := k.PK
	if w.shares(part) {
		part = k.SK
	}
	if !w.holds(part) {
		return invalid("a key beyond the part of the table that this call may reach")
	}
	return nil
}

func (w Within) checkAll(keys []Key) error {
	for _, k := range keys {
		if err := w.check(k); err != nil {
			return err
		}
	}
	return nil
}

// checkRange asks of the shared partition for a prefix, or both ends of an interval: between two strings with a prefix
// all have it.
func (w Within) checkRange(r Range) error {
	if !w.shares(r.PK) {
		return w.check(Key{PK: r.PK})
	}
	bounded := r.Prefix != "" || r.From != "" && r.To != ""
	for _, bound := range [...]string{r.Prefix, r.From, r.To, r.After} {
		bounded = bounded && (bound == "" || w.holds(bound))
	}
	if !bounded {
		return invalid("a range beyond the part of the table that this call may reach")
	}
	return nil
}

// Get reads what can be reached.
func (w Within) Get(ctx context.Context, attributes []string, keys ...Key) ([]Item, error) {
	if err := w.checkAll(keys); err != nil {
		return nil, err
	}
	return w.Table.Get(ctx, attributes, keys...)
}

// Snapshot reads what can be reached.
func (w Within) Snapshot(ctx context.Context, keys ...Key) ([]Item, error) {
	if err := w.checkAll(keys); err != nil {
		return nil, err
	}
	return w.Table.Snapshot(ctx, keys...)
}

// Query reads what can be reached.
func (w Within) Query(ctx context.Context, r Range) (Page, error) {
	if err := w.checkRange(r); err != nil {
		return Page{}, err
	}
	return w.Table.Query(ctx, r)
}

// Write does what can be reached; a transaction that goes beyond is not done at all.
func (w Within) Write(ctx context.Context, writes ...Write) error {
	for _, one := range writes {
		if err := w.check(one.Target()); err != nil {
			return err
		}
	}
	return w.Table.Write(ctx, writes...)
}

// Scan is refused.
func (w Within) Scan(context.Context, int, int, Key) (Page, error) {
	return Page{}, invalid("a scan by who may reach a part of the table alone")
}
