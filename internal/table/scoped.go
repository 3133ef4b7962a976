package table

import (
	"context"
	"strings"
)

// Scoped limits a Table to the partitions whose keys begin with Prefix, and to the sort keys with that prefix in
// SharedPartition. Any other call, including every Scan, returns *InvalidError without reaching the table. The error
// does not contain keys, because they may belong to another scope. If Prefix is empty, every call with a key is
// rejected. If SharedPartition is empty, no partition is shared.
type Scoped struct {
	Table
	Prefix          string
	SharedPartition string
}

// hasPrefix reports whether s begins with a non-empty Prefix.
func (w Scoped) hasPrefix(s string) bool { return w.Prefix != "" && strings.HasPrefix(s, w.Prefix) }

func (w Scoped) isShared(pk string) bool { return w.SharedPartition != "" && pk == w.SharedPartition }

func (w Scoped) checkKey(k Key) error {
	scoped := k.PK
	if w.isShared(k.PK) {
		scoped = k.SK
	}
	if !w.hasPrefix(scoped) {
		return invalidError("the key is outside the scope of this table")
	}
	return nil
}

func (w Scoped) checkKeys(keys []Key) error {
	for _, k := range keys {
		if err := w.checkKey(k); err != nil {
			return err
		}
	}
	return nil
}

// checkRange rejects a range that could contain a key outside the scope. In the shared partition, a range needs a
// Prefix or both ends. Every string between two strings with a prefix has that prefix, too.
func (w Scoped) checkRange(r Range) error {
	if !w.isShared(r.PK) {
		return w.checkKey(Key{PK: r.PK})
	}
	bounded := r.Prefix != "" || r.From != "" && r.To != ""
	for _, bound := range [...]string{r.Prefix, r.From, r.To, r.ExclusiveStart} {
		bounded = bounded && (bound == "" || w.hasPrefix(bound))
	}
	if !bounded {
		return invalidError("the range is not limited to the scope of this table")
	}
	return nil
}

// Get reads the items if all keys are in the scope.
func (w Scoped) Get(ctx context.Context, attributes []string, keys ...Key) ([]Item, error) {
	if err := w.checkKeys(keys); err != nil {
		return nil, err
	}
	return w.Table.Get(ctx, attributes, keys...)
}

// Snapshot reads the items if all keys are in the scope.
func (w Scoped) Snapshot(ctx context.Context, keys ...Key) ([]Item, error) {
	if err := w.checkKeys(keys); err != nil {
		return nil, err
	}
	return w.Table.Snapshot(ctx, keys...)
}

// Query reads a page if the whole range is in the scope.
func (w Scoped) Query(ctx context.Context, r Range) (Page, error) {
	if err := w.checkRange(r); err != nil {
		return Page{}, err
	}
	return w.Table.Query(ctx, r)
}

// Write makes the writes if all their keys are in the scope, condition checks included.
func (w Scoped) Write(ctx context.Context, writes ...Write) error {
	for _, write := range writes {
		if err := w.checkKey(write.Target()); err != nil {
			return err
		}
	}
	return w.Table.Write(ctx, writes...)
}

// Scan returns *InvalidError.
func (w Scoped) Scan(context.Context, Key) (Page, error) {
	return Page{}, invalidError("a table with a scope cannot be scanned")
}
