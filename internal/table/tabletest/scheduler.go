package tabletest

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"
	"slices"
	"time"

	"serverless-scim/internal/table"
)

// Start adds a process that executes work.
func (s *Simulation) Start(work func()) {
	s.processes++
	s.spawn(&process{id: s.processes, request: &Request{simulation: s}}, work)
}

func (s *Simulation) spawn(p *process, work func()) {
	t := &thread{process: p, name: fmt.Sprintf("P%d.%d", p.id, len(p.threads))}
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			if r := recover(); r != nil && r != any(killed{}) {
				panic(fmt.Sprintf("%v\n%s", r, debug.Stack())) // iter.Pull would lose the stack
			}
		}()
		t.yield = yield
		work()
	})
	p.threads, s.ready = append(p.threads, t), append(s.ready, t)
}

// Run runs the processes until all have ended and all writes are visible. It then moves the clock past the expiry of
// all tokens. If hold is false, Run also lets the delayed transactions arrive. If hold is true, they stay delayed, and
// may arrive during the next Run, after their tokens have expired.
func (s *Simulation) Run(hold bool) {
	for s.failure == "" && s.runNext(hold) {
	}
	for len(s.ready) > 0 {
		s.kill(s.ready[0].process)
	}
	for _, t := range s.late {
		t.tokenExpired = true
	}
	s.Advance(11 * time.Minute)
}

// runNext executes one event: it makes an item visible, lets a delayed transaction arrive, or lets a process crash or
// continue. It returns false if no event is possible.
func (s *Simulation) runNext(hold bool) (more bool) {
	ready, late, lagging := len(s.ready), len(s.late), len(s.lagging)
	if hold {
		late = 0
	}
	if ready+late+lagging == 0 {
		return false
	}
	if lagging > 0 && (ready+late == 0 || s.Int(s.rates.pace) == 0) {
		s.makeVisible(s.Int(lagging))
		return true
	}
	if s.chance(s.rates.jump) {
		s.Advance([]time.Duration{2 * time.Second, 40 * time.Second, 25 * time.Minute}[s.Int(3)])
	}
	i := s.Int(ready + late)
	if ready > 0 && s.chance(s.rates.stay) {
		i = ready - 1
	}
	if i >= ready {
		s.arrive(i - ready)
		return true
	}
	t := s.ready[i]
	if s.chance(s.rates.kill) {
		s.Kills++
		s.Log("%s crashes", t.name)
		s.crash(t.process)
		return true
	}
	s.ready = append(slices.Delete(s.ready, i, i+1), t)
	s.run(t)
	return true
}

// run continues a thread until its next step.
func (s *Simulation) run(t *thread) {
	s.running = t
	_, more := t.next()
	s.running = nil
	switch {
	case !more:
		t.process.threads = remove(t.process.threads, t)
		s.ready = remove(s.ready, t)
	case t.awaits != nil:
		s.ready = remove(s.ready, t)
	}
}

// makeVisible makes the lagging item with this index visible to plain reads.
func (s *Simulation) makeVisible(i int) {
	p := s.lagging[i]
	s.Log("%v becomes visible", p.Key)
	s.lagging = slices.Delete(s.lagging, i, i+1)
	t := p.writer
	p.writer = nil
	s.show(p)
	if t.hidden--; t.hidden == 0 {
		s.wake(t.sender, t)
	}
}

// crash ends a process. Transactions that it was about to send may arrive nevertheless.
func (s *Simulation) crash(p *process) {
	for _, t := range p.threads {
		if t.sending != nil {
			s.lose(t.sending)
		}
	}
	s.kill(p)
}

// killed is the panic value that ends the thread of a crashed process.
type killed struct{}

// kill ends the threads of a process.
func (s *Simulation) kill(p *process) {
	for _, t := range p.threads {
		s.running, t.awaits = t, nil
		t.stop()
		s.ready = remove(s.ready, t)
	}
	s.running, p.threads = nil, nil
}

// remove returns list without e.
func remove[T comparable](list []T, e T) []T {
	if i := slices.Index(list, e); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// step lets other threads run. The process may crash here.
func (s *Simulation) step() {
	if !s.running.yield(struct{}{}) {
		panic(killed{})
	}
	s.Steps++
	s.clock = s.clock.Add(time.Millisecond)
}

// Backoff returns the Backoff of the processes. While one waits, others run.
func (s *Simulation) Backoff() table.Backoff {
	return table.Backoff{Rand: s.random.Int64N, Sleep: func(ctx context.Context, d time.Duration) error {
		s.step()
		s.Advance(d)
		return ctx.Err()
	}}
}

// A group is a set of concurrent calls.
type group struct {
	parent    *thread
	remaining int // threads that have not ended
}

// Together runs concurrent calls of the running process, each in a thread, and returns the first error.
func (s *Simulation) Together(calls ...func() error) (first error) {
	g := &group{s.running, 0}
	run := func(call func() error) {
		if err := call(); err != nil && first == nil {
			first = err
		}
	}
	for _, call := range calls[min(1, len(calls)):] {
		g.remaining++
		s.spawn(g.parent.process, func() {
			run(call)
			if g.remaining--; g.remaining == 0 {
				s.wake(g.parent, g)
			}
		})
	}
	if len(calls) > 0 {
		run(calls[0])
	}
	if g.remaining > 0 {
		s.await(g)
	}
	return first
}

// await suspends the running thread until wake is called with the same event.
func (s *Simulation) await(event any) {
	s.running.awaits = event
	s.step()
}

// wake makes t ready if it awaits event.
func (s *Simulation) wake(t *thread, event any) {
	if t != nil && t.awaits == event {
		t.awaits, s.ready = nil, append(s.ready, t)
	}
}
