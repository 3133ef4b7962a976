package store_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"log/slog"
	"testing"
	"time"

	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/filter"
	"serverless-scim/internal/fsck"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

var (
	seeds    = flag.Int("seeds", 0, "number of schedules to simulate; 0: 2,000, with the race detector 1,000, with -short 200")
	fromSeed = flag.Int("from", 1, "first schedule to simulate")
	oneSeed  = flag.Int("seed", 0, "simulate only this schedule, and log every step")
)

// TestSimulation runs requests and sweeps on a simulated DynamoDB table. A seed determines the schedule: the requests,
// the order of their table calls, and the faults. After every transaction and every response, the test checks what must
// hold then.
func TestSimulation(t *testing.T) {
	t.Parallel()
	if *oneSeed != 0 {
		s := newSimulator()
		if failure := s.run(uint64(*oneSeed), t.Logf); failure != "" {
			t.Error(failure)
		}
		t.Log(s.tally)
		return
	}
	var simulators []*simulator
	tabletest.RunSchedules(t, *fromSeed, scheduleCount(), func() func(uint64) string {
		s := newSimulator()
		simulators = append(simulators, s)
		return func(seed uint64) string { return s.run(seed, nil) }
	})
	var total tally
	for _, s := range simulators {
		total.add(s.tally)
	}
	t.Log(total)
}

// scheduleCount returns the number of schedules to simulate.
func scheduleCount() int {
	switch {
	case *seeds != 0:
		return *seeds
	case testing.Short():
		return 200
	case directorytest.RaceEnabled():
		return 1_000
	default:
		return 2_000
	}
}

// A failure can be reproduced only if the same seed always leads to the same schedule.
func TestSimulationIsDeterministic(t *testing.T) {
	t.Parallel()
	s := newSimulator()
	for seed := range uint64(100) {
		var hashes [2]uint64
		for i := range hashes {
			h := fnv.New64a()
			s.run(seed, func(format string, args ...any) { fmt.Fprintf(h, format, args...) })
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
	Schedules, Requests     int
	LargeChanges            int
	Prepares, Aborts        int // transactions of large changes
	Assists                 int // change items that a process other than the writer applied
	LargeDeletes, Deletions int // deletes that mark the resource as deleting, and the writes to its head item that follow
	Transient               int // transient errors before the deadline
}

func (t *tally) add(more tally) {
	t.Events.Add(more.Events)
	t.Schedules, t.Requests = t.Schedules+more.Schedules, t.Requests+more.Requests
	t.LargeChanges, t.Prepares, t.Aborts = t.LargeChanges+more.LargeChanges, t.Prepares+more.Prepares, t.Aborts+more.Aborts
	t.Assists, t.Transient = t.Assists+more.Assists, t.Transient+more.Transient
	t.LargeDeletes, t.Deletions = t.LargeDeletes+more.LargeDeletes, t.Deletions+more.Deletions
}

func (t tally) String() string {
	return fmt.Sprintf("%d schedules, %d steps, %d requests, %d crashes, %d expired deadlines, %d conflicts, "+
		"%d lost responses, %d late transactions that took effect, %d outdated items read, "+
		"%d large changes (%d prepares, %d assists, %d aborts), %d large deletes (%d writes to finish them), "+
		"%d transient errors", t.Schedules, t.Steps, t.Requests, t.Kills, t.Expired, t.Conflicts,
		t.Lost, t.Late, t.Stale, t.LargeChanges, t.Prepares, t.Assists, t.Aborts, t.LargeDeletes, t.Deletions, t.Transient)
}

// tallyWrite counts one write of a transaction of o. o is nil for a sweep.
func (s *schedule) tallyWrite(o *operation, write table.Write, before, after table.Item) {
	oldState, newState := textOf(before["state"]), textOf(after["state"])
	_, isCheck := write.(table.ConditionCheck)
	switch k := write.Target(); {
	case k.PK == "unfinished" && newState == "prepared" && (isCheck || oldState == ""):
		s.tally.Prepares++
	case k.PK == "unfinished" && newState == "aborted" && oldState == "prepared":
		s.tally.Aborts++
	case k.SK != "@":
	case before["deleting"] != nil:
		s.tally.Deletions++
	case after["deleting"] != nil:
		s.tally.LargeDeletes++
	case textOf(after["pending"]) != textOf(before["pending"]) && after["pending"] != nil:
		s.tally.LargeChanges++
	case table.IntValue(before["left"]) <= table.IntValue(after["left"]):
	case o == nil || o.changeID != textOf(before["pending"]):
		s.tally.Assists++
	}
}

// A simulator runs schedules, one after the other, and holds what they share.
type simulator struct {
	types          *scim.Types
	resourceTypes  [2]*scim.ResourceType // by typeOf
	withoutMembers scim.Projection
	membersPath    *filter.Path
	usersPath      *filter.Path // members of type User
	nameFilters    map[nameID]filter.Expr
	documents      map[string]document // parsed documents
	hashes         map[string]int64    // member hashes, by ID
	tally          tally
}

func newSimulator() *simulator {
	s := &simulator{
		types: scim.StandardTypes(), nameFilters: map[nameID]filter.Expr{},
		documents: map[string]document{}, hashes: map[string]int64{},
	}
	s.resourceTypes = [2]*scim.ResourceType{s.types.ByName("User"), s.types.ByName("Group")}
	s.withoutMembers, _ = scim.NewProjection(s.types.ResourceTypes, "", "members", nil)
	s.membersPath = &filter.Path{Attr: filter.Attr{Name: "members"}}
	users, _ := filter.ParsePath(`members[type eq "User"]`, nil)
	s.usersPath = &users
	for typ, rt := range s.resourceTypes {
		for letter := byte('a'); letter <= 'd'; letter++ {
			text := fmt.Sprintf("%s eq %q", rt.Storage.NameAttribute, string(letter))
			s.nameFilters[nameID{typ, letter}], _ = filter.Parse(text, nil)
		}
	}
	return s
}

// run simulates one schedule. It returns the first violation, or "" if there is none.
func (s *simulator) run(seed uint64, trace func(string, ...any)) (failure string) {
	defer func() {
		if r := recover(); r != nil {
			failure = fmt.Sprintf("panic: %v", r)
		}
	}()
	c := s.newSchedule(seed, trace)
	for wave := range 1 + c.Int(2) {
		for range 2 + c.Int(4) {
			c.Start(c.runClient)
		}
		for range c.Int(3) {
			c.Start(c.sweep)
		}
		c.Run(wave == 0 && c.Int(2) == 0)
		c.created, c.active = c.visible(), nil
	}
	c.StopFaults()
	for range 4 { // no requests run anymore, and every intent is old
		c.Advance(time.Hour)
		c.Start(c.sweep)
		c.Run(false)
	}
	if c.checkIdle(); seed%8 == 0 {
		c.Start(c.fsck)
		c.Run(false)
	}
	s.tally.Events.Add(c.Events)
	s.tally.Schedules++
	return c.Failure()
}

func (s *schedule) sweep() {
	if _, err := store.Sweep(s.Begin(nil), s.config); err != nil && !table.IsTransient(err) {
		s.Fail("a sweep failed: %v", err)
	}
}

// fsck checks that the checker has no finding in a table that this test takes for consistent.
func (s *schedule) fsck() {
	checker := fsck.Checker{Config: s.config, Report: func(f fsck.Finding) { s.Fail("fsck: %s", f) }}
	if sum, err := checker.Run(s.Begin(nil)); sum.Findings > 0 || err != nil {
		s.Fail("fsck: %d findings, %v", sum.Findings, err)
	}
}

// A faultLog fails the schedule if an error is logged that is not transient.
type faultLog struct{ schedule *schedule }

func (l faultLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }
func (l faultLog) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l faultLog) WithGroup(string) slog.Handler                    { return l }
func (l faultLog) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if err, ok := a.Value.Any().(error); ok && !table.IsTransient(err) && !errors.Is(err, table.ErrConflict) {
			l.schedule.Fail("logged: %s: %v", r.Message, err)
		}
		return true
	})
	return nil
}
