package tabletest

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"serverless-scim/internal/table"
)

// A Simulation is a table.Table in memory together with the processes that call it. Only one process runs at a time. At
// each call, random numbers decide which process continues, which one crashes, which response is lost, and which items
// of a transaction plain reads see. The seed determines all random numbers, including the rates of these faults, so the
// same seed always leads to the same run. Only the processes may call the table.
//
// Set the exported fields before Run.
type Simulation struct {
	Actions       int                              // maximum number of actions of a transaction; more fail the run
	RejectExpired func([]table.Write) bool         // whether to drop a delayed transaction whose token has expired
	Committed     func(*Transaction)               // called when a transaction takes effect
	Trace         func(format string, args ...any) // called for each event of the run; nil: no trace
	Events
	rates      faultRates
	random     *rand.Rand
	clock      time.Time
	places     map[table.Key]*place
	partitions map[string][]*place  // sorted by sort key
	lagging    []*place             // changed, but not visible to plain reads
	late       []*Transaction       // lost their response and may still arrive
	watched    func(table.Key) bool // selects the items of the streams; nil: none
	streams    []*SimulatedStream   // one for each shard
	processes  int                  // number of processes started
	ready      []*thread            // can continue; the last one ran last
	running    *thread
	failure    string
}

// Events counts the events of a run.
type Events struct {
	Steps     int
	Kills     int // processes that crashed
	Conflicts int // transaction conflicts
	Lost      int // lost responses
	Late      int // transactions that took effect after their response was lost
	Expired   int // requests whose deadline passed
	Stale     int // outdated items that plain reads returned
}

// Add adds the events of another run.
func (e *Events) Add(more Events) {
	e.Steps, e.Kills, e.Conflicts = e.Steps+more.Steps, e.Kills+more.Kills, e.Conflicts+more.Conflicts
	e.Lost, e.Late, e.Expired = e.Lost+more.Lost, e.Late+more.Late, e.Expired+more.Expired
	e.Stale += more.Stale
}

// faultRates holds the probabilities of events per thousand steps or calls, and the limits pace and page.
type faultRates struct {
	kill    int // a process crashes
	lose    int // a response is lost
	expire  int // the deadline of a request passes
	nearEnd int // the deadline of a request is near
	slow    int // a transaction is not visible at once
	stay    int // the process that ran last continues
	jump    int // the clock jumps
	pace    int // on average, one in pace steps makes an item visible
	page    int // maximum number of items of a page
	repeat  int // a stream delivers records again
	delay   int // a stream delivers no record, although some exist
}

// NewSimulation returns an empty table without processes.
func NewSimulation(seed uint64) *Simulation {
	s := &Simulation{
		Actions:       table.MaxTransactionActions,
		RejectExpired: func([]table.Write) bool { return false }, Committed: func(*Transaction) {},
		random: rand.New(rand.NewPCG(seed, 0)), clock: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
		places: map[table.Key]*place{}, partitions: map[string][]*place{},
	}
	s.rates = faultRates{
		kill: s.pick(0, 0, 10, 40), lose: s.pick(0, 0, 30, 150, 400), expire: s.pick(0, 0, 3, 20),
		nearEnd: s.pick(0, 60), slow: s.pick(0, 200, 500), stay: s.pick(0, 500, 900), jump: s.pick(0, 20, 300),
		pace: 1 + s.Int(s.pick(8, 8, 30)), page: s.pick(1, 2, 5, 100),
	}
	return s
}

// StopFaults ends all faults. Transactions that have not arrived yet are dropped.
func (s *Simulation) StopFaults() {
	s.rates = faultRates{pace: 1, page: 100}
	s.DropDelayed()
}

// DropDelayed drops the transactions that have not arrived yet.
func (s *Simulation) DropDelayed() { s.late = nil }

// Int returns a random number in [0, n).
func (s *Simulation) Int(n int) int { return s.random.IntN(n) }

func (s *Simulation) pick(from ...int) int     { return from[s.Int(len(from))] }
func (s *Simulation) chance(perMille int) bool { return perMille > 0 && s.Int(1000) < perMille }

// Now returns the time of all processes. It is centuries after the time of the machine, which table.Backoff and
// table.CheckDeadline compare with deadlines, so these never end a request.
func (s *Simulation) Now() time.Time { return s.clock }

// Advance moves the clock forward.
func (s *Simulation) Advance(d time.Duration) { s.clock = s.clock.Add(d) }

// Read fills b with random bytes. The error is nil.
func (s *Simulation) Read(b []byte) (int, error) {
	var word [8]byte
	for rest := b; len(rest) > 0; {
		binary.LittleEndian.PutUint64(word[:], s.random.Uint64())
		rest = rest[copy(rest, word[:]):]
	}
	return len(b), nil
}

// Fail ends the run with a message. Only the first message is kept.
func (s *Simulation) Fail(format string, args ...any) {
	if s.failure == "" {
		s.failure = fmt.Sprintf(format, args...)
	}
}

// Failure returns the message of Fail, or "".
func (s *Simulation) Failure() string { return s.failure }

// Log calls Trace, unless it is nil.
func (s *Simulation) Log(format string, args ...any) {
	if s.Trace != nil {
		s.Trace(format, args...)
	}
}

// A place holds the state of one key.
type place struct {
	table.Key
	item    table.Item   // the current item; nil: it does not exist
	visible table.Item   // the item that plain reads return; nil: it does not exist
	writer  *Transaction // the transaction that wrote item, while visible is not updated; otherwise nil
}

// A Transaction is a Write that a process sends, or has sent.
type Transaction struct {
	Writes        []table.Write
	Before, After []table.Item // the old and the new item of each write, once the transaction has taken effect
	Request       *Request     // the request that sends it

	done         bool // the transaction took effect, and the table remembers its token
	tokenExpired bool // the table no longer remembers the token
	hidden       int  // number of items that plain reads do not see yet
	sender       *thread
}

// Visible reports whether plain reads see all items of the transaction.
func (t *Transaction) Visible() bool { return t.hidden == 0 }

// A Request is the context of one request that a process executes.
type Request struct {
	Sender       any  // the argument of Begin
	DeadlineNear bool // Deadline has returned a time that is near
	Expired      bool // the deadline has passed: every call fails
	Unknown      bool // a response was lost, so the outcome of a write is unknown

	simulation *Simulation
}

// Begin returns a new request of the running process. The calls of the process belong to this request until the next
// Begin.
func (s *Simulation) Begin(sender any) *Request {
	r := &Request{Sender: sender, simulation: s}
	s.running.process.request = r
	return r
}

// Deadline returns the deadline. At random it becomes near, and then stays near.
func (r *Request) Deadline() (time.Time, bool) {
	s := r.simulation
	r.DeadlineNear = r.DeadlineNear || s.chance(s.rates.nearEnd)
	switch {
	case r.Expired:
		return s.clock.Add(-time.Second), true
	case r.DeadlineNear:
		return s.clock.Add(time.Second), true
	}
	return s.clock.Add(25 * time.Second), true
}

// Done returns nil. A process cannot wait for a channel, because no other goroutine runs.
func (r *Request) Done() <-chan struct{} { return nil }

// Value returns nil.
func (r *Request) Value(any) any { return nil }

// Err returns context.DeadlineExceeded if the deadline has passed.
func (r *Request) Err() error {
	if r.Expired {
		return context.DeadlineExceeded
	}
	return nil
}

// A process executes one request at a time, in one or more threads.
type process struct {
	id      int
	request *Request
	threads []*thread
}

// A thread is a coroutine of a process.
type thread struct {
	process *process
	name    string
	next    func() (struct{}, bool) // continues the thread until its next step
	stop    func()                  // ends the thread
	yield   func(struct{}) bool     // returns to the caller of next; false: the thread must end
	sending *Transaction            // the transaction that the thread will send next; nil: none
	awaits  any                     // the *Transaction or *group for which the thread waits; nil: none
}

// streamShards is the number of shards of a simulated stream. All records of an item are in the same shard.
const streamShards = 2

// A SimulatedStream is the table.Stream of one shard of a Simulation. It delivers batches of random size, at random later
// than possible, and at random again although they were handled. Only one process may receive from it at a time, as Lambda
// ensures. The writes of a process that crashes may arrive during the next delivery.
type SimulatedStream struct {
	simulation *Simulation
	records    []table.Record
	handled    int // records before this one were handled
}
