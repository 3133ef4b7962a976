package tabletest

import (
	"errors"
	"slices"

	"serverless-scim/internal/table"
)

// lose handles a transaction whose response is lost. At random, the transaction arrives now, later, both, or never.
func (s *Simulation) lose(t *Transaction) {
	t.Request.Unknown = true
	if s.Int(2) == 0 {
		s.late = append(s.late, t)
	}
	if s.Int(2) == 0 {
		s.execute(t)
	}
}

// arrive lets a delayed transaction arrive, or drops it. If its token has expired, the table executes it again, unless
// RejectExpired forbids that.
func (s *Simulation) arrive(i int) {
	t := s.late[i]
	s.late = slices.Delete(s.late, i, i+1)
	if s.Int(4) == 0 {
		return
	}
	if t.tokenExpired && !s.RejectExpired(t.Writes) {
		t = &Transaction{Writes: t.Writes, Request: t.Request, tokenExpired: true}
	}
	wasDone := t.done
	switch err := s.execute(t); {
	case err == errConflict:
		s.late = append(s.late, t)
	case err == nil && !wasDone:
		s.Log("the transaction above arrived late")
		s.Late++
	}
}

var errConflict = errors.New("tabletest: TransactionConflict")

// execute executes a transaction that arrives, unless the table remembers its token.
func (s *Simulation) execute(t *Transaction) error {
	if t.done {
		return nil
	}
	if len(t.Writes) > s.Actions {
		s.Fail("a transaction of %d actions: %s", len(t.Writes), describe(t.Writes))
	}
	places := make([]*place, len(t.Writes))
	before := make([]table.Item, len(t.Writes))
	for i, w := range t.Writes {
		places[i] = s.place(w.Target())
		if before[i] = places[i].item; places[i].writer != nil {
			return errConflict
		}
	}
	after, err := evaluate(t.Writes, before)
	if err != nil {
		return s.omitFailures(err)
	}
	t.done, t.Before, t.After = true, before, after
	slow := s.chance(s.rates.slow)
	for i, p := range places {
		if p.item = after[i]; slow {
			p.writer, s.lagging = t, append(s.lagging, p)
			t.hidden++
		} else {
			s.show(p)
		}
	}
	if s.Trace != nil {
		s.Log("committed: %s", describe(t.Writes))
	}
	s.Committed(t)
	return nil
}

// omitFailures removes some of the failed writes of a ConditionError at random, because DynamoDB does not document that
// it reports all of them.
func (s *Simulation) omitFailures(err error) error {
	var conditionErr *table.ConditionError
	if errors.As(err, &conditionErr) {
		for i := 0; i < s.Actions && len(conditionErr.Items) > 1; i++ {
			if s.Int(4) == 0 {
				delete(conditionErr.Items, i)
			}
		}
	}
	return err
}
