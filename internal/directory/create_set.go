package directory

import (
	"context"
	"encoding/hex"
	"errors"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// A CreateSet is a set of resources that requests create all or not at all. An intent marker records their IDs before the
// first of them is created. If the process dies, or has no time to undo its creates, the sweep undoes them.
//
// The marker is also a fence. Each create requires its state prepared. Undo changes the state before it deletes anything.
// In the end the marker is a tombstone. It has the IDs after Undo, and no IDs after Commit. So a write of the marker that
// arrives late, after its response was lost, cannot undo what is committed.
type CreateSet struct {
	dir    *Directory
	marker table.Key
	ids    []string
	undone map[string]ChangeSummary // by ID
}

// BeginCreates begins the creation of one resource of each of the given types, of which there must be at least one.
// After an error, the set is nil or can only be undone.
func (d *Directory) BeginCreates(ctx context.Context, types []*scim.ResourceType) (*CreateSet, error) {
	random, err := d.store.RandomBytes(16)
	c := &CreateSet{dir: d, undone: map[string]ChangeSummary{}}
	for _, rt := range types {
		id, idErr := d.store.NewID(rt)
		c.ids, err = append(c.ids, id), errors.Join(err, idErr)
	}
	if err != nil {
		return nil, err
	}
	m := d.store.NewIntentMarker(types[0], c.ids[0], hex.EncodeToString(random))
	m.State, m.Creates, c.marker = store.StatePrepared, c.ids, m.Key
	t := &store.Transaction{}
	t.Add(table.Put{Item: store.MarshalItem(m), If: []table.Condition{table.NotExists()}},
		func(table.Item) error { return nil }) // an earlier attempt, whose response was lost, has written it
	return c, d.store.WriteTransaction(ctx, t)
}

// Directory returns a directory whose Create creates resource i of the set.
func (c *CreateSet) Directory(i int) *Directory {
	d := *c.dir
	d.reserved = &reservation{c.ids[i], c.marker}
	return &d
}

// Commit keeps the resources of the set. It returns an error if a sweep undoes them.
func (c *CreateSet) Commit(ctx context.Context) error {
	w := c.end(store.StatePrepared)
	w.Remove = []string{"creates"}
	return c.write(ctx, w, func(m store.IntentMarker) error {
		if isCommitted(m) { // an earlier attempt, whose response was lost, has taken effect
			return nil
		}
		return errUndone
	})
}

// Undo deletes the resources of the set that exist, and prevents any later create. It can be called again after an error.
// It reports whether Commit has taken effect, although its response was lost. In that case it deletes nothing. The
// deprovisioning guard does not count these deletes.
func (c *CreateSet) Undo(ctx context.Context) (committed bool, err error) {
	state := store.StateAborted
	begin := c.transition(store.StatePrepared, store.StateAborted)
	if err := c.write(ctx, begin, func(m store.IntentMarker) error {
		state, committed = m.State, isCommitted(m)
		return nil
	}); err != nil || state != store.StateAborted {
		return committed, err
	}
	d := *c.dir
	d.allowDeprovisioning = nil
	for _, id := range c.ids {
		rt := d.store.Types.ByID(id)
		if _, done := c.undone[id]; done || rt == nil {
			continue
		}
		summary, err := d.Delete(ctx, rt, id, nil)
		if missing := (*scim.Error)(nil); errors.As(err, &missing) {
			continue
		}
		if err != nil {
			return false, err
		}
		c.undone[id] = summary
		d.store.Log.InfoContext(ctx, "undid an unfinished create", "id", id)
	}
	return false, c.write(ctx, c.end(store.StateAborted), func(store.IntentMarker) error { return nil })
}

// Undone returns what Undo has deleted, by ID.
func (c *CreateSet) Undone() map[string]ChangeSummary { return c.undone }

// isCommitted reports whether the marker of a set is that of a set whose Commit has taken effect.
func isCommitted(m store.IntentMarker) bool { return m.State == store.StateSwept && m.Creates == nil }

// transition returns the write that moves the marker from one state to another.
func (c *CreateSet) transition(from, to string) table.Update {
	return table.Update{Key: c.marker, Set: table.Item{"state": table.S(to)},
		If: []table.Condition{table.Equals("state", table.S(from))}}
}

// end returns the write that makes the marker a tombstone.
func (c *CreateSet) end(from string) table.Update {
	w := c.transition(from, store.StateSwept)
	w.Set["expires"] = table.N(c.dir.store.Now().Add(store.TombstoneTTL).Unix())
	return w
}

// write writes the marker. If it has another state than w requires, the result is that of otherwise.
func (c *CreateSet) write(ctx context.Context, w table.Update, otherwise func(existing store.IntentMarker) error) error {
	t := &store.Transaction{}
	t.Add(w, func(existing table.Item) error {
		var m store.IntentMarker
		if err := store.UnmarshalItem(existing, &m); err != nil {
			return err
		}
		return otherwise(m)
	})
	return c.dir.store.WriteTransaction(ctx, t)
}

// Sweep is store.Sweep, which also undoes the creates of each CreateSet that was neither committed nor undone.
func Sweep(ctx context.Context, c store.Config) (store.SweepResult, error) {
	c.UndoCreates = func(ctx context.Context, s *store.Store, marker table.Key, ids []string) (bool, error) {
		set := &CreateSet{dir: &Directory{store: s}, marker: marker, ids: ids, undone: map[string]ChangeSummary{}}
		_, err := set.Undo(ctx)
		return err == nil, err
	}
	return store.Sweep(ctx, c)
}
