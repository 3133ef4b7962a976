package table

import (
	"context"
	"strings"
)

// Scoped is a part of a table: the partitions whose keys begin with Prefix and, of the partition Shared, the sort keys
// that do. A call that could reach anything else is *Invalid, and is not made; so is every Scan, which reads all. The
// error keeps the keys to itself. An empty Prefix leaves nothing to be reached, an empty Shared no such partition.
type Scoped struct {
	Table
	Prefix          string
	SharedPartition string
}

// hasPrefix tells whether this is the beginning of what can be reached.
func (w Scoped) hasPrefix(s string) bool { return w.Prefix != "" && strings.HasPrefix(s, w.Prefix) }

func (w Scoped) isShared(pk string) bool { return w.SharedPartition != "" && pk == w.SharedPartition }

func (w Scoped) check(k Key) error {
	part := k.PK
	if w.isShared(part) {
		part = k.SK
	}
	if !w.hasPrefix(part) {
		return invalid("a key beyond the part of the table that this call may reach")
	}
	return nil
}

func (w Scoped) checkAll(keys []Key) error {
	for _, k := range keys {
		if err := w.check(k); err != nil {
			return err
		}
	}
	return nil
}

// checkRange asks of the shared partition for a prefix, or both ends of an interval: between two strings with a prefix
// all have it.
func (w Scoped) checkRange(r Range) error {
	if !w.isShared(r.PK) {
		return w.check(Key{PK: r.PK})
	}
	bounded := r.Prefix != "" || r.From != "" && r.To != ""
	for _, bound := range [...]string{r.Prefix, r.From, r.To, r.ExclusiveStart} {
		bounded = bounded && (bound == "" || w.hasPrefix(bound))
	}
	if !bounded {
		return invalid("a range beyond the part of the table that this call may reach")
	}
	return nil
}

// Get reads what can be reached.
func (w Scoped) Get(ctx context.Context, attributes []string, keys ...Key) ([]Item, error) {
	if err := w.checkAll(keys); err != nil {
		return nil, err
	}
	return w.Table.Get(ctx, attributes, keys...)
}

// Snapshot reads what can be reached.
func (w Scoped) Snapshot(ctx context.Context, keys ...Key) ([]Item, error) {
	if err := w.checkAll(keys); err != nil {
		return nil, err
	}
	return w.Table.Snapshot(ctx, keys...)
}

// Query reads what can be reached.
func (w Scoped) Query(ctx context.Context, r Range) (Page, error) {
	if err := w.checkRange(r); err != nil {
		return Page{}, err
	}
	return w.Table.Query(ctx, r)
}

// Write does what can be reached; a transaction that goes beyond is not done at all.
func (w Scoped) Write(ctx context.Context, writes ...Write) error {
	for _, one := range writes {
		if err := w.check(one.Target()); err != nil {
			return err
		}
	}
	return w.Table.Write(ctx, writes...)
}

// Scan is refused.
func (w Scoped) Scan(context.Context, Key) (Page, error) {
	return Page{}, invalid("a scan by who may reach a part of the table alone")
}
