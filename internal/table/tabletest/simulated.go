package tabletest

import (
	"context"
	"errors"
	"slices"

	"serverless-scim/internal/table"
)

// beginCall is the step before a call to the table. The deadline of the request may pass in it.
func (s *Simulation) beginCall(ctx context.Context) error {
	s.step()
	r := s.running.process.request
	if !r.Expired && s.chance(s.rates.expire) {
		s.Log("the deadline of %s passes", s.running.name)
		s.Expired++
		r.Expired = true
	}
	if err := ctx.Err(); err != nil {
		return &table.TransientError{Err: err}
	}
	return nil
}

// Get reads one key after another. Other processes may run in between.
func (s *Simulation) Get(ctx context.Context, attributes []string, keys ...table.Key) (items []table.Item, err error) {
	if err := table.ValidateGet(attributes, keys); err != nil || len(keys) == 0 {
		return nil, err
	}
	if err := s.beginCall(ctx); err != nil {
		return nil, err
	}
	for i, k := range keys {
		if i > 0 && s.Int(3) == 0 {
			s.step()
		}
		p := s.places[k]
		if p == nil {
			continue
		}
		if p.writer != nil {
			s.Stale++
		}
		if p.visible != nil {
			items = append(items, selectAttributes(p.visible, attributes))
		}
	}
	s.random.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	if s.Trace != nil {
		s.Log("%s gets %v of %v: %s", s.running.name, attributes, keys, list(items))
	}
	return items, nil
}

// Snapshot reads the current items. It retries while one of them belongs to a transaction that is not visible.
func (s *Simulation) Snapshot(ctx context.Context, keys ...table.Key) (items []table.Item, err error) {
	if err := table.ValidateKeys(keys, table.MaxTransactionActions); err != nil {
		return nil, err
	}
	for {
		if err := s.beginCall(ctx); err != nil {
			return nil, err
		}
		if !s.hasConflict(keys) {
			break
		}
		s.Conflicts++
	}
	for _, k := range keys {
		if p := s.places[k]; p != nil && p.item != nil {
			items = append(items, p.item)
		}
	}
	if s.Trace != nil {
		s.Log("%s snapshots %v: %s", s.running.name, keys, list(items))
	}
	return items, nil
}

// hasConflict reports whether one of the items belongs to a transaction that is not visible.
func (s *Simulation) hasConflict(keys []table.Key) bool {
	return slices.ContainsFunc(keys, func(k table.Key) bool {
		p := s.places[k]
		return p != nil && p.writer != nil
	})
}

// Query reads a page of random size, one item after another. Other processes may run in between. It reads backward only
// with a Limit of 1.
func (s *Simulation) Query(ctx context.Context, r table.Range) (page table.Page, err error) {
	if err := table.ValidateRange(r); err != nil {
		return page, err
	}
	if r.Backward && r.Limit != 1 {
		return page, errors.New("tabletest: a Simulation reads only one item backward")
	}
	if err := s.beginCall(ctx); err != nil {
		return page, err
	}
	if r.Backward {
		return s.lastInRange(r), nil
	}
	limit := 1 + s.Int(s.rates.page)
	if r.Limit > 0 {
		limit = min(limit, r.Limit)
	}
	from := max(r.Prefix, r.From)
	if r.ExclusiveStart != "" && s.rates.page < 3 && s.Int(8) == 0 {
		page.LastEvaluatedKey = table.Key{PK: r.PK, SK: r.ExclusiveStart} // an empty page before the end
		return page, nil
	}
	for last := r.ExclusiveStart; ; {
		if len(page.Items) > 0 && s.Int(8) == 0 {
			s.step()
		}
		p := s.nextInRange(r, from, last)
		if p == nil {
			break
		}
		page.Items, last = append(page.Items, selectAttributes(p.visible, r.Attributes)), p.SK
		if len(page.Items) == limit {
			page.LastEvaluatedKey = p.Key
			break
		}
	}
	if s.Trace != nil {
		s.Log("%s queries %+v: %s", s.running.name, r, list(page.Items))
	}
	return page, nil
}

// Scan reads a page of random size.
func (s *Simulation) Scan(ctx context.Context, from table.Key) (page table.Page, err error) {
	if err := table.ValidateScan(from); err != nil {
		return page, err
	}
	if err := s.beginCall(ctx); err != nil {
		return page, err
	}
	limit := 1 + s.Int(10*s.rates.page)
	for _, p := range s.sortedPlaces() {
		if p.visible == nil || compareKeys(p.Key, from) <= 0 {
			continue
		}
		if page.Items = append(page.Items, p.visible); len(page.Items) == limit {
			page.LastEvaluatedKey = p.Key
			break
		}
	}
	return page, nil
}

// Write sends a transaction until its outcome is known, each time with the same token.
func (s *Simulation) Write(ctx context.Context, writes ...table.Write) error {
	if err := table.ValidateWrites(writes); err != nil {
		return err
	}
	t := &Transaction{Writes: writes, Request: s.running.process.request, sender: s.running}
	for {
		if err := s.send(ctx, t); err != nil {
			return err
		}
		if s.chance(s.rates.lose) {
			s.Log("the response to %s is lost", s.running.name)
			s.Lost++
			s.lose(t)
			continue
		}
		err := s.execute(t)
		if err == errConflict {
			s.Conflicts++
			continue
		}
		if err == nil && t.hidden > 0 {
			if s.chance(s.rates.expire) {
				t.Request.Expired, t.Request.Unknown = true, true
				return &table.TransientError{Err: context.DeadlineExceeded}
			}
			s.await(t) // other processes may observe part of the transaction
		}
		if s.Trace != nil {
			s.Log("%s receives %s", s.running.name, outcome(err))
		}
		return err
	}
}

// send is the step before a transaction arrives. If the process crashes in it, the transaction may still arrive.
func (s *Simulation) send(ctx context.Context, t *Transaction) error {
	s.running.sending = t
	err := s.beginCall(ctx)
	s.running.sending = nil
	return err
}
