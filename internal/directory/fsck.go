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

// Fsck checks the items of all directories of a table, or of one, against each other. It may run beside requests,
// sweeps and others of its kind: what looks wrong is looked at again as of one instant, and a repair depends on all
// that it was decided by. It holds one page of the table, and some 100 heads that the page refers to.
type Fsck struct {
	Config Config
	Tenant string            // by its name; "": all
	Repair bool              // what can be repaired
	Report func(line string) // is told each finding, one after the other
}

// Run tells how many findings there were. An error is one of the table, and ends the run.
func (f Fsck) Run(ctx context.Context) (findings int, err error) {
	i := &inspection{Fsck: f, Directory: f.Config.unbound(), surplus: surplus{}}
	err = i.scan(ctx, func(items []table.Item) error { return i.page(ctx, items) })
	if err == nil {
		err = i.counts(ctx)
	}
	return i.findings, err
}

// inspection is a run of Fsck.
type inspection struct {
	Fsck
	*Directory // of no tenant
	surplus    surplus
	findings   int
}

// position is where an item stands: in whose directory, and as a part of which resource.
type position struct {
	*Directory
	rt   *scim.ResourceType
	key  table.Key
	part []string // of the key: of the tenant, the resource type, and what follows
	id   string   // the third of them: of the resource
}

func (i *inspection) scan(ctx context.Context, each func([]table.Item) error) error {
	for from := (table.Key{}); ; {
		page, err := i.Table.Scan(ctx, 0, 1, from)
		if err != nil {
			return err
		}
		if err := each(page.Items); err != nil {
			return err
		}
		if from = page.Next; from == (table.Key{}) {
			return nil
		}
	}
}

// page checks the items of a page. What their heads say of numbers comes first, for the other repairs move them.
func (i *inspection) page(ctx context.Context, items []table.Item) error {
	l, positions := newLook(items), i.among(items, i.surplus)
	for _, s := range positions {
		if s.isHead() && isGroup(s.rt) {
			if err := i.claims(ctx, s, l); err != nil {
				return err
			}
		}
	}
	for some := range slices.Chunk(positions, checked) {
		var checks []check
		for _, s := range some {
			checks = append(checks, s.checks(l)...)
		}
		if err := i.inspect(ctx, checks, l); err != nil {
			return err
		}
	}
	return nil
}

// among finds the items that are to be checked, and counts them.
func (i *inspection) among(items []table.Item, t surplus) (positions []position) {
	for _, it := range items {
		if p, ok := i.position(it.Key()); ok {
			if p.rt != nil {
				t.add(p, it)
			}
			positions = append(positions, p)
		}
	}
	return positions
}

// position finds where an item stands; false if it is no directory's, or not of one that is to be checked.
func (i *inspection) position(k table.Key) (p position, ok bool) {
	in := k.PK
	if in == Unfinished {
		in = k.SK
	}
	part := strings.SplitN(in, "#", 4)
	if len(part) < 2 || i.Tenant != "" && part[0] != table.Escape(i.Tenant) {
		return p, false
	}
	p = position{i.Fsck.Config.directory(keys{part[0]}, ""), i.Types.ByName(part[1]), k, part, append(part, "")[2]}
	return p, p.rt != nil || k == p.keys.secret()
}

// isHead tells whether this is a resource.
func (p position) isHead() bool { return len(p.part) == 3 && p.rt.IsID(p.id) && p.key.SK == headKey }

// checks is the checks of an item, by its shape. What has none of a directory's is passed over.
func (p position) checks(l *look) []check {
	if p.key == p.keys.secret() {
		return []check{{p.key, p.secret}}
	}
	of := func(sort string) bool { return len(p.part) == 3 && isGroup(p.rt) && strings.HasPrefix(p.key.SK, sort) }
	switch isID := p.rt.IsID(p.id); {
	case p.key.PK == Unfinished && isID:
		return []check{{p.key, p.marker}}
	case p.key.PK == Unfinished:
	case len(p.part) == 2 && strings.HasPrefix(p.key.SK, namePrefix(p.rt)):
		return []check{{p.key, p.name}}
	case len(p.part) == 4 && (p.key.PK == p.keys.all(p.rt) || slices.Contains(p.rt.Storage.Lookups, p.id)):
		return []check{{p.key, p.lookup}}
	case p.isHead():
		return p.resource(l)
	case isID && of(memberPrefix):
		return []check{{p.key, p.edge}}
	case isID && of(changePrefix):
		return []check{{p.key, p.change}}
	}
	return nil
}

// population is the resources of one type in one directory.
type population struct {
	keys
	rt *scim.ResourceType
}

func (k population) count(shard byte) table.Key { return k.keys.count(k.rt, shard) }

// surplus is how many there are more than the counts say.
type surplus map[population]int64

func (t surplus) populations() []population {
	return slices.SortedFunc(maps.Keys(t), func(a, b population) int {
		return slices.Compare([]string{a.tenant, a.rt.Name}, []string{b.tenant, b.rt.Name})
	})
}

func (t surplus) add(p position, it table.Item) {
	of := population{p.keys, p.rt}
	switch _, latched := it["deleting"]; {
	case p.isHead() && !latched:
		t[of]++
	case p.key.PK == p.keys.counts(p.rt):
		t[of] -= table.Int(it["n"])
	}
}

// counts checks the counts. No scan is of one instant: they are wrong if another finds the same difference, and none of
// them has moved meanwhile. Where they move all the time nothing can be said.
func (i *inspection) counts(ctx context.Context) error {
	maps.DeleteFunc(i.surplus, func(_ population, n int64) bool { return n == 0 })
	if len(i.surplus) == 0 {
		return nil
	}
	before, err := i.shards(ctx)
	if err != nil {
		return err
	}
	if err := i.rest(ctx); err != nil {
		return err
	}
	again := surplus{}
	if err := i.scan(ctx, func(items []table.Item) error { i.among(items, again); return nil }); err != nil {
		return err
	}
	after, err := i.shards(ctx)
	for _, of := range i.surplus.populations() {
		n := i.surplus[of]
		if err != nil {
			return err
		}
		if again[of] == n && reflect.DeepEqual(before[of].items, after[of].items) {
			k := of.count(0)
			_, err = i.settle(ctx, k, wrong(fmt.Sprintf("counts that are %d short", n), table.Update{
				Key: k, Add: table.Item{"n": table.N(n)}, If: unchanged(before[of].item(k), "n"),
			}))
		}
	}
	return err
}

// rest waits, the longest time between two attempts, for transactions that are seen in part to be seen whole: what goes
// by plain reads alone must not be decided by one moment.
func (i *inspection) rest(ctx context.Context) error {
	b := i.Backoff
	b.Rand = func(n int64) int64 { return n - 1 }
	return b.Wait(ctx, math.MaxInt)
}

// shards reads the counts of which there is doubt.
func (i *inspection) shards(ctx context.Context) (map[population]*look, error) {
	looks := map[population]*look{}
	for _, of := range i.surplus.populations() {
		var keys []table.Key
		for shard := range byte(shards) {
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
