package fsck

import (
	"context"
	"slices"
	"strings"

	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// Run checks the items. An error is an error of the table, and ends the run; the summary then counts what was checked
// before. Run does not exclude other runs: see RunExclusive.
func (c Checker) Run(ctx context.Context) (Summary, error) { return c.run(ctx, nil) }

// RunExclusive is like Run, but two repairs of the same table exclude each other. It returns *LeaseError, and writes
// nothing, while another repair is in progress. Runs that do not repair are not affected.
func (c Checker) RunExclusive(ctx context.Context) (Summary, error) {
	if !c.Repair {
		return c.Run(ctx)
	}
	l, err := acquireLease(ctx, c.Config.Unscoped())
	if err != nil {
		return Summary{}, err
	}
	defer l.release(ctx)
	return c.run(ctx, l)
}

// run checks the items, and renews the lease of the run, if there is one.
func (c Checker) run(ctx context.Context, l *lease) (Summary, error) {
	run := &checkRun{checker: c, store: c.Config.Unscoped(), lease: l, drift: counterDrift{},
		incomplete: map[counterRef][]string{}, tenants: map[string]bool{}}
	err := run.scan(ctx, func(items []table.Item) error { return run.checkPage(ctx, items) })
	types := run.drift.sortedRefs()
	if err == nil {
		err = run.checkCounters(ctx)
	}
	if err == nil && c.Repair && !run.unrepaired {
		err = run.endBackfills(ctx, types)
	}
	run.summary.Tenants = len(run.tenants)
	if c.Tenant != "" {
		run.summary.Tenants = 1
	}
	return run.summary, err
}

// checkPage checks the items of a table page. It checks the totals of the groups first, because the repairs of other
// findings change the member counts.
func (run *checkRun) checkPage(ctx context.Context, items []table.Item) error {
	view, refs := newItemView(items), run.classify(items, run.drift)
	run.summary.Items += len(refs)
	for _, ref := range refs {
		run.tenants[ref.store.Keys.Tenant()] = true
	}
	if err := run.loadIncompleteIndexes(ctx, refs); err != nil {
		return err
	}
	for _, ref := range refs {
		if ref.isHead() && store.IsGroup(ref.rt) {
			if err := run.checkTotals(ctx, ref, view); err != nil {
				return err
			}
		}
	}
	for batch := range slices.Chunk(refs, checkBatch) {
		var checks []check
		for _, ref := range batch {
			checks = append(checks, ref.checks(view)...)
			run.unrepaired = run.unrepaired || ref.isHead() && view.resource(ref, ref.id).index.Partial
		}
		if err := run.runChecks(ctx, checks, view); err != nil {
			return err
		}
	}
	return nil
}

// checks returns the checks of an item. It returns nil for an item that is not part of the item layout.
func (ref itemRef) checks(view *itemView) []check {
	switch {
	case ref.key == ref.store.Keys.CursorKey():
		return []check{{ref.key, ref.checkCursorKey}}
	case ref.key.PK == store.IntentPartition:
		if ref.rt.IsID(ref.id) {
			return []check{{ref.key, ref.checkIntentMarker}}
		}
	case len(ref.keyParts) == 2 && strings.HasPrefix(ref.key.SK, store.NamePrefix(ref.rt)):
		return []check{{ref.key, ref.checkNameItem}}
	case ref.isIndexItem():
		return []check{{ref.key, ref.checkIndexItem}}
	case ref.isHead():
		return ref.headChecks(view)
	case ref.inGroupPartition(store.EdgePrefix):
		return []check{{ref.key, ref.checkEdge}}
	case ref.inGroupPartition(store.ChangePrefix):
		return []check{{ref.key, ref.checkChangeItem}}
	}
	return nil
}
