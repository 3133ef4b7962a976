package main

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"serverless-scim/functions/internal/functiontest"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/table/tabletest"
)

// lines is a log whose lines are received.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// It sweeps at the start and every minute, until it is told to end. A sweep that fails, even by a panic, is one less.
func TestSweepingGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // where the clock is ours
		tab, err := bolt.Open(":memory:")
		if err != nil {
			t.Fatal(err)
		}
		defer tab.Close()
		log := make(lines, 10)
		var queries atomic.Int64
		c := stored(t, tabletest.Faults{Table: tab, Before: func(call tabletest.Call) error {
			if call.Method != "Query" || call.Keys[0].PK != "unfinished" {
				return nil
			}
			switch queries.Add(1) {
			case 1:
				return errors.New("the table cannot be read")
			case 2:
				panic("at the table")
			}
			return nil
		}}, log)
		functiontest.LeaveUnfinished(t, tab, tenant, time.Now())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			sweepLoop(ctx, c)
			close(ended)
		}()
		for _, after := range []struct {
			passed  time.Duration
			queries int64
			said    string
		}{
			{time.Second, 1, "the table cannot be read"}, {time.Minute, 2, "at the table"},
			{time.Minute, 3, "changes=1 deletes=1"}, {5 * time.Minute, 8, ""},
		} {
			time.Sleep(after.passed)
			synctest.Wait()
			if n := queries.Load(); n != after.queries {
				t.Fatalf("want %d sweeps %v later, got %d", after.queries, after.passed, n)
			}
			said := ""
			if len(log) > 0 {
				said = <-log
			}
			if !strings.Contains(said, after.said) || after.said == "" && said != "" || len(log) > 0 {
				t.Errorf("the log up to sweep %d: want %q alone, got %q", after.queries, after.said, said)
			}
		}
		cancel()
		<-ended
	})
}
