package directory

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/table"
)

// consistent fails the test unless the table is what it must be at every moment.
func (f *fixture) consistent() {
	f.Helper()
	for _, what := range f.damage() {
		f.Error(what)
	}
}

// damage checks, over the whole table, what must be true at every moment: names and heads, edges and sets, counts
// and digests, lookups. There may be several tenants, none with a # in its name.
func (f *fixture) damage() (found []string) {
	f.Helper()
	all := f.dump()
	report := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	counts, names, lookups := map[string]int64{}, map[table.Key]string{}, map[table.Key]bool{}
	edges := map[string][]string{} // by partition
	for k := range all {
		if strings.HasPrefix(k.SK, EdgePrefix) {
			edges[k.PK] = append(edges[k.PK], MemberID(k))
		}
	}
	for k, it := range all {
		if k.SK != HeadSortKey {
			continue
		}
		part := strings.Split(k.PK, "#")
		rt := f.Types.ByName(part[1])
		h, id := f.read(it), part[2]
		counts[part[0]+"#"+rt.Name]++
		d := f.Config.ForTenant(Keys{part[0]}, base)
		o, err := DecodeDocument(h.Document)
		if err != nil {
			f.Fatal(err)
		}
		b, err := d.NewIndexEntries(rt, id, o)
		if err != nil {
			f.Fatal(err)
		}
		names[d.keys.Name(rt, b.name)] = id
		for l := range b.indexKeys {
			lookups[l] = true
		}
		members := edges[k.PK]
		if !h.DigestMatches(members) {
			report("%v: n=%d and sum do not agree with %d edges", k, h.MemberCount, len(members))
		}
		for _, m := range members {
			if other, ok := all[d.keys.Head(d.Types.ByID(m), m)]; !ok || !slices.Contains(f.read(other).Groups, id) {
				report("the edge %s → %s has no reverse", id, m)
			}
		}
		for _, g := range h.Groups {
			if _, ok := all[d.keys.Edge(d.Types.ByName("Group"), g, id)]; !ok {
				report("%s names the group %s without an edge", id, g)
			}
		}
	}
	return append(found, leftovers(all, names, lookups, counts)...)
}

// leftovers checks that there is no item that no resource accounts for.
func leftovers(all map[table.Key]table.Item, names map[table.Key]string, lookups map[table.Key]bool,
	counts map[string]int64) (found []string) {
	report := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	for k, it := range all {
		part := strings.Split(k.PK, "#")
		_, isName := it["id"]
		switch {
		case len(part) == 2 && isName:
			n := NameItem{}
			if UnmarshalItem(it, &n); names[k] != n.ResourceID {
				report("the name %v points to %q, and %q bears it", k, n.ResourceID, names[k])
			}
			delete(names, k)
		case len(part) == 3 && part[2] == "count":
			counts[part[0]+"#"+part[1]] -= table.IntValue(it["n"])
		case len(part) >= 4:
			if !lookups[k] {
				report("the lookup %v points to nothing", k)
			}
			delete(lookups, k)
		case strings.HasPrefix(k.SK, EdgePrefix):
			if _, ok := all[table.Key{PK: k.PK, SK: HeadSortKey}]; !ok {
				report("the edge %v has no group", k)
			}
		}
	}
	for of, n := range counts {
		if n != 0 {
			report("the counts of %s are %d short", of, n)
		}
	}
	if len(names)+len(lookups) > 0 {
		report("missing: names %v, lookups %v", names, lookups)
	}
	return found
}

func (f *fixture) read(it table.Item) *HeadItem {
	f.Helper()
	h := &HeadItem{}
	if err := UnmarshalItem(it, h); err != nil {
		f.Fatal(err)
	}
	return h
}

// The checker itself is checked: each kind of damage is found.
func TestDamageIsFound(t *testing.T) {
	t.Parallel()
	for what, damage := range map[string]func(f *fixture, u, g string) table.Write{
		"a name without a head": func(f *fixture, u, g string) table.Write {
			return table.Put{Item: MarshalItem(NameItem{f.keys.Name(f.user, "ghost"), u})}
		},
		"a head without its name": func(f *fixture, u, g string) table.Write {
			return table.Delete{Key: f.keys.Name(f.user, "u")}
		},
		"an edge without its reverse": func(f *fixture, u, g string) table.Write {
			return table.Update{Key: f.keys.Head(f.user, u), Remove: []string{"groups"}}
		},
		"a reverse without its edge": func(f *fixture, u, g string) table.Write {
			return table.Delete{Key: f.keys.Edge(f.group, g, u)}
		},
		"a wrong n": func(f *fixture, u, g string) table.Write {
			return table.Update{Key: f.keys.Head(f.group, g), Add: table.Item{"n": table.N(1)}}
		},
		"a wrong count": func(f *fixture, u, g string) table.Write {
			return table.Update{Key: f.keys.Counter(f.user, 3), Add: table.Item{"n": table.N(1)}}
		},
		"a lookup to nothing": func(f *fixture, u, g string) table.Write {
			return table.Put{Item: MarshalItem(table.Key{PK: f.keys.IndexPartition(f.user, "externalId", "x"), SK: u})}
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			tab := memory(t)
			f := newFixture(t, tab)
			u := f.newUser("u")
			g := f.newGroup("g", u)
			f.consistent()
			if err := tab.Write(t.Context(), damage(f, u, g)); err != nil {
				t.Fatal(err)
			}
			if f.damage() == nil {
				t.Errorf("%s is not found", what)
			}
		})
	}
}
