package tabletest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"serverless-scim/internal/table"
)

// Simulation is a table.Table and the processes that call it, all in one goroutine's time: which of them goes on at each
// call, who dies, whose answer gets lost, and what plain reads see of a transaction, a seed decides. The same seed gives
// the same run. A seed also decides how likely all that is.
type Simulation struct {
	Actions       int                              // of a transaction, at most
	RejectExpired func([]table.Write) bool         // whether a transaction must not arrive after its token has expired
	Committed     func(*Transaction)               // called at the instant at which a transaction happens
	Trace         func(format string, args ...any) // what happens, step by step; nil: nobody looks
	Events
	odds       faultRates
	random     *rand.Rand
	clock      time.Time
	places     map[table.Key]*place
	partitions map[string][]*place // in the order of their sort keys
	lagging    []*place            // changed, but not for plain reads
	late       []*Transaction      // without an answer, and still on their way
	processes  int
	ready      []*thread // the last one ran last
	running    *thread
	failure    string
}

// Events is how often something happened.
type Events struct {
	Steps, Kills, Conflicts, Lost, Late, Expired int
	Stale                                        int // items that plain reads showed as they were
}

// Add adds the events of another run.
func (e *Events) Add(more Events) {
	e.Steps, e.Kills, e.Conflicts = e.Steps+more.Steps, e.Kills+more.Kills, e.Conflicts+more.Conflicts
	e.Lost, e.Late, e.Expired = e.Lost+more.Lost, e.Late+more.Late, e.Expired+more.Expired
	e.Stale += more.Stale
}

// faultRates is how likely faults are, in a thousand steps or calls.
type faultRates struct {
	kill, lose, expire, hurry int
	slow                      int // transactions that plain reads see in part
	stay                      int // the process that ran goes on
	jump                      int // the clock does
	pace                      int // one in so many steps shows an item
	page                      int // items of a page, at most
}

// NewSimulation is an empty table without processes.
func NewSimulation(seed uint64) *Simulation {
	s := &Simulation{
		Actions: table.MaxTransactionActions, RejectExpired: func([]table.Write) bool { return false }, Committed: func(*Transaction) {},
		random: rand.New(rand.NewPCG(seed, 0)), clock: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
		places: map[table.Key]*place{}, partitions: map[string][]*place{},
	}
	s.odds = faultRates{
		kill: s.one(0, 0, 10, 40), lose: s.one(0, 0, 30, 150, 400), expire: s.one(0, 0, 3, 20), hurry: s.one(0, 60),
		slow: s.one(0, 200, 500), stay: s.one(0, 500, 900), jump: s.one(0, 20, 300),
		pace: 1 + s.Int(s.one(8, 8, 30)), page: s.one(1, 2, 5, 100),
	}
	return s
}

// StopFaults ends all faults, also those on their way.
func (s *Simulation) StopFaults() { s.odds, s.late = faultRates{pace: 1, page: 100}, nil }

// Int is a random number in [0, n).
func (s *Simulation) Int(n int) int { return s.random.IntN(n) }

func (s *Simulation) one(of ...int) int        { return of[s.Int(len(of))] }
func (s *Simulation) chance(perMille int) bool { return perMille > 0 && s.Int(1000) < perMille }

// Now is the clock of all processes. It is far ahead of the machine's, by which Backoff and drivers judge deadlines.
func (s *Simulation) Now() time.Time { return s.clock }

// Advance lets time pass.
func (s *Simulation) Advance(d time.Duration) { s.clock = s.clock.Add(d) }

// Read gives random bytes.
func (s *Simulation) Read(b []byte) (int, error) {
	var word [8]byte
	for rest := b; len(rest) > 0; {
		binary.LittleEndian.PutUint64(word[:], s.random.Uint64())
		rest = rest[copy(rest, word[:]):]
	}
	return len(b), nil
}

// Backoff is how a process waits: others run meanwhile.
func (s *Simulation) Backoff() table.Backoff {
	return table.Backoff{Rand: s.random.Int64N, Sleep: func(ctx context.Context, d time.Duration) error {
		s.step()
		s.Advance(d)
		return ctx.Err()
	}}
}

// Fail ends the run; the first failure counts.
func (s *Simulation) Fail(format string, args ...any) {
	if s.failure == "" {
		s.failure = fmt.Sprintf(format, args...)
	}
}

// Failure is why the run ended early, empty if it did not.
func (s *Simulation) Failure() string { return s.failure }

// Request is the context of what a process is asked to do.
type Request struct {
	Sender       any  // whatever the process that began it said
	DeadlineNear bool // it was told that its deadline is near
	Expired      bool // its deadline is over: every call fails
	Unknown      bool // an answer got lost: what was sent may still arrive

	simulation *Simulation
}

// Begin makes a request of the process that runs; its calls are made for it until it begins another.
func (s *Simulation) Begin(sender any) *Request {
	r := &Request{Sender: sender, simulation: s}
	s.running.process.request = r
	return r
}

// Deadline is that of a request: at some moment it turns out to be near, and stays so.
func (r *Request) Deadline() (time.Time, bool) {
	s := r.simulation
	r.DeadlineNear = r.DeadlineNear || s.chance(s.odds.hurry)
	switch {
	case r.Expired:
		return s.clock.Add(-time.Second), true
	case r.DeadlineNear:
		return s.clock.Add(time.Second), true
	}
	return s.clock.Add(25 * time.Second), true
}

// Done is never closed: what runs alone cannot wait for it.
func (r *Request) Done() <-chan struct{} { return nil }

// Value is none.
func (r *Request) Value(any) any { return nil }

// Err tells whether the deadline is over.
func (r *Request) Err() error {
	if r.Expired {
		return context.DeadlineExceeded
	}
	return nil
}

type process struct {
	id      int
	request *Request
	threads []*thread
}

// thread is a coroutine of a process.
type thread struct {
	process *process
	name    string
	next    func() (struct{}, bool)
	stop    func()
	yield   func(struct{}) bool
	sending *Transaction // what it does when it goes on
	awaits  any          // why it is not ready: *Transaction, *group
}

// group is calls that run together.
type group struct {
	parent *thread
	left   int
}

type killed struct{}

// Start makes a process.
func (s *Simulation) Start(work func()) {
	s.processes++
	s.spawn(&process{id: s.processes, request: &Request{simulation: s}}, work)
}

func (s *Simulation) spawn(p *process, work func()) {
	t := &thread{process: p, name: fmt.Sprintf("P%d.%d", p.id, len(p.threads))}
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			if r := recover(); r != nil && r != any(killed{}) {
				panic(fmt.Sprintf("%v\n%s", r, debug.Stack())) // which is not the one that recovers
			}
		}()
		t.yield = yield
		work()
	})
	p.threads, s.ready = append(p.threads, t), append(s.ready, t)
}

// Together runs calls of one process as its threads.
func (s *Simulation) Together(calls ...func() error) (first error) {
	g := &group{s.running, 0}
	run := func(call func() error) {
		if err := call(); err != nil && first == nil {
			first = err
		}
	}
	for _, call := range calls[min(1, len(calls)):] {
		g.left++
		s.spawn(g.parent.process, func() {
			run(call)
			if g.left--; g.left == 0 {
				s.wake(g.parent, g)
			}
		})
	}
	if len(calls) > 0 {
		run(calls[0])
	}
	if g.left > 0 {
		s.await(g)
	}
	return first
}

// await lets others run until what the thread waits for wakes it.
func (s *Simulation) await(what any) {
	s.running.awaits = what
	s.step()
}

func (s *Simulation) wake(t *thread, what any) {
	if t != nil && t.awaits == what {
		t.awaits, s.ready = nil, append(s.ready, t)
	}
}

// step is where others may run, and where the process may die.
func (s *Simulation) step() {
	if !s.running.yield(struct{}{}) {
		panic(killed{})
	}
	s.Steps++
	s.clock = s.clock.Add(time.Millisecond)
}

// Run runs the processes until all have ended, everything can be seen, and what was on its way has arrived, unless it
// is held: then it may arrive later, after its token has expired.
func (s *Simulation) Run(hold bool) {
	for s.failure == "" && s.turn(hold) {
	}
	for len(s.ready) > 0 {
		s.kill(s.ready[0].process)
	}
	for _, t := range s.late {
		t.old = true
	}
	s.Advance(11 * time.Minute)
}

func (s *Simulation) turn(hold bool) (more bool) {
	n, m, l := len(s.ready), len(s.late), len(s.lagging)
	if hold {
		m = 0
	}
	if n+m+l == 0 {
		return false
	}
	if l > 0 && (n+m == 0 || s.Int(s.odds.pace) == 0) {
		s.show(s.Int(l))
		return true
	}
	if s.chance(s.odds.jump) {
		s.Advance([]time.Duration{2 * time.Second, 40 * time.Second, 25 * time.Minute}[s.Int(3)])
	}
	i := s.Int(n + m)
	if n > 0 && s.chance(s.odds.stay) {
		i = n - 1
	}
	if i >= n {
		s.arrive(i - n)
		return true
	}
	t := s.ready[i]
	if s.chance(s.odds.kill) {
		s.Kills++
		s.Log("%s dies", t.name)
		s.die(t.process)
		return true
	}
	s.ready = append(slices.Delete(s.ready, i, i+1), t)
	s.run(t)
	return true
}

// run lets a thread go on until its next step.
func (s *Simulation) run(t *thread) {
	s.running = t
	_, more := t.next()
	s.running = nil
	switch {
	case !more:
		t.process.threads = without(t.process.threads, t)
		s.ready = without(s.ready, t)
	case t.awaits != nil:
		s.ready = without(s.ready, t)
	}
}

func without[T comparable](list []T, e T) []T {
	if i := slices.Index(list, e); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// die ends a process; what it was about to send is lost, late or done.
func (s *Simulation) die(p *process) {
	for _, t := range p.threads {
		if t.sending != nil {
			s.lose(t.sending)
		}
	}
	s.kill(p)
}

func (s *Simulation) kill(p *process) {
	for _, t := range p.threads {
		s.running, t.awaits = t, nil
		t.stop()
		s.ready = without(s.ready, t)
	}
	s.running, p.threads = nil, nil
}

// Log adds to the trace.
func (s *Simulation) Log(format string, args ...any) {
	if s.Trace != nil {
		s.Trace(format, args...)
	}
}

func outcome(err error) string {
	if refused := (*table.ConditionError)(nil); errors.As(err, &refused) {
		return "refused: " + failures(err)
	}
	return fmt.Sprint(err)
}

func describe(writes []table.Write) string {
	var b strings.Builder
	for _, w := range writes {
		verb := strings.TrimPrefix(fmt.Sprintf("%T", w), "table.")
		fmt.Fprintf(&b, "\n    %s %s %s", verb, w.Target().PK, w.Target().SK)
		switch w := w.(type) {
		case table.Put:
			fmt.Fprintf(&b, " {%s}", text(w.Item))
		case table.Update:
			fmt.Fprintf(&b, " set {%s} add {%s} delete {%s} remove %v", text(w.Set), text(w.Add), text(w.Delete), w.Remove)
		}
		for _, c := range w.Conditions() {
			value := ""
			if c.Value != nil {
				value = text(table.Item{"": c.Value})
			}
			fmt.Fprintf(&b, " if %s %s%s", [...]string{"exists", "absent", "without", "equals", "below"}[c.Op], c.Attribute, value)
		}
	}
	return b.String()
}
