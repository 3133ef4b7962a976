package directory

import (
	"context"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// Checker checks the items of all directories of a table, or of one, against each other. It may run beside requests,
// sweeps and others of its kind: what looks wrong is looked at again as of one instant, and a repair depends on all
// that it was decided by. It holds one page of the table, and some 100 heads that the page refers to.
type Checker struct {
	Config Config
	Tenant string            // by its name; "": all
	Repair bool              // what can be repaired
	Report func(line string) // is told each finding, one after the other
}

// Run tells how many findings there were. An error is one of the table, and ends the run.
func (f Checker) Run(ctx context.Context) (findings int, err error) {
	i := &checkRun{Checker: f, Store: f.Config.Unscoped(), surplus: counterDrift{}}
	err = i.scan(ctx, func(items []table.Item) error { return i.checkPage(ctx, items) })
	if err == nil {
		err = i.checkCounters(ctx)
	}
	return i.findings, err
}

// checkRun is a run of Fsck.
type checkRun struct {
	Checker
	*Store   // of no tenant
	surplus  counterDrift
	findings int
}

// itemRef is where an item stands: in whose directory, and as a part of which resource.
type itemRef struct {
	*Store
	rt       *scim.ResourceType
	key      table.Key
	keyParts []string // of the key: of the tenant, the resource type, and what follows
	id       string   // the third of them: of the resource
}

func (i *checkRun) scan(ctx context.Context, each func([]table.Item) error) error {
	for from := (table.Key{}); ; {
		page, err := i.Table.Scan(ctx, from)
		if err != nil {
			return err
		}
		if err := each(page.Items); err != nil {
			return err
		}
		if from = page.LastEvaluatedKey; from == (table.Key{}) {
			return nil
		}
	}
}

// checkPage checks the items of a page. What their heads say of numbers comes first, for the other repairs move them.
func (i *checkRun) checkPage(ctx context.Context, items []table.Item) error {
	l, positions := newItemView(items), i.classify(items, i.surplus)
	for _, s := range positions {
		if s.isHead() && isGroup(s.rt) {
			if err := i.checkTotals(ctx, s, l); err != nil {
				return err
			}
		}
	}
	for some := range slices.Chunk(positions, checkBatch) {
		var checks []check
		for _, s := range some {
			checks = append(checks, s.checks(l)...)
		}
		if err := i.runChecks(ctx, checks, l); err != nil {
			return err
		}
	}
	return nil
}

// classify finds the items that are to be checked, and counts them.
func (i *checkRun) classify(items []table.Item, t counterDrift) (positions []itemRef) {
	for _, it := range items {
		if p, ok := i.locate(it.Key()); ok {
			if p.rt != nil {
				t.add(p, it)
			}
			positions = append(positions, p)
		}
	}
	return positions
}

// locate finds where an item stands; false if it is no directory's, or not of one that is to be checked.
func (i *checkRun) locate(k table.Key) (p itemRef, ok bool) {
	in := k.PK
	if in == IntentPartition {
		in = k.SK
	}
	part := strings.SplitN(in, "#", 4)
	if len(part) < 2 || i.Tenant != "" && part[0] != table.EscapeKeyPart(i.Tenant) {
		return p, false
	}
	p = itemRef{i.Checker.Config.ForTenant(Keys{part[0]}, ""), i.Types.ByName(part[1]), k, part, append(part, "")[2]}
	return p, p.rt != nil || k == p.keys.CursorKey()
}

// isHead tells whether this is a resource.
func (p itemRef) isHead() bool {
	return len(p.keyParts) == 3 && p.rt.IsID(p.id) && p.key.SK == HeadSortKey
}

// checks is the checks of an item, by its shape. What has none of a directory's is passed over.
func (p itemRef) checks(l *itemView) []check {
	if p.key == p.keys.CursorKey() {
		return []check{{p.key, p.checkCursorKey}}
	}
	of := func(sort string) bool {
		return len(p.keyParts) == 3 && isGroup(p.rt) && strings.HasPrefix(p.key.SK, sort)
	}
	switch isID := p.rt.IsID(p.id); {
	case p.key.PK == IntentPartition && isID:
		return []check{{p.key, p.checkIntentMarker}}
	case p.key.PK == IntentPartition:
	case len(p.keyParts) == 2 && strings.HasPrefix(p.key.SK, NamePrefix(p.rt)):
		return []check{{p.key, p.checkNameItem}}
	case len(p.keyParts) == 4 && (p.key.PK == p.keys.AllPartition(p.rt) || slices.Contains(p.rt.Storage.IndexedAttributes, p.id)):
		return []check{{p.key, p.checkIndexItem}}
	case p.isHead():
		return p.headChecks(l)
	case isID && of(EdgePrefix):
		return []check{{p.key, p.checkEdge}}
	case isID && of(ChangePrefix):
		return []check{{p.key, p.checkChangeItem}}
	}
	return nil
}

// counterRef is the resources of one type in one directory.
type counterRef struct {
	Keys
	rt *scim.ResourceType
}

func (k counterRef) count(shard byte) table.Key { return k.Keys.Counter(k.rt, shard) }

// counterDrift is how many there are more than the counts say.
type counterDrift map[counterRef]int64

func (t counterDrift) sortedRefs() []counterRef {
	return slices.SortedFunc(maps.Keys(t), func(a, b counterRef) int {
		return slices.Compare([]string{a.tenant, a.rt.Name}, []string{b.tenant, b.rt.Name})
	})
}

func (t counterDrift) add(p itemRef, it table.Item) {
	of := counterRef{p.keys, p.rt}
	switch _, latched := it["deleting"]; {
	case p.isHead() && !latched:
		t[of]++
	case p.key.PK == p.keys.CounterPartition(p.rt):
		t[of] -= table.IntValue(it["n"])
	}
}

// checkCounters checks the counts. No scan is of one instant: they are wrong if another finds the same difference, and none of
// them has moved meanwhile. Where they move all the time nothing can be said.
func (i *checkRun) checkCounters(ctx context.Context) error {
	maps.DeleteFunc(i.surplus, func(_ counterRef, n int64) bool { return n == 0 })
	if len(i.surplus) == 0 {
		return nil
	}
	before, err := i.readCounters(ctx)
	if err != nil {
		return err
	}
	if err := i.waitForVisibility(ctx); err != nil {
		return err
	}
	again := counterDrift{}
	if err := i.scan(ctx, func(items []table.Item) error { i.classify(items, again); return nil }); err != nil {
		return err
	}
	after, err := i.readCounters(ctx)
	for _, of := range i.surplus.sortedRefs() {
		n := i.surplus[of]
		if err != nil {
			return err
		}
		if again[of] == n && reflect.DeepEqual(before[of].items, after[of].items) {
			k := of.count(0)
			_, err = i.repairOrReport(ctx, k, newFinding(fmt.Sprintf("counts that are %d short", n), table.Update{
				Key: k, Add: table.Item{"n": table.N(n)}, If: unchangedConditions(before[of].item(k), "n"),
			}))
		}
	}
	return err
}

// waitForVisibility waits, the longest time between two attempts, for transactions that are seen in part to be seen whole: what goes
// by plain reads alone must not be decided by one moment.
func (i *checkRun) waitForVisibility(ctx context.Context) error {
	b := i.Backoff
	b.Rand = func(n int64) int64 { return n - 1 }
	return b.Wait(ctx, math.MaxInt)
}

// readCounters reads the counts of which there is doubt.
func (i *checkRun) readCounters(ctx context.Context) (map[counterRef]*itemView, error) {
	looks := map[counterRef]*itemView{}
	for _, of := range i.surplus.sortedRefs() {
		var keys []table.Key
		for shard := range byte(CounterShards) {
			keys = append(keys, of.count(shard))
		}
		l, err := i.snapshot(ctx, keys...)
		if err != nil {
			return nil, err
		}
		looks[of] = l
	}
	return looks, nil
}
