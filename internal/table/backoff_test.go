package table

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestDelayIsFullJitterWithDoublingBound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		attempt := rapid.IntRange(0, 1000).Draw(t, "attempt")
		bound := time.Second
		if attempt < 6 { // 25 ms · 2⁶ is more than a second
			bound = 25 * time.Millisecond << attempt
		}
		lowest := Backoff{Rand: func(int64) int64 { return 0 }}.delay(attempt)
		highest := Backoff{Rand: func(n int64) int64 { return n - 1 }}.delay(attempt)
		if lowest != 0 || highest != min(bound, time.Second)-1 {
			t.Fatalf("attempt %d: from %v to %v, want less than %v", attempt, lowest, highest, bound)
		}
		if d := (Backoff{Base: 5, Cap: 10}).delay(attempt); d < 0 || d >= 10 {
			t.Fatalf("got a delay of %d with Cap 10", d)
		}
	})
}

func TestWaitEndsWithContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := Backoff{Base: time.Second, Rand: func(int64) int64 { return int64(time.Second / 2) }}
		start := time.Now()
		if err := b.Wait(t.Context(), 0); err != nil || time.Since(start) != time.Second/2 {
			t.Errorf("Wait for half a second: %v after %v", err, time.Since(start))
		}
		start = time.Now()
		short, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if err := b.Wait(short, 0); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 0 {
			t.Errorf("Wait past the deadline: %v after %v", err, time.Since(start))
		}
		canceled, cancel := context.WithCancel(t.Context())
		go func() { time.Sleep(time.Second / 4); cancel() }()
		if err := b.Wait(canceled, 0); !errors.Is(err, context.Canceled) || time.Since(start) != time.Second/4 {
			t.Errorf("Wait with a context that is canceled: %v after %v", err, time.Since(start))
		}
		b.Sleep = func(context.Context, time.Duration) error { t.Error("Wait called Sleep"); return nil }
		if err := b.Wait(canceled, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("Wait after the end of the context: %v", err)
		}
	})
}

func TestRetryConflictsStopsAtAnotherResult(t *testing.T) {
	t.Parallel()
	other := errors.New("another error")
	for _, want := range []error{nil, other} {
		attempts, waits := 0, 0
		b := Backoff{Sleep: func(context.Context, time.Duration) error { waits++; return nil }}
		err := b.RetryConflicts(t.Context(), func() error {
			if attempts++; attempts < 3 {
				return fmt.Errorf("wrapped: %w", ErrConflict)
			}
			return want
		})
		if err != want || attempts != 3 || waits != 2 {
			t.Errorf("got %v after %d attempts and %d waits, want %v after 3 and 2", err, attempts, waits, want)
		}
	}
}

func TestRetryConflictsReturnsTransientErrorIfContextWouldEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := Backoff{Base: time.Second, Cap: time.Second, Rand: func(n int64) int64 { return n - 1 }}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second/2)
		defer cancel()
		start, attempts := time.Now(), 0
		err := b.RetryConflicts(ctx, func() error { attempts++; return ErrConflict })
		var transient *TransientError
		if !errors.As(err, &transient) || !errors.Is(err, ErrConflict) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a TransientError that wraps the conflict and the deadline", err)
		}
		if elapsed := time.Since(start); attempts != 3 || elapsed > 2*time.Second {
			t.Errorf("%d attempts in %v, want 3 without a wait past the deadline", attempts, elapsed)
		}
	})
}

func TestRetryConflictsLimitsAttempts(t *testing.T) {
	t.Parallel()
	attempts := 0
	b := Backoff{Sleep: func(context.Context, time.Duration) error { return nil }}
	err := b.RetryConflicts(t.Context(), func() error { attempts++; return ErrConflict })
	var transient *TransientError
	if !errors.As(err, &transient) || !errors.Is(err, ErrConflict) || attempts != maxAttempts {
		t.Errorf("got %v after %d attempts, want a TransientError after %d", err, attempts, maxAttempts)
	}
}
