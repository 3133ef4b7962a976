package fsck

import (
	"context"
	"slices"
	"strings"

	"serverless-scim/internal/table"
)

// loadIncompleteIndexes adds to head items which attributes have no complete index items yet. Their index items are no
// findings, because a backfill writes them. A run that repairs writes them itself.
func (run *checkRun) loadIncompleteIndexes(ctx context.Context, refs []itemRef) error {
	for i, ref := range refs {
		if run.checker.Repair || !ref.isHead() {
			continue
		}
		id := counterRef{ref.store.Keys, ref.rt}
		attributes, loaded := run.incomplete[id]
		if !loaded {
			byType, err := ref.store.IncompleteIndexes(ctx, ref.rt)
			if err != nil {
				return err
			}
			attributes = byType[ref.rt]
			run.incomplete[id] = attributes
		}
		refs[i].incomplete = attributes
	}
	return nil
}

// isIncomplete reports whether a backfill still writes the index item with a key.
func (ref itemRef) isIncomplete(k table.Key) bool {
	return slices.ContainsFunc(ref.incomplete, func(attribute string) bool {
		return strings.HasPrefix(k.PK, ref.store.Keys.TypePartition(ref.rt)+"#"+attribute+"#")
	})
}

// endBackfills ends the backfills of resource types whose index items were all checked and repaired.
func (run *checkRun) endBackfills(ctx context.Context, types []counterRef) error {
	for _, ref := range types {
		if err := run.checker.Config.ForTenant(ref.keys).EndBackfill(ctx, ref.rt); err != nil {
			return err
		}
	}
	return nil
}
