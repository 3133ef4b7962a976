package directorytest

import (
	"fmt"
	"slices"
	"strings"

	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// CheckIdle fails the test unless the invariants hold and no change or delete is unfinished.
func (f *Fixture) CheckIdle() {
	f.Helper()
	f.CheckInvariants()
	for k, it := range f.Dump() {
		m := store.IntentMarker{}
		if err := store.UnmarshalItem(it, &m); err != nil {
			f.Fatal(err)
		}
		if k.PK == store.IntentPartition && m.State != store.StateSwept || it["pending"] != nil || it["deleting"] != nil {
			f.Errorf("%v is unfinished: %v", k, it)
		}
	}
}

// CheckInvariants fails the test unless the invariants hold.
func (f *Fixture) CheckInvariants() {
	f.Helper()
	for _, violation := range f.Violations() {
		f.Error(violation)
	}
}

// Violations checks the invariants of the whole table, which hold after every transaction, and returns a description of
// each one that does not hold. Each resource has its name item, its index items and its place in a counter. Each edge
// item has its reverse, and each group the right member count and digest. No other such item exists. The names of the
// tenants must not contain "#". Violations shares no code with fsck.
func (f *Fixture) Violations() (found []string) {
	f.Helper()
	c := invariants{
		items: f.Dump(), edges: map[string][]string{},
		counts: map[string]int64{}, names: map[table.Key]string{}, index: map[table.Key]bool{},
	}
	for k := range c.items {
		if strings.HasPrefix(k.SK, store.EdgePrefix) {
			c.edges[k.PK] = append(c.edges[k.PK], store.MemberID(k))
		}
	}
	for k, it := range c.items {
		if k.SK == store.HeadSortKey && strings.Count(k.PK, "#") == 2 {
			c.checkHead(f, k, it)
		}
	}
	for k, it := range c.items {
		c.checkOwner(k, it)
	}
	for typ, n := range c.counts {
		if n != 0 {
			c.report("the counters of %s are %d too low", typ, n)
		}
	}
	if len(c.names)+len(c.index) > 0 {
		c.report("missing: name items %v, index items %v", c.names, c.index)
	}
	return c.found
}

// invariants holds the items of a table, and what the head items require but no other item has confirmed yet.
type invariants struct {
	items  map[table.Key]table.Item
	edges  map[string][]string  // members, by the partition of the group
	counts map[string]int64     // number of resources, by tenant and type
	names  map[table.Key]string // IDs, by the key of the name item
	index  map[table.Key]bool
	found  []string
}

func (c *invariants) report(format string, args ...any) {
	c.found = append(c.found, fmt.Sprintf(format, args...))
}

// checkHead checks the memberships of a resource, and records which other items its head item requires.
func (c *invariants) checkHead(f *Fixture, k table.Key, it table.Item) {
	f.Helper()
	parts := strings.Split(k.PK, "#")
	rt, id := f.Config.Store.Types.ByName(parts[1]), parts[2]
	s, h := f.Config.Store.ForTenant(store.KeysForEscaped(parts[0])), readHead(f, it)
	o, err := store.DecodeDocument(h.Document)
	if err != nil {
		f.Fatal(err)
	}
	entries, err := s.NewIndexEntries(rt, id, o)
	if err != nil {
		f.Fatal(err)
	}
	c.counts[parts[0]+"#"+rt.Name]++
	c.names[s.Keys.Name(rt, entries.Name)] = id
	for key := range entries.Keys {
		c.index[key] = true
	}
	members := c.edges[k.PK]
	if !h.DigestMatches(members) {
		c.report("%v: n=%d and sum do not match %d edge items", k, h.MemberCount, len(members))
	}
	for _, m := range members {
		if other, ok := c.items[s.Keys.Head(s.Types.ByID(m), m)]; !ok || !slices.Contains(readHead(f, other).Groups, id) {
			c.report("the edge %s → %s has no reverse", id, m)
		}
	}
	for _, g := range h.Groups {
		if _, ok := c.items[s.Keys.Edge(s.Types.ByName("Group"), g, id)]; !ok {
			c.report("%s names the group %s without an edge item", id, g)
		}
	}
}

// checkOwner checks that a head item requires this item, and removes the item from the required ones.
func (c *invariants) checkOwner(k table.Key, it table.Item) {
	parts := strings.Split(k.PK, "#")
	_, isName := it["id"]
	switch {
	case len(parts) == 2 && isName:
		n := store.NameItem{}
		if store.UnmarshalItem(it, &n); c.names[k] != n.ResourceID {
			c.report("the name item %v leads to %q, and %q has the name", k, n.ResourceID, c.names[k])
		}
		delete(c.names, k)
	case len(parts) == 3 && parts[2] == "count":
		c.counts[parts[0]+"#"+parts[1]] -= table.IntValue(it["n"])
	case len(parts) >= 4:
		if !c.index[k] {
			c.report("no resource has the value of the index item %v", k)
		}
		delete(c.index, k)
	case strings.HasPrefix(k.SK, store.EdgePrefix):
		if _, ok := c.items[table.Key{PK: k.PK, SK: store.HeadSortKey}]; !ok {
			c.report("the edge item %v has no group", k)
		}
	}
}

func readHead(f *Fixture, it table.Item) *store.HeadItem {
	f.Helper()
	h := &store.HeadItem{}
	if err := store.UnmarshalItem(it, h); err != nil {
		f.Fatal(err)
	}
	return h
}
