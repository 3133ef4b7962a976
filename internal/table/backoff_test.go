package table

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestPauseIsFullJitterUnderADoublingBound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		attempt := rapid.IntRange(0, 1000).Draw(t, "attempt")
		bound := time.Second
		if attempt < 6 { // 25 ms · 2⁶ is more than a second
			bound = 25 * time.Millisecond << attempt
		}
		least := Backoff{Rand: func(int64) int64 { return 0 }}.delay(attempt)
		most := Backoff{Rand: func(n int64) int64 { return n - 1 }}.delay(attempt)
		if least != 0 || most != min(bound, time.Second)-1 {
			t.Fatalf("attempt %d: from %v to %v, want less than %v", attempt, least, most, bound)
		}
		if d := (Backoff{Base: 5, Cap: 10}).delay(attempt); d < 0 || d >= 10 {
			t.Fatalf("a pause of %d with the cap 10", d)
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := Backoff{Base: time.Second, Rand: func(int64) int64 { return int64(time.Second / 2) }}
		start := time.Now()
		if err := b.Wait(t.Context(), 0); err != nil || time.Since(start) != time.Second/2 {
			t.Errorf("a wait of half a second: %v after %v", err, time.Since(start))
		}
		start = time.Now()
		late, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if err := b.Wait(late, 0); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 0 {
			t.Errorf("a wait beyond the deadline: %v after %v", err, time.Since(start))
		}
		canceled, cancel := context.WithCancel(t.Context())
		go func() { time.Sleep(time.Second / 4); cancel() }()
		if err := b.Wait(canceled, 0); !errors.Is(err, context.Canceled) || time.Since(start) != time.Second/4 {
			t.Errorf("a wait that is canceled: %v after %v", err, time.Since(start))
		}
		b.Sleep = func(context.Context, time.Duration) error { t.Error("it slept"); return nil }
		if err := b.Wait(canceled, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("a wait after the end: %v", err)
		}
	})
}
