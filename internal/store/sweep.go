package store

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// Ages at which the sweep takes an intent for abandoned. A writer that is still alive loses nothing by it.
const (
	finishAfter = 30 * time.Second // a committed change, or a delete
	abortAfter  = 20 * time.Minute // a prepared change, which its writer may still commit
)

// SweepResult counts what a sweep did.
type SweepResult struct {
	Changes, Deletes int           // finished
	Aborted          int           // prepared changes that were aborted
	Unfinished       int           // intents that remain: too young, in conflict with requests, or corrupt
	OldestCommitted  time.Duration // age of the oldest committed change or delete that remains
	OldestPrepared   time.Duration // age of the oldest prepared change that remains
}

// Sweep finishes or aborts what the intent markers of all tenants record. Requests leave such work behind when their
// deadline comes or their process dies. Any number of sweeps may run at the same time, and during requests. What a sweep
// cannot finish remains for the next one. An error is an error of the table.
func Sweep(ctx context.Context, c Config) (SweepResult, error) {
	sw := sweeper{Store: c.Unscoped()}
	r := table.Range{PK: IntentPartition}
	for {
		page, err := sw.Table.Query(ctx, r)
		if err != nil {
			return sw.result, err
		}
		var calls []func() error
		for _, it := range page.Items {
			calls = append(calls, func() error { sw.processIntent(ctx, it); return nil })
		}
		sw.RunConcurrently(calls...)
		if r.ExclusiveStart = page.LastEvaluatedKey.SK; r.ExclusiveStart == "" || sw.DeadlineNear(ctx) {
			return sw.result, nil
		}
	}
}

type sweeper struct {
	*Store // of no tenant
	mu     sync.Mutex
	result SweepResult
}

// processIntent finishes the intent of a marker if it is old enough, and counts the result. An intent that cannot be
// finished is logged and does not stop the sweep.
func (sw *sweeper) processIntent(ctx context.Context, it table.Item) {
	var m IntentMarker
	err := UnmarshalItem(it, &m)
	if m.State == StateSwept {
		return
	}
	if m.State == stateBackfill {
		if err := sw.resumeBackfill(ctx, it); err != nil && !table.IsTransient(err) {
			sw.Log.ErrorContext(ctx, "cannot finish", "marker", m.SK, "error", err)
		}
		return
	}
	done, age := false, max(0, sw.Now().Sub(time.Unix(m.StartedAt, 0)))
	if err == nil && age >= m.minAge() && !sw.DeadlineNear(ctx) {
		done, err = sw.finishIntent(ctx, m)
	}
	if err != nil && !table.IsTransient(err) {
		sw.Log.ErrorContext(ctx, "cannot finish", "marker", m.SK, "error", err)
	}
	sw.mu.Lock()
	defer sw.mu.Unlock()
	switch {
	case !done:
		sw.result.Unfinished++
		if m.State == StatePrepared || m.State == StateAborted {
			sw.result.OldestPrepared = max(sw.result.OldestPrepared, age)
		} else {
			sw.result.OldestCommitted = max(sw.result.OldestCommitted, age)
		}
	case m.State == StateCommitted:
		sw.result.Changes++
	case m.State == "":
		sw.result.Deletes++
	default:
		sw.result.Aborted++
	}
}

// minAge returns the age from which a sweep finishes the intent.
func (m IntentMarker) minAge() time.Duration {
	switch {
	case m.State == StatePrepared && m.Creates == nil:
		return abortAfter
	case m.State == StateAborted:
		return 0
	}
	return finishAfter
}

func (sw *sweeper) finishIntent(ctx context.Context, m IntentMarker) (done bool, err error) {
	keys, rt, id, changeID, err := sw.parseIntentKey(m.Key)
	if err != nil {
		return false, err
	}
	s := sw.ForTenant(keys)
	switch {
	case m.Creates != nil && s.UndoCreates == nil: // only directory.Sweep sets it
		return false, nil
	case m.Creates != nil:
		return s.UndoCreates(ctx, s, m.Key, m.Creates)
	case m.State == "":
		return s.FinishDelete(ctx, rt, id, nil)
	case m.State == StateCommitted:
		err := s.FinishChange(ctx, rt, id, changeID)
		return err == nil, err
	default:
		alreadyCommitted, err := s.abort(ctx, rt, id, changeID, m.ChangeItems)
		return err == nil && !alreadyCommitted, err
	}
}

// parseIntentKey returns the tenant's keys, the resource, and the change ID that the key of a marker names. The change ID
// is empty for a delete.
func (c Config) parseIntentKey(k table.Key) (keys Keys, rt *scim.ResourceType, id, changeID string, err error) {
	parts := append(strings.Split(k.SK, "#"), "")
	if len(parts) < 4 || len(parts) > 5 {
		return Keys{}, nil, "", "", fmt.Errorf("store: the sort key %q is not that of an intent marker", k.SK)
	}
	if rt = c.Types.ByName(parts[1]); rt == nil || !rt.IsID(parts[2]) {
		return Keys{}, nil, "", "", fmt.Errorf("store: the intent marker %q names an unknown resource type or ID", k.SK)
	}
	return KeysForEscaped(parts[0]), rt, parts[2], parts[3], nil
}
