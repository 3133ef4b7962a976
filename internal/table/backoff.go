package table

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Backoff is how long to wait before trying again: full jitter, that is anything from nothing up to a bound that
// doubles with each attempt. The zero value is ready to use.
type Backoff struct {
	Base  time.Duration                              // the first bound; 25 ms
	Cap   time.Duration                              // the last bound; 1 s
	Rand  func(n int64) int64                        // a random number in [0, n); math/rand
	Sleep func(context.Context, time.Duration) error // until the time is over or the context is; the clock
}

// Wait waits before the next attempt; attempt counts those that failed, from 0. It returns an error, and at once, if
// the context has ended or would end before the wait does.
func (b Backoff) Wait(ctx context.Context, attempt int) error {
	d := b.delay(attempt)
	if err := checkDeadlineIn(ctx, d); err != nil {
		return err
	}
	if b.Sleep == nil {
		return sleep(ctx, d)
	}
	return b.Sleep(ctx, d)
}

// ErrConflict reports that a concurrent request changed an item on which a write depends. The caller reads again and
// retries.
var ErrConflict = errors.New("table: conflict")

// maxAttempts bounds the attempts of one request, so that a condition that can never hold ends it before its deadline.
const maxAttempts = 100

// RetryConflicts calls attempt until it returns an error other than ErrConflict, with a wait before each repetition. If
// the context ends first, or after 100 attempts, the error is *TransientError.
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

// CheckDeadline is why no call may begin: the context has ended, or its deadline is over by the wall clock. A context goes by
// the monotonic clock, which may stand still while a machine is suspended.
func CheckDeadline(ctx context.Context) error { return checkDeadlineIn(ctx, 0) }

// checkDeadlineIn looks a time ahead.
func checkDeadlineIn(ctx context.Context, ahead time.Duration) error {
	deadline, ok := ctx.Deadline()
	if ok && deadline.Round(0).Sub(time.Now().Round(0)) <= ahead { // Round takes the monotonic reading away
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

func (b Backoff) delay(attempt int) time.Duration {
	base, most, random := b.Base, b.Cap, b.Rand
	if base <= 0 {
		base = 25 * time.Millisecond
	}
	if most <= 0 {
		most = time.Second
	}
	if random == nil {
		random = rand.Int64N
	}
	for ; attempt > 0 && base < most; attempt-- {
		base *= 2
	}
	return time.Duration(random(int64(min(base, most))))
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
