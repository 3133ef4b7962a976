package fsck

import (
	"maps"
	"slices"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// A counterRef identifies the counter items of one resource type of one tenant.
type counterRef struct {
	keys store.Keys
	rt   *scim.ResourceType
}

// shard returns the key of one counter item.
func (ref counterRef) shard(n byte) table.Key { return ref.keys.Counter(ref.rt, n) }

// A counterDrift holds the number of visible resources minus the sum of the counter items.
type counterDrift map[counterRef]int64

// add takes an item into account that is a head item or a counter item.
func (d counterDrift) add(item itemRef, it table.Item) {
	ref := counterRef{keys: item.store.Keys, rt: item.rt}
	switch _, deleting := it["deleting"]; {
	case item.isHead() && !deleting:
		d[ref]++
	case item.key.PK == item.store.Keys.CounterPartition(item.rt):
		d[ref] -= table.IntValue(it["n"])
	}
}

func (d counterDrift) sortedRefs() []counterRef {
	return slices.SortedFunc(maps.Keys(d), func(a, b counterRef) int {
		return slices.Compare([]string{a.keys.Tenant(), a.rt.Name}, []string{b.keys.Tenant(), b.rt.Name})
	})
}
