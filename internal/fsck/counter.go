package fsck

import (
	"context"
	"fmt"
	"maps"
	"reflect"

	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// checkCounters checks the counter items. A scan does not read all items at the same instant, so a drift is a finding
// only if a second scan shows the same drift and no counter item of the type has changed. Counter items that change all
// the time are not checked.
func (run *checkRun) checkCounters(ctx context.Context) error {
	maps.DeleteFunc(run.drift, func(_ counterRef, n int64) bool { return n == 0 })
	if len(run.drift) == 0 {
		return nil
	}
	before, err := run.readCounters(ctx)
	if err != nil {
		return err
	}
	if err := run.waitForVisibility(ctx); err != nil {
		return err
	}
	again := counterDrift{}
	if err := run.scan(ctx, func(items []table.Item) error { run.classify(items, again); return nil }); err != nil {
		return err
	}
	after, err := run.readCounters(ctx)
	if err != nil {
		return err
	}
	for _, ref := range run.drift.sortedRefs() {
		if again[ref] != run.drift[ref] || !reflect.DeepEqual(before[ref].items, after[ref].items) {
			continue
		}
		k := ref.shard(0)
		if _, err := run.repairOrReport(ctx, k, counterFinding(k, before[ref].item(k), again[ref])); err != nil {
			return err
		}
	}
	return nil
}

// counterFinding returns the finding for a drift. Its repair adds the drift to one counter item.
func counterFinding(k table.Key, counter table.Item, drift int64) checkResult {
	return newFinding(fmt.Sprintf("counter items whose sum must change by %+d", drift), table.Update{
		Key: k, Add: table.Item{"n": table.N(drift)}, If: unchangedConditions(counter, "n"),
	})
}

// readCounters returns snapshots of the counter items that have a drift.
func (run *checkRun) readCounters(ctx context.Context) (map[counterRef]*itemView, error) {
	views := map[counterRef]*itemView{}
	for _, ref := range run.drift.sortedRefs() {
		var keys []table.Key
		for n := range byte(store.CounterShards) {
			keys = append(keys, ref.shard(n))
		}
		view, err := run.snapshot(ctx, keys...)
		if err != nil {
			return nil, err
		}
		views[ref] = view
	}
	return views, nil
}
