package table

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// A Backoff determines the delay before another attempt. It uses full jitter: the delay is random, from 0 up to a bound
// that doubles with each attempt. The zero value is ready to use.
type Backoff struct {
	Base  time.Duration                              // bound after the first attempt; 0: 25 ms
	Cap   time.Duration                              // maximum bound; 0: 1 s
	Rand  func(n int64) int64                        // returns a random number in [0, n); nil: math/rand
	Sleep func(context.Context, time.Duration) error // waits, at most until the context ends; nil: a timer
}

// Wait waits before the next attempt. attempt is the number of failed attempts before the last one. Wait returns an
// error without waiting if the context has ended, or would end before the delay.
func (b Backoff) Wait(ctx context.Context, attempt int) error {
	delay := b.delay(attempt)
	if err := checkDeadlineIn(ctx, delay); err != nil {
		return err
	}
	if b.Sleep == nil {
		return sleep(ctx, delay)
	}
	return b.Sleep(ctx, delay)
}

// ErrConflict reports that a concurrent request changed an item on which a write depends. The caller must read the item
// again and retry.
var ErrConflict = errors.New("table: conflict")

// maxAttempts bounds the attempts of RetryConflicts, so that a condition that can never hold ends a request before its
// deadline.
const maxAttempts = 100

// RetryConflicts calls attempt until its error is not ErrConflict, and returns that error, or nil. It waits before each
// retry. If the context would end before the wait does, or after 100 attempts, the error is *TransientError and wraps
// ErrConflict.
func (b Backoff) RetryConflicts(ctx context.Context, attempt func() error) error {
	for n := range maxAttempts {
		err := attempt()
		if !errors.Is(err, ErrConflict) {
			return err
		}
		if err := b.Wait(ctx, n); err != nil {
			return &TransientError{Err: errors.Join(ErrConflict, err)}
		}
	}
	return &TransientError{Err: ErrConflict}
}

// CheckDeadline returns an error if the context has ended, or if its deadline has passed by the wall clock. A context
// uses the monotonic clock, which may stop while a machine is suspended (AWS Lambda suspends one between requests).
func CheckDeadline(ctx context.Context) error { return checkDeadlineIn(ctx, 0) }

// checkDeadlineIn is CheckDeadline for a later time.
func checkDeadlineIn(ctx context.Context, ahead time.Duration) error {
	deadline, ok := ctx.Deadline()
	if ok && deadline.Round(0).Sub(time.Now().Round(0)) <= ahead { // Round(0) removes the monotonic reading
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

func (b Backoff) delay(attempt int) time.Duration {
	bound, maxBound, random := b.Base, b.Cap, b.Rand
	if bound <= 0 {
		bound = 25 * time.Millisecond
	}
	if maxBound <= 0 {
		maxBound = time.Second
	}
	if random == nil {
		random = rand.Int64N
	}
	for ; attempt > 0 && bound < maxBound; attempt-- {
		bound *= 2
	}
	return time.Duration(random(int64(min(bound, maxBound))))
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
