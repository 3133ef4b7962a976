package fsck_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// A repair fails if another run has repaired the same inconsistency since the finding.
func TestTwoRunsRepairOnce(t *testing.T) {
	t.Parallel()
	forEachInconsistency(t, true, func(t *testing.T, s *sample, c inconsistency) {
		s.write(c.create...)
		var repaired map[table.Key]table.Item
		f := s.interrupt("Write", 1, func() {
			s.checkFinding(c, runFsck(s.Fixture, "", true), ": repaired")
			repaired = s.Dump()
		})
		if lines := runFsck(f, "", true); lines != nil || !reflect.DeepEqual(s.Dump(), repaired) {
			t.Errorf("the second run repaired again: %q", lines)
		}
	})
}

// A repair does not undo a request that ran since the finding.
func TestRepairKeepsConcurrentRequest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		create  func(s *sample) table.Write
		request func(s *sample) error
	}{
		"wrong sum, and a change item is applied": {
			func(s *sample) table.Write {
				return table.Update{Key: s.head(s.large), Add: table.Item{"sum": table.N(-1)}}
			},
			applyOneChangeItem,
		},
		"missing intent marker, and the change is finished": {
			func(s *sample) table.Write { return table.Delete{Key: s.marker("c1")} },
			func(s *sample) error { return s.Store.FinishChange(s.Ctx, s.Group, s.large, "c1") },
		},
		"missing index item, and the value is removed": {
			func(s *sample) table.Write { return table.Delete{Key: s.emailIndex("a@example.com", s.alice)} },
			func(s *sample) error {
				_, err := s.Patch(s.User, s.alice, `[{"op":"remove","path":"emails"}]`)
				return err
			},
		},
		"stray index item, and the value is added": {
			func(s *sample) table.Write {
				return table.Put{Item: store.MarshalItem(s.emailIndex("b@example.com", s.bob))}
			},
			func(s *sample) error {
				_, err := s.Patch(s.User, s.bob, `[{"op":"add","path":"emails","value":[{"value":"b@example.com"}]}]`)
				return err
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSample(t)
			s.write(c.create(s))
			runFsck(s.interrupt("Write", 1, func() {
				if err := c.request(s); err != nil {
					t.Error(err)
				}
			}), "", true)
			if lines := runFsck(s.Fixture, "", true); lines != nil {
				t.Errorf("findings after the repair: %q", lines)
			}
		})
	}
}

// applyOneChangeItem applies one of the two change items of the pending change, and leaves the change pending.
func applyOneChangeItem(s *sample) error {
	f := failWrite(s.Fixture, 2, &table.TransientError{Err: errors.New("the process ended")})
	if err := f.Store.FinishChange(s.Ctx, s.Group, s.large, "c1"); !table.IsTransient(err) {
		return fmt.Errorf("want a transient error, got %w", err)
	}
	h, err := s.Store.ReadHead(s.Ctx, s.Group, s.large)
	if err == nil && h.PendingItems != 1 {
		err = fmt.Errorf("%d change items remain, want 1", h.PendingItems)
	}
	return err
}

// A hidingTable is a table whose next queries do not show the first item, and whose next scans do not show some item.
type hidingTable struct {
	table.Table
	queries int
	scans   int
	hidden  table.Key // from scans
}

func (t *hidingTable) Query(ctx context.Context, r table.Range) (table.Page, error) {
	page, err := t.Table.Query(ctx, r)
	if t.queries--; t.queries >= 0 && len(page.Items) > 0 {
		page.Items = page.Items[1:]
	}
	return page, err
}

func (t *hidingTable) Scan(ctx context.Context, from table.Key) (table.Page, error) {
	page, err := t.Table.Scan(ctx, from)
	if t.scans--; t.scans >= 0 {
		page.Items = slices.DeleteFunc(page.Items, func(it table.Item) bool { return it.Key() == t.hidden })
	}
	return page, err
}

// A transaction is no finding if a Query shows its head item, and not yet all of its edge items.
func TestPartlyVisibleTransactionIsNoFinding(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	f.NewGroup("g", f.NewUser("u"), f.NewUser("v"))
	if lines := runFsck(f.Over(&hidingTable{Table: f.Config.Store.Table, queries: 2}), "", true); lines != nil {
		t.Errorf("found %q", lines)
	}
	f.CheckInvariants()
}

// A drift is no finding if only the first scan shows it.
func TestDriftOfOneScanIsNoFinding(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	hidden := f.Store.Keys.Head(f.User, f.NewUser("u"))
	hiding := f.Over(&hidingTable{Table: f.Config.Store.Table, scans: 1, hidden: hidden})
	if lines := runFsck(hiding, "", true); lines != nil {
		t.Errorf("found %q", lines)
	}
	f.CheckInvariants()
}

// Counter items that change during the scans are not checked.
func TestChangingCountersAreNoFinding(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	s.write(addToCounter(s, s.User, -1)...)
	f := s.interrupt("Scan", 2, func() { s.NewUser("new") })
	if lines := runFsck(f, "", true); lines != nil {
		t.Errorf("found %q while a user is created", lines)
	}
	if lines := runFsck(s.Fixture, "", true); len(lines) != 1 {
		t.Errorf("found %q, want the counter items", lines)
	}
}

func TestConcurrentRunsRepairEverything(t *testing.T) {
	t.Parallel()
	for range 5 {
		s := newSample(t)
		for _, c := range slices.Backward(inconsistencies(s)) { // an update of a head item comes before its delete
			if !c.reportOnly {
				s.write(c.create...)
			}
		}
		f := s.Over(&tabletest.PartialVisibility{Table: s.Config.Store.Table})
		directorytest.InParallel(4, func(int) error { runFsck(f, "", true); return nil })
		if lines := runFsck(f, "", true); lines != nil {
			t.Errorf("the runs have not repaired %s", strings.Join(lines, "\n"))
		}
	}
}

// During requests that write all kinds of items, fsck has no findings, although plain reads show part of their
// transactions.
func TestNoFindingsDuringRequests(t *testing.T) {
	t.Parallel()
	const requests = 1000
	f := newSmallLimits(t, &tabletest.PartialVisibility{Table: directorytest.NewTable(t)})
	var users []string
	for n := range 8 {
		users = append(users, f.NewUser(fmt.Sprint("u", n)))
	}
	var all sync.WaitGroup
	var begun atomic.Int32
	for n, request := range concurrentRequests(f, users, f.NewGroup("g"), f.NewGroup("h", users[:2]...)) {
		all.Go(func() {
			for n := n; begun.Add(1) <= requests; n++ {
				if err := request(n); err != nil && !table.IsTransient(err) {
					t.Error(err)
					return
				}
			}
		})
	}
	var lines []string
	for begun.Load() < requests {
		lines = append(lines, runFsck(f, "", true)...)
	}
	all.Wait()
	if lines = append(lines, runFsck(f, "", true)...); lines != nil {
		t.Errorf("found %s", strings.Join(lines, "\n"))
	}
	f.CheckInvariants()
}

// newSmallLimits returns a fixture in which a change of a few members is a large change.
func newSmallLimits(t *testing.T, tab table.Table) *directorytest.Fixture {
	f := directorytest.New(t, tab)
	f.Configure(func(c *directory.Config) {
		c.Store.Limits = store.Limits{
			TransactionActions: 10, ChangeItemMembers: 2, ChangeItemsPerTransaction: 9,
			SnapshotEdges: 4, SnapshotMembers: 4, QueryEdgesPerSnapshotEdge: 80, ApplyConcurrency: 1,
		}
	})
	return f
}

// concurrentRequests returns requests that change users and the groups g and h. Their parameter varies the request.
func concurrentRequests(f *directorytest.Fixture, users []string, g, h string) []func(n int) error {
	patch := func(rt *scim.ResourceType, id, format string, args ...any) error {
		_, err := f.Patch(rt, id, fmt.Sprintf(format, args...))
		return err
	}
	return []func(n int) error{
		func(n int) error {
			return patch(f.Group, g, `[{"op":"add","path":"members","value":%s}]`, directorytest.MembersJSON(users))
		},
		func(n int) error {
			return patch(f.Group, g, `[{"op":"remove","path":"members","value":%s}]`, directorytest.MembersJSON(users[n%4:]))
		},
		func(n int) error {
			members := directorytest.MembersJSON([]string{g, users[n%8]})
			return patch(f.Group, h, `[{"op":"add","path":"members","value":%s}]`, members)
		},
		func(n int) error { return patch(f.Group, h, `[{"op":"replace","path":"members","value":[]}]`) },
		func(n int) error {
			return patch(f.User, users[0], `[{"op":"replace","value":{"userName":"v%d","externalId":"%d"}}]`, n%2, n%3)
		},
		func(n int) error {
			r, err := f.Create(f.Ctx, f.Group, directorytest.WithMembers(fmt.Sprint("new", n), users...), scim.Projection{})
			if err != nil {
				return err
			}
			return f.Delete(f.Ctx, f.Group, r.ID(), nil)
		},
	}
}
