package directory

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

var (
	seeds    = flag.Int("seeds", 0, "schedules to simulate; 0: 20,000, with the race detector 1,000")
	fromSeed = flag.Int("from", 1, "the first of them")
	oneSeed  = flag.Int("seed", 0, "simulate this schedule alone, and tell every step")
)

// TestSimulation plays requests and sweeps over a table that behaves as DynamoDB may, in schedules that a seed decides,
// and checks after every transaction and at every answer what must be true then.
func TestSimulation(t *testing.T) {
	t.Parallel()
	if *oneSeed != 0 {
		s := newStage()
		if failure := s.play(uint64(*oneSeed), func(format string, args ...any) { t.Logf(format, args...) }); failure != "" {
			t.Error(failure)
		}
		t.Log(s.tally)
		return
	}
	n, workers := *seeds, runtime.GOMAXPROCS(0)
	if n == 0 {
		n = 20_000
		if racing() {
			n = 1_000
		}
	}
	var all tally
	var mu sync.Mutex
	first := *fromSeed + n // that fails
	t.Run("seeds", func(t *testing.T) {
		for shard := range workers {
			t.Run(fmt.Sprint(shard), func(t *testing.T) {
				t.Parallel()
				s := newStage()
				for seed := *fromSeed + shard; ; seed += workers {
					mu.Lock()
					end := first
					mu.Unlock()
					if seed >= end {
						break
					}
					if failure := s.play(uint64(seed), nil); failure != "" {
						t.Errorf("seed %d: %s\nreplay: go test ./internal/directory -run TestSimulation -v -seed %d", seed, failure, seed)
						mu.Lock()
						first = min(first, seed)
						mu.Unlock()
					}
				}
				mu.Lock()
				defer mu.Unlock()
				all.add(s.tally)
			})
		}
	})
	t.Log(all)
}

// The same seed gives the same run, so that what it finds can be looked at again.
func TestSimulationIsTheSameAgain(t *testing.T) {
	t.Parallel()
	s := newStage()
	for seed := range uint64(100) {
		var hashes [2]uint64
		for i := range hashes {
			h := fnv.New64a()
			s.play(seed, func(format string, args ...any) { fmt.Fprintf(h, format, args...) })
			hashes[i] = h.Sum64()
		}
		if hashes[0] != hashes[1] {
			t.Errorf("seed %d gives two runs", seed)
		}
	}
}

// racing tells whether this is a build with the race detector, which takes ten times as long.
func racing() bool {
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}

// tally is what happened in some schedules.
type tally struct {
	tabletest.Events
	Seeds, Requests, Large, Prepares, Helps, Aborts, Latches, Drains, GaveUp int
}

func (t *tally) add(more tally) {
	t.Events.Add(more.Events)
	t.Seeds, t.Requests, t.GaveUp = t.Seeds+more.Seeds, t.Requests+more.Requests, t.GaveUp+more.GaveUp
	t.Large, t.Prepares, t.Helps = t.Large+more.Large, t.Prepares+more.Prepares, t.Helps+more.Helps
	t.Aborts, t.Latches, t.Drains = t.Aborts+more.Aborts, t.Latches+more.Latches, t.Drains+more.Drains
}

func (t tally) String() string {
	return fmt.Sprintf("%d schedules, %d steps, %d requests, %d deaths, %d deadlines, %d conflicts, %d lost answers, "+
		"%d late requests that took effect, %d items shown as they were, %d large changes (%d prepares, %d helps, %d aborts), "+
		"%d latches (%d drains), %d gave up", t.Seeds, t.Steps, t.Requests, t.Kills, t.Expired, t.Conflicts, t.Lost, t.Late,
		t.Stale, t.Large, t.Prepares, t.Helps, t.Aborts, t.Latches, t.Drains, t.GaveUp)
}

// told counts what one write of a transaction shows it to be.
func (w *world) told(o *op, write table.Write, before, after table.Item) {
	was, is := simText(before["state"]), simText(after["state"])
	_, check := write.(table.ConditionCheck)
	switch k := write.Target(); {
	case k.PK == "unfinished" && is == "prepared" && (check || was == ""):
		w.tally.Prepares++
	case k.PK == "unfinished" && is == "aborted" && was == "prepared":
		w.tally.Aborts++
	case k.SK != "@":
	case before["deleting"] != nil:
		w.tally.Drains++
	case after["deleting"] != nil:
		w.tally.Latches++
	case simText(after["pending"]) != simText(before["pending"]) && after["pending"] != nil:
		w.tally.Large++
	case table.IntValue(before["left"]) > table.IntValue(after["left"]) && (o == nil || o.change != simText(before["pending"])):
		w.tally.Helps++
	}
}

// stage is what schedules share.
type stage struct {
	rts         [2]*scim.ResourceType
	types       *scim.Types
	bare        scim.Projection
	membersPath *filter.Path
	usersPath   *filter.Path
	filters     map[place]filter.Expr
	parsed      map[string]simDoc
	digests     map[string]int64
	tally       tally
}

func newStage() *stage {
	s := &stage{
		types: scim.StandardTypes(), parsed: map[string]simDoc{}, digests: map[string]int64{}, filters: map[place]filter.Expr{},
	}
	s.rts = [2]*scim.ResourceType{s.types.ByName("User"), s.types.ByName("Group")}
	s.bare, _ = scim.NewProjection(s.types.ResourceTypes, "", "members")
	s.membersPath = &filter.Path{Attr: filter.Attr{Name: "members"}}
	users, _ := filter.ParsePath(`members[type eq "User"]`)
	s.usersPath = &users
	for k, rt := range s.rts {
		for slot := byte('a'); slot <= 'd'; slot++ {
			s.filters[place{k, slot}], _ = filter.Parse(fmt.Sprintf("%s eq %q", rt.Storage.NameAttribute, string(slot)))
		}
	}
	return s
}

// play simulates one schedule, and tells what went wrong.
func (s *stage) play(seed uint64, trace func(string, ...any)) (failure string) {
	defer func() {
		if r := recover(); r != nil {
			failure = fmt.Sprintf("panic: %v", r)
		}
	}()
	w := s.world(seed, trace)
	for wave := range 1 + w.Int(2) {
		for range 2 + w.Int(4) {
			w.Start(w.client)
		}
		for range w.Int(3) {
			w.Start(w.sweep)
		}
		w.Run(wave == 0 && w.Int(2) == 0)
		w.born, w.active = w.living(), nil
	}
	w.StopFaults()
	for range 4 { // all is quiet, and what is unfinished is old
		w.Advance(time.Hour)
		w.Start(w.sweep)
		w.Run(false)
	}
	if w.leftovers(); seed%8 == 0 {
		w.Start(w.fsck)
		w.Run(false)
	}
	s.tally.Events.Add(w.Events)
	s.tally.Seeds++
	return w.Failure()
}

func (w *world) sweep() {
	if _, err := Sweep(w.Begin(nil), w.d.Config); err != nil && !IsTransient(err) {
		w.Fail("a sweep ends with %v", err)
	}
}

// fsck finds nothing in what this test takes for right.
func (w *world) fsck() {
	f := Checker{Config: w.d.Config, Report: func(line string) { w.Fail("fsck: %s", line) }}
	if n, err := f.Run(w.Begin(nil)); n > 0 || err != nil {
		w.Fail("fsck: %d findings, %v", n, err)
	}
}

// world makes three users and two groups with some members, and small transactions.
func (s *stage) world(seed uint64, trace func(string, ...any)) *world {
	w := &world{
		Simulation: tabletest.NewSimulation(seed), stage: s, index: map[string]int{},
		names: map[place]int{}, lookups: [2]map[string]idSet{{}, {}}, shards: map[table.Key]int64{},
		parts: map[string]map[string]simPart{}, markers: map[table.Key]string{}, applying: map[string][]*tabletest.Transaction{},
	}
	w.Simulation.Committed, w.RejectExpired = w.committed, creates
	if trace != nil {
		w.Trace = func(format string, args ...any) { trace("%s", w.short(fmt.Sprintf(format, args...))) }
	}
	w.Actions, w.modest = []int{6, 6, 6, 7, 8, 10}[w.Int(6)], []int{2, 8}[w.Int(2)]
	c := Config{
		Table: w, Types: s.types, Now: w.Now, Random: w, Backoff: w.Backoff(), Runner: w.Together,
		Log: slog.New(faultLog{w}),
		sizes: batchLimits{
			transactionActions: w.Actions, changeItemsPerTransaction: 1 + w.Int(w.Actions), changeItemMembers: 1 + w.Int((w.Actions-2)/2), snapshotEdges: 1 + w.Int(1+w.Int(w.Actions-1)),
			queryEdgesPerSnapshotEdge: []int{0, 1, 80}[w.Int(3)],
		},
	}
	c.ApplyConcurrency = w.Int(4)
	c.sizes.snapshotMembers = c.sizes.snapshotEdges * []int{1, 2, 4}[w.Int(3)]
	w.d = New(c, "t", base)
	w.focus = w.some()
	w.focus |= w.some()
	if w.kinds = simKinds; w.Int(2) == 0 { // a few kinds of requests only
		w.kinds = nil
		for range 3 {
			w.kinds = append(w.kinds, simKinds[w.Int(len(simKinds))])
		}
	}
	w.Log("%+v", c.sizes)
	w.setUp()
	return w
}

// short is a line of the trace with the numbers of resources in place of their ids.
func (w *world) short(line string) string {
	for x, id := range w.ids {
		if id != "" {
			line = strings.ReplaceAll(line, id, fmt.Sprintf("<%d>", x))
		}
	}
	return line
}

// creates tells whether a transaction makes a resource.
func creates(writes []table.Write) bool {
	p, ok := writes[0].(table.Put)
	return ok && p.Target().SK == "@"
}

func (w *world) setUp() {
	w.next = [2]int{3, simUsers + 2}
	const first = idSet(0b1100111)
	for x := range simAll {
		w.groupsAt[x] = map[int64]idSet{}
		if first.has(x) {
			w.name(x, w.rts[kind(x)].NewID([16]byte{byte(x)}))
		}
	}
	for g := simUsers; g < simUsers+2; g++ {
		w.spec[g] = w.some() & first &^ bit(g)
	}
	for x := range first.each {
		w.docs[x] = simDoc{name: string(rune('a' + x%simUsers))}
		if kind(x) == 0 {
			w.docs[x].ext = w.ext(0)
		}
		for _, it := range w.initial(x) {
			w.Store(it)
			w.store(it.Key(), it)
		}
	}
	w.born = first
	w.check()
}

// initial is the items of a resource and its members, and the counts as if it were the last.
func (w *world) initial(x int) (all []table.Item) {
	rt, id, doc := w.rts[kind(x)], w.ids[x], w.docs[x]
	put := func(k table.Key, attributes table.Item) {
		if attributes == nil {
			attributes = table.Item{}
		}
		attributes["PK"], attributes["SK"] = table.S(k.PK), table.S(k.SK)
		all = append(all, attributes)
	}
	o := scim.Object{rt.Storage.NameAttribute: doc.name}
	if doc.ext != "" {
		o["externalId"] = doc.ext
		put(table.Key{PK: "t#User#externalId#" + doc.ext, SK: id}, nil)
	}
	text, _ := EncodeDocument(o)
	h := table.Item{"tenant": table.S("t"), "doc": table.S(text), "ver": table.N(1), "gver": table.N(0)}
	h["created"], h["modified"] = table.S("2200-01-01T00:00:00.000Z"), table.S("2200-01-01T00:00:00.000Z")
	h["n"], h["sum"] = table.N(int64(w.spec[x].len())), table.N(w.sum(w.spec[x]))
	if kind(x) == 1 {
		h["display"] = table.S(doc.name)
	}
	var groups []string
	for g := range everyGroup.each {
		if w.spec[g].has(x) {
			groups = append(groups, w.ids[g])
		}
	}
	if groups != nil {
		h["groups"] = table.SS(groups...)
	}
	put(w.headKey(x), h)
	put(w.nameKey(place{kind(x), doc.slot()}), table.Item{"id": table.S(id)})
	put(table.Key{PK: "t#" + rt.Name + "#id#", SK: id}, nil)
	for m := range w.spec[x].each {
		put(table.Key{PK: w.headKey(x).PK, SK: "Member#" + w.ids[m]}, table.Item{"type": table.S(w.rts[kind(m)].Name)})
	}
	put(table.Key{PK: "t#" + rt.Name + "#count", SK: "0"}, table.Item{"n": table.N(int64(x + 1 - simUsers*kind(x)))})
	return all
}

func (w *world) headKey(x int) table.Key {
	return table.Key{PK: [2]string{"t#User#", "t#Group#"}[kind(x)] + w.ids[x], SK: "@"}
}

func (w *world) nameKey(p place) table.Key {
	return table.Key{PK: [2]string{"t#User", "t#Group"}[p.kind], SK: [2]string{"userName#", "displayName#"}[p.kind] + string(p.slot)}
}

// faultLog fails a schedule in which something is logged as an error that does not pass.
type faultLog struct{ w *world }

func (l faultLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }
func (l faultLog) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l faultLog) WithGroup(string) slog.Handler                    { return l }
func (l faultLog) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if err, ok := a.Value.Any().(error); ok && !IsTransient(err) && !errors.Is(err, table.ErrConflict) {
			l.w.Fail("logged: %s: %v", r.Message, err)
		}
		return true
	})
	return nil
}
