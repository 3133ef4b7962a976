package directory

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// How old what is unfinished must be before its writer is taken for dead. A writer that lives is not harmed.
const (
	finishAfter = 30 * time.Second // with a change that has taken effect, and with a delete
	abortAfter  = 20 * time.Minute // in a change that may still take effect
)

// SweepResult is what a sweep did.
type SweepResult struct {
	Changes, Deletes int           // finished
	Aborted          int           // changes that had not taken effect
	Unfinished       int           // still unfinished: young, busy, or damaged
	OldestCommitted  time.Duration // age of the oldest change or delete that has taken effect and is left
	OldestPrepared   time.Duration // age of the oldest change that is only prepared and is left
}

// Sweep finishes what requests of all tenants left unfinished: their deadline came, or they died. Any number of sweeps
// may run at once, and beside requests. What cannot be finished, or not before the deadline, is left to the next; an
// error is one of the table.
func Sweep(ctx context.Context, c Config) (SweepResult, error) {
	s := sweeper{Store: c.Unscoped()}
	r := table.Range{PK: IntentPartition}
	for {
		page, err := s.Table.Query(ctx, r)
		if err != nil {
			return s.result, err
		}
		var calls []func() error
		for _, it := range page.Items {
			calls = append(calls, func() error { s.processIntent(ctx, it); return nil })
		}
		s.RunConcurrently(calls...)
		if r.ExclusiveStart = page.LastEvaluatedKey.SK; r.ExclusiveStart == "" || s.DeadlineNear(ctx) {
			return s.result, nil
		}
	}
}

type sweeper struct {
	*Store
	mu     sync.Mutex
	result SweepResult
}

// processIntent does what a marker asks for, if it is old enough.
func (s *sweeper) processIntent(ctx context.Context, it table.Item) {
	var m IntentMarker
	err := UnmarshalItem(it, &m)
	if m.State == StateSwept {
		return
	}
	done, age := false, max(0, s.Now().Sub(time.Unix(m.StartedAt, 0)))
	if err == nil && age >= m.minAge() && !s.DeadlineNear(ctx) {
		done, err = s.finishIntent(ctx, m)
	}
	if err != nil && !IsTransient(err) { // it must not keep the sweep from the rest
		s.Log.ErrorContext(ctx, "cannot finish", "marker", m.SK, "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !done:
		s.result.Unfinished++
		if m.State == StatePrepared || m.State == StateAborted {
			s.result.OldestPrepared = max(s.result.OldestPrepared, age)
		} else {
			s.result.OldestCommitted = max(s.result.OldestCommitted, age)
		}
	case m.State == StateCommitted:
		s.result.Changes++
	case m.State == "":
		s.result.Deletes++
	default:
		s.result.Aborted++
	}
}

// minAge is the age at which a sweep takes it up.
func (m IntentMarker) minAge() time.Duration {
	switch m.State {
	case StatePrepared:
		return abortAfter
	case StateAborted:
		return 0
	}
	return finishAfter
}

func (s *sweeper) finishIntent(ctx context.Context, m IntentMarker) (done bool, err error) {
	tenant, rt, id, change, err := s.parseIntentKey(m.Key)
	if err != nil {
		return false, err
	}
	d := s.Config.ForTenant(Keys{tenant}, "")
	switch m.State {
	case "":
		return d.FinishDelete(ctx, rt, id, nil)
	case StateCommitted:
		err := d.FinishChange(ctx, rt, id, change)
		return err == nil, err
	default:
		tooLate, err := d.abort(ctx, rt, id, change, m.ChangeItems)
		return err == nil && !tooLate, err
	}
}

// parseIntentKey is the resource, and the change if it is one, that a marker's key names.
func (c Config) parseIntentKey(k table.Key) (tenant string, rt *scim.ResourceType, id, change string, err error) {
	part := append(strings.Split(k.SK, "#"), "")
	if len(part) < 4 || len(part) > 5 {
		return "", nil, "", "", fmt.Errorf("directory: the key %q is no marker's", k.SK)
	}
	if rt = c.Types.ByName(part[1]); rt == nil || !rt.IsID(part[2]) {
		return "", nil, "", "", fmt.Errorf("directory: the marker %q is of no resource that is known here", k.SK)
	}
	return part[0], rt, part[2], part[3], nil
}
