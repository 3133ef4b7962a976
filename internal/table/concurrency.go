package table

import (
	"cmp"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// maxGoroutines bounds the table calls that one request makes at the same time.
const maxGoroutines = 16

// RunConcurrently runs calls that do not depend on each other, at most 16 at a time. It waits for all of them, and returns
// one of their errors. It cancels no call when another one fails, because a write that has begun must not be interrupted.
// It runs the last call in the caller's goroutine, which would only wait otherwise. A panic of any call is repeated in the
// caller's goroutine, which can recover from it.
func RunConcurrently(calls ...func() error) error {
	switch len(calls) {
	case 0:
		return nil
	case 1:
		return calls[0]()
	}
	var g errgroup.Group
	g.SetLimit(maxGoroutines)
	var panicked atomic.Pointer[any]
	guarded := func(call func() error) error {
		defer func() {
			if p := recover(); p != nil {
				panicked.Store(&p)
			}
		}()
		return call()
	}
	last := len(calls) - 1
	for _, call := range calls[:last] {
		g.Go(func() error { return guarded(call) })
	}
	err := guarded(calls[last])
	err = cmp.Or(g.Wait(), err)
	if p := panicked.Load(); p != nil {
		panic(*p)
	}
	return err
}
