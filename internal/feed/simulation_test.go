package feed_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"log/slog"
	"testing"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/feed"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

var (
	seeds    = flag.Int("seeds", 0, "number of schedules to simulate; 0: 5,000, with the race detector 1,000, with -short 300")
	fromSeed = flag.Int("from", 1, "first schedule to simulate")
	oneSeed  = flag.Int("seed", 0, "simulate only this schedule, and log every step")
)

// TestSimulation runs requests of two tenants, feeders, and readers on a simulated DynamoDB table. A seed determines the
// schedule: the requests, the order of their table calls, how the streams deliver records, and which process crashes.
// Whenever a reader applies an entry, the state must be one that the resource had, and no older than an earlier one. When
// everything is quiet, the copy of each reader must equal the directory.
func TestSimulation(t *testing.T) {
	t.Parallel()
	if *oneSeed != 0 {
		var total tally
		if failure := simulate(uint64(*oneSeed), t.Logf, &total); failure != "" {
			t.Error(failure)
		}
		t.Log(total)
		return
	}
	n := scheduleCount()
	var tallies []*tally
	tabletest.RunSchedules(t, *fromSeed, n, func() func(uint64) string {
		own := &tally{}
		tallies = append(tallies, own)
		return func(seed uint64) string { return simulate(seed, nil, own) }
	})
	var total tally
	for _, own := range tallies {
		total.add(*own)
	}
	t.Log(total)
	if !t.Failed() && n >= 300 && (total.Applied == 0 || total.Restarts == 0 || total.Duplicates == 0 || total.LargeChanges == 0) {
		t.Error("the simulation does not exercise the feed")
	}
}

func scheduleCount() int {
	switch {
	case *seeds != 0:
		return *seeds
	case testing.Short():
		return 300
	case directorytest.RaceEnabled():
		return 1_000
	default:
		return 5_000
	}
}

// A failure can be reproduced only if the same seed always leads to the same schedule.
func TestSimulationIsDeterministic(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		var hashes [2]uint64
		for i := range hashes {
			h := fnv.New64a()
			simulate(seed, func(format string, args ...any) { fmt.Fprintf(h, format, args...) }, &tally{})
			hashes[i] = h.Sum64()
		}
		if hashes[0] != hashes[1] {
			t.Errorf("two runs of seed %d differ", seed)
		}
	}
}

// A tally counts what happened in some schedules.
type tally struct {
	tabletest.Events
	Schedules, Requests, LargeChanges int
	Changes, Duplicates               int // results of Publisher
	Pages, Applied, Restarts          int // of readers; a restart follows an expired cursor
}

func (t *tally) add(more tally) {
	t.Events.Add(more.Events)
	t.Schedules, t.Requests, t.LargeChanges = t.Schedules+more.Schedules, t.Requests+more.Requests, t.LargeChanges+more.LargeChanges
	t.Changes, t.Duplicates = t.Changes+more.Changes, t.Duplicates+more.Duplicates
	t.Pages, t.Applied, t.Restarts = t.Pages+more.Pages, t.Applied+more.Applied, t.Restarts+more.Restarts
}

func (t tally) String() string {
	return fmt.Sprintf("%d schedules, %d steps, %d requests (%d large), %d crashes, %d lost responses, %d late transactions, "+
		"%d outdated items read, %d changes in logs, %d duplicates recognized, %d pages, %d entries applied, %d restarts of readers",
		t.Schedules, t.Steps, t.Requests, t.LargeChanges, t.Kills, t.Lost, t.Late, t.Stale, t.Changes, t.Duplicates,
		t.Pages, t.Applied, t.Restarts)
}

// simulate runs one schedule. It returns the first violation, or "" if there is none.
func simulate(seed uint64, trace func(string, ...any), total *tally) (failure string) {
	defer func() {
		if r := recover(); r != nil {
			failure = fmt.Sprintf("panic: %v", r)
		}
	}()
	s := newSchedule(seed, trace)
	waves := 1 + s.Int(3)
	restore := s.Backup()
	for wave := range waves {
		s.startWave()
		s.Run(wave < waves-1 && s.Int(2) == 0)
		switch s.Int(12) {
		case 0, 1:
			s.expireEntries()
		case 2:
			restore = s.Backup()
		case 3:
			s.restore(restore)
		}
	}
	s.settle()
	s.checkCopies()
	s.tally.Events.Add(s.Events)
	s.tally.Schedules++
	total.add(s.tally)
	return s.Failure()
}

// A schedule is one run: a table with two tenants, and what its processes share.
type schedule struct {
	*tabletest.Simulation
	config  store.Config
	types   *scim.Types
	tenants []*tenant
	streams []*tabletest.SimulatedStream
	days    int // by which expireEntries has moved the clock
	tally   tally
}

// A tenant is a directory, and the readers of its changes.
type tenant struct {
	name    string
	dir     *directory.Directory
	ids     []string                   // of all resources that were ever created
	states  map[string]map[string]bool // versions that a resource had, as text, by ID
	readers []*reader
}

var epochStart = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

func newSchedule(seed uint64, trace func(string, ...any)) *schedule {
	s := &schedule{Simulation: tabletest.NewSimulation(seed), types: scim.StandardTypes()}
	s.Trace, s.Committed = trace, s.observe
	s.RejectExpired = isCreate
	s.Actions = []int{7, 8, 10, 100}[s.Int(4)]
	s.streams = s.Watch(feed.IsWatched)
	s.config = store.Config{Table: s, Types: s.types, Now: s.Now, Random: s, Backoff: s.Backoff(), Log: slog.New(faultLog{s}),
		RunInParallel: s.Together,
		Limits: store.Limits{TransactionActions: s.Actions, ChangeItemMembers: 1 + s.Int((s.Actions-2)/2), SnapshotMembers: 4,
			ChangeItemsPerTransaction: 1 + s.Int(s.Actions), SnapshotEdges: 2, QueryEdgesPerSnapshotEdge: 80, ApplyConcurrency: s.Int(3)}}
	for _, name := range []string{"t", "u"} {
		n := &tenant{name: name, states: map[string]map[string]bool{},
			dir: directory.New(directory.Config{Store: s.config}, name, directorytest.BaseURL)}
		for range 1 + s.Int(2) {
			n.readers = append(n.readers, &reader{tenant: n, count: 1 + s.Int(4), copies: map[string]copied{}, latest: map[string]copied{}})
		}
		s.tenants = append(s.tenants, n)
	}
	return s
}

// isCreate reports whether a transaction creates a resource. Creates are the one kind of transaction whose delivery after
// the expiry of its token does harm.
func isCreate(writes []table.Write) bool {
	p, ok := writes[0].(table.Put)
	return ok && p.Target().SK == store.HeadSortKey
}

// observe records every version of a head item.
func (s *schedule) observe(t *tabletest.Transaction) {
	for i, w := range t.Writes {
		k := w.Target()
		for _, n := range s.tenants {
			if !feed.IsWatched(k) || !store.NewKeys(n.name).Owns(k) || t.After[i] == nil {
				continue
			}
			var h store.HeadItem
			if err := store.UnmarshalItem(t.After[i], &h); err != nil {
				s.Fail("%v", err)
			}
			id := h.ResourceID()
			if n.states[id] == nil {
				n.ids, n.states[id] = append(n.ids, id), map[string]bool{}
			}
			n.states[id][describe(&h)] = true
			if h.PendingChange != "" && t.Before[i]["pending"] == nil {
				s.tally.LargeChanges++
			}
		}
	}
}

// describe returns what a reader sees of a head item.
func describe(h *store.HeadItem) string {
	return fmt.Sprintf("%d.%d %s %v", h.Version, h.GroupsVersion, h.Document, h.Groups)
}

// startWave starts the processes of a wave: clients, feeders, readers, and sometimes an operator. A feeder that crashed in
// the last wave is replaced.
func (s *schedule) startWave() {
	for range 1 + s.Int(4) {
		s.Start(s.runClient)
	}
	if s.Int(2) == 0 {
		s.Start(s.sweep)
	}
	s.startFeeders(8)
	for _, n := range s.tenants {
		for _, r := range n.readers {
			if s.Int(3) > 0 {
				s.Start(func() { s.read(r, 1+s.Int(8)) })
			}
		}
	}
	if s.Int(10) == 0 {
		s.Start(func() { s.operate(s.tenants[s.Int(2)]) })
	}
}

func (s *schedule) startFeeders(rounds int) {
	for _, stream := range s.streams {
		s.Start(func() { s.publish(stream, rounds) })
	}
}

// publish is one instance of the function that Lambda invokes with the records of a shard.
func (s *schedule) publish(stream *tabletest.SimulatedStream, rounds int) {
	c := s.config
	c.Now = func() time.Time { return epochStart.Add(time.Duration(s.days) * 24 * time.Hour) } // does not jump ahead of records
	p := &feed.Publisher{Store: c, IsActive: func(context.Context, string) (bool, error) { return true, nil }}
	for range rounds {
		_, err := stream.Receive(s.Begin(nil), func(ctx context.Context, records []table.Record) error {
			r, err := p.Publish(ctx, records)
			if want := countChanges(records); err == nil && r.Changes+r.Duplicates != want {
				s.Fail("%d records have %d changes, want %d", len(records), r.Changes+r.Duplicates, want)
			}
			s.tally.Changes, s.tally.Duplicates = s.tally.Changes+r.Changes, s.tally.Duplicates+r.Duplicates
			return err
		})
		if err != nil && !isTemporary(err) {
			s.Fail("a feeder failed: %v", err)
		}
	}
}

// countChanges returns the number of records that create or delete a resource, or move one of its versions.
func countChanges(records []table.Record) (n int) {
	for _, r := range records {
		was, is := r.Old != nil && r.Old["deleting"] == nil, r.New != nil && r.New["deleting"] == nil
		moves := func(name string) bool { return table.IntValue(r.Old[name]) != table.IntValue(r.New[name]) }
		if was != is || is && (moves("ver") || moves("gver")) {
			n++
		}
	}
	return n
}

func isTemporary(err error) bool {
	return table.IsTransient(err) || errors.Is(err, table.ErrConflict) || errors.Is(err, context.DeadlineExceeded)
}

func (s *schedule) sweep() {
	if _, err := directory.Sweep(s.Begin(nil), s.config); err != nil && !isTemporary(err) {
		s.Fail("a sweep failed: %v", err)
	}
}

// operate resets the feed, or renews the log.
func (s *schedule) operate(n *tenant) {
	do := feed.Reset
	if s.Int(2) == 0 {
		do = feed.Renew
	}
	if err := do(s.Begin(nil), s.config, n.name); err != nil && !isTemporary(err) {
		s.Fail("an operator failed: %v", err)
	}
}

// expireEntries lets 91 days pass and deletes some of the log entries that have expired, in any order, as DynamoDB's time
// to live does. The last entry remains, because Renew has appended another one in time. No delayed transaction arrives
// after so long, when the number of its entry could be free again.
func (s *schedule) expireEntries() {
	s.DropDelayed()
	s.Start(func() {
		for _, n := range s.tenants {
			page, err := s.Query(s.Begin(nil), table.Range{PK: n.name + "#changes", From: "0", To: "9999999999999999"})
			if err != nil || len(page.Items) == 0 {
				continue
			}
			for _, it := range page.Items[:len(page.Items)-1] {
				if s.Int(2) == 0 {
					_ = s.Write(s.Begin(nil), table.Delete{Key: it.Key()})
				}
			}
		}
	})
	s.days += 91
	s.Advance(91 * 24 * time.Hour)
	s.Run(true)
}

// restore replaces the table by a backup, as an operator does: requests begin again after the feed was reset.
func (s *schedule) restore(restore func()) {
	restore()
	for _, n := range s.tenants {
		for reset := false; !reset && s.Failure() == ""; {
			s.Start(func() { reset = feed.Reset(s.Begin(nil), s.config, n.name) == nil })
			s.Run(true)
		}
		for _, r := range n.readers {
			clear(r.latest) // versions begin again
		}
	}
}

// settle ends all faults, and lets sweeps, feeders and readers finish.
func (s *schedule) settle() {
	s.StopFaults()
	for range 4 {
		s.Advance(time.Hour)
		s.Start(s.sweep)
		s.Run(false)
	}
	for range 100 {
		if s.startFeeders(1); s.Failure() != "" {
			break
		}
		if s.Run(false); !s.streams[0].Pending() && !s.streams[1].Pending() {
			break
		}
	}
	for _, n := range s.tenants {
		for _, r := range n.readers {
			s.Start(func() { s.read(r, 1000) })
		}
	}
	s.Run(false)
}

// checkCopies compares the copy of each reader with the directory.
func (s *schedule) checkCopies() {
	for _, n := range s.tenants {
		want := map[string]string{}
		for _, id := range n.ids {
			k := store.NewKeys(n.name).Head(s.types.ByID(id), id)
			it, _, _ := s.Peek(k)
			if it == nil || it["deleting"] != nil {
				continue
			}
			var h store.HeadItem
			if err := store.UnmarshalItem(it, &h); err != nil {
				s.Fail("%v", err)
			}
			want[id] = describe(&h)
		}
		for i, r := range n.readers {
			for id, state := range want {
				if r.copies[id].state != state {
					s.Fail("reader %d of %s has %q of %s, want %q", i, n.name, r.copies[id].state, id, state)
				}
			}
			for id, c := range r.copies {
				if want[id] == "" {
					s.Fail("reader %d of %s has %q of %s, which is deleted", i, n.name, c.state, id)
				}
			}
		}
	}
}

// A faultLog fails the schedule if an error is logged that is not transient.
type faultLog struct{ schedule *schedule }

func (l faultLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }
func (l faultLog) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l faultLog) WithGroup(string) slog.Handler                    { return l }
func (l faultLog) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if err, ok := a.Value.Any().(error); ok && !isTemporary(err) {
			l.schedule.Fail("logged: %s: %v", r.Message, err)
		}
		return true
	})
	return nil
}
