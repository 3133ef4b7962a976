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

// lines is a log. Its lines are received from the channel.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// sweepLoop sweeps at the start and every minute until its context ends, also after a sweep that failed or panicked.
func TestSweepLoopContinuesAfterFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // for its fake clock
		tab, err := bolt.Open(":memory:")
		if err != nil {
			t.Fatal(err)
		}
		defer tab.Close()
		log := make(lines, 10)
		var queries atomic.Int64
		c := newConfig(t, tabletest.Faults{Table: tab, Before: func(call tabletest.Call) error {
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
		for _, step := range []struct {
			sleep   time.Duration
			queries int64 // in total
			logged  string
		}{
			{time.Second, 1, "the table cannot be read"}, {time.Minute, 2, "at the table"},
			{time.Minute, 3, "changes=1 deletes=1"}, {5 * time.Minute, 8, ""},
		} {
			time.Sleep(step.sleep)
			synctest.Wait()
			if n := queries.Load(); n != step.queries {
				t.Fatalf("want %d sweeps %v later, got %d", step.queries, step.sleep, n)
			}
			logged := ""
			if len(log) > 0 {
				logged = <-log
			}
			if !strings.Contains(logged, step.logged) || step.logged == "" && logged != "" || len(log) > 0 {
				t.Errorf("the log after %d sweeps: want only %q, got %q", step.queries, step.logged, logged)
			}
		}
		cancel()
		<-ended
	})
}
