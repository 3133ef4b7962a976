package fsck_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/fsck"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// forEachInconsistency runs a test with a consistent sample and each inconsistency of it that has a repair, or each of
// all.
func forEachInconsistency(t *testing.T, onlyRepairable bool, test func(t *testing.T, s *sample, c inconsistency)) {
	for n, c := range inconsistencies(newSample(t)) {
		if c.reportOnly && onlyRepairable {
			continue
		}
		t.Run(fmt.Sprint(n, " ", c.problem), func(t *testing.T) {
			t.Parallel()
			s := newSample(t)
			test(t, s, inconsistencies(s)[n])
		})
	}
}

// Each inconsistency is one finding. Without repair, nothing is written. With repair, the table is as it was before the
// inconsistency, and there are no more findings.
func TestEachInconsistencyIsReportedAndRepaired(t *testing.T) {
	t.Parallel()
	forEachInconsistency(t, false, func(t *testing.T, s *sample, c inconsistency) {
		if lines := runFsck(s.Fixture, "", true); lines != nil {
			t.Fatalf("findings in a consistent table: %q", lines)
		}
		want := &sample{Fixture: s.Over(directorytest.NewTable(t))}
		replaceItems(want.Fixture, s.Dump())
		if c.repaired != nil {
			want.write(c.repaired...)
		}
		s.write(c.create...)
		inconsistent := s.Dump()
		s.checkFinding(c, runFsck(s.Fixture, "", false), "")
		if lines := runFsck(s.Fixture, "other%#", true); lines != nil {
			t.Errorf("findings of another tenant: %q", lines)
		}
		if !reflect.DeepEqual(s.Dump(), inconsistent) {
			t.Error("fsck without repair, or of another tenant, wrote items")
		}
		if c.reportOnly {
			s.checkFinding(c, runFsck(s.Fixture, "test", true), ": not repaired: ")
			s.checkFinding(c, runFsck(s.Fixture, "", true), ": not repaired: ")
			if !reflect.DeepEqual(s.Dump(), inconsistent) {
				t.Error("fsck wrote items for a finding without a repair")
			}
			return
		}
		s.checkFinding(c, runFsck(s.Fixture, "test", true), ": repaired")
		s.checkVersions(inconsistent)
		if lines := runFsck(s.Fixture, "", false); lines != nil {
			t.Errorf("findings after the repair: %q", lines)
		}
		if got, want := comparableItems(s.Fixture), comparableItems(want.Fixture); !reflect.DeepEqual(got, want) {
			t.Errorf("after the repair, the table has the items %v\nwant %v", got, want)
		}
	})
}

// checkVersions fails the test if the repair changed a groups set or deleted an edge item and did not increment the
// version.
func (s *sample) checkVersions(before map[table.Key]table.Item) {
	s.Helper()
	after := s.Dump()
	version := func(items map[table.Key]table.Item, k table.Key, attribute string) int64 {
		return table.IntValue(items[k][attribute])
	}
	for k, old := range before {
		updated, group := after[k], table.Key{PK: k.PK, SK: store.HeadSortKey}
		if k.SK == store.HeadSortKey && updated != nil && !reflect.DeepEqual(old["groups"], updated["groups"]) &&
			version(after, k, "gver") != version(before, k, "gver")+1 {
			s.Errorf("the groups set of %v changed, but gver is not incremented", k)
		}
		if strings.HasPrefix(k.SK, store.EdgePrefix) && updated == nil && after[group] != nil &&
			version(after, group, "ver") != version(before, group, "ver")+1 {
			s.Errorf("the edge item %v is deleted, but ver is not incremented", k)
		}
	}
}

func TestChecksOneTenant(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	s.write(table.Delete{Key: s.ForTenant("other%#").Store.Keys.Name(s.User, "alice")})
	if lines := runFsck(s.Fixture, "test", true); lines != nil {
		t.Errorf("found %q in a consistent tenant", lines)
	}
	if lines := runFsck(s.Fixture, "other%#", true); len(lines) != 1 {
		t.Errorf("found %q in the other tenant, want one finding", lines)
	}
}

// One run is enough if one repair hides another problem: n matches the edge items once the edge item without a member
// is deleted, and is wrong before.
func TestOneRunRepairsDependentProblems(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	s.write(putEdge(s.edge(s.staff, absentUser), "User")...)
	first := runFsck(s.Fixture, "", true)
	if second := runFsck(s.Fixture, "", true); len(first) != 2 || second != nil {
		t.Errorf("found %q, and then %q", first, second)
	}
}

// The members of a group are read in table pages and batches, whatever their number. One call reads at most 200 head
// items, which can be large.
func TestReadsInBatches(t *testing.T) {
	t.Parallel()
	const members = 20_000
	f := directorytest.New(t, directorytest.NewTable(t))
	seeder := directorytest.NewSeeder(f.Config.Store.Table, "test")
	group, err := seeder.GroupOf(f.Ctx, "g", f.NewUsers(members)...)
	if err == nil {
		err = seeder.AddToCounters(f.Ctx, f.Group, 1)
	}
	if err == nil {
		err = f.Config.Store.Table.Write(f.Ctx,
			table.Update{Key: f.Store.Keys.Head(f.Group, group), Set: table.Item{"n": table.N(1)}},
			table.Delete{Key: f.Store.Keys.Name(f.User, "member000000")},
			table.Delete{Key: f.Store.Keys.Name(f.User, "member010000")})
	}
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]int{}
	counting := f.Over(tabletest.Faults{Table: f.Config.Store.Table, Before: func(c tabletest.Call) error {
		calls[c.Method]++
		heads := slices.DeleteFunc(slices.Clone(c.Keys), func(k table.Key) bool { return k.SK != store.HeadSortKey })
		if len(heads) > 2*fsck.CheckBatch || len(c.Keys) > fsck.MaxReadItems+2 {
			t.Errorf("%s of %d items, %d of them head items", c.Method, len(c.Keys), len(heads))
		}
		return nil
	}})
	lines := runFsck(counting, "", true)
	if len(lines) != 3 || !strings.Contains(strings.Join(lines, ""), "n=1 or sum does not match 20000 edge items") {
		t.Errorf("found %q, want two head items without name items, and the member count", lines)
	}
	if calls["Scan"] < 5 || calls["Query"] > 20 || calls["Get"] > 3*members/50 || calls["Snapshot"] > 10 {
		t.Errorf("the number of calls is %v, which is too many for table pages and batches", calls)
	}
}
