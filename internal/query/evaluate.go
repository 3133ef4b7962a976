package query

import (
	"context"
	"errors"
	"math"
	"slices"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

const (
	testBatchSize    = 100    // resources that are read at once to test them; a document has up to 64 KB
	maxLoadedMembers = 10_000 // members that are held at once to test groups, unless one group has more

	// A snapshot read returns at most 4 MB, and a head item has up to 64 KB of document and 42 KB of group IDs.
	maxSnapshotHeads = 30
)

// A match is a candidate with its resource. After the test, it matches the query.
type match struct {
	resource  store.ResourceState
	candidate candidate
	sortValue any // nil: the query is not sorted
}

// positionAfter returns the position directly after the match.
func (m match) positionAfter() position {
	p := m.candidate.positionAfter()
	p.SortValue = m.sortValue
	return p
}

func states(matches []match) []store.ResourceState {
	states := make([]store.ResourceState, len(matches))
	for i, m := range matches {
		states[i] = m.resource
	}
	return states
}

// filterCandidates returns which of the candidates match, in their order. It tests batches concurrently, except if it must
// load all members: then it tests one batch after the other, which bounds the members in memory. The batches share the
// evaluation budget equally, so the result does not depend on their timing. tested is the number of leading candidates that
// were tested; it is less than all if the budget is spent.
func (x *execution) filterCandidates(ctx context.Context, candidates []candidate) (found []match, tested int, err error) {
	var calls []func() error
	batches := x.batches(candidates)
	all, counts := make([][]match, len(batches)), make([]int, len(batches))
	evaluations := make([]*scim.Evaluation, len(batches))
	for i, batch := range batches {
		counts[i], evaluations[i] = len(batch), x.newEvaluation(ctx, len(batches))
		calls = append(calls, func() (err error) {
			all[i], err = x.evaluate(ctx, &x.subqueries[batch[0].subquery], batch, evaluations[i])
			if over, ok := errors.AsType[*overBudgetError](err); ok {
				counts[i], err = slices.Index(batch, over.candidate), nil
			}
			return err
		})
	}
	run := x.engine.store.RunConcurrently
	if x.needsAllMembers() {
		run = store.RunSequentially
	}
	err = run(calls...)
	for i, complete := 0, true; i < len(batches); i++ {
		if x.remainingBytes -= evaluations[i].Used(); complete {
			found, tested, complete = append(found, all[i]...), tested+counts[i], counts[i] == len(batches[i])
		}
	}
	return found, tested, err
}

// newEvaluation returns an evaluation with 1/n of the remaining budget. Unless the plan is exact, it ends near the deadline.
func (x *execution) newEvaluation(ctx context.Context, n int) *scim.Evaluation {
	stop := func() bool { return !x.exact && x.engine.store.DeadlineNear(ctx) }
	return scim.NewEvaluation(ctx, x.remainingBytes/n, stop)
}

// An overBudgetError reports the first candidate that was not tested, because the evaluation budget is spent.
type overBudgetError struct {
	candidate
	error // for the client
}

func (e *overBudgetError) Unwrap() error { return e.error }

// batches splits candidates where another subquery begins and where a batch is full.
func (x *execution) batches(candidates []candidate) (batches [][]candidate) {
	begin := 0
	for i := range candidates {
		s := &x.subqueries[candidates[i].subquery]
		isLast := i+1 == len(candidates) || candidates[i+1].subquery != candidates[i].subquery
		if isLast || i+1-begin == s.batchSize(x.engine.store.Limits.SnapshotEdges) {
			batches, begin = append(batches, candidates[begin:i+1]), i+1
		}
	}
	return batches
}

// batchSize returns the number of candidates that are read at once. With edge items, they must fit one snapshot read.
func (s *subquery) batchSize(snapshotEdges int) int {
	if s.reads.onlyNamedEdges() {
		return max(1, min(maxSnapshotHeads, (snapshotEdges+1)/(1+len(s.reads.memberIDs))))
	}
	return testBatchSize
}

// evaluate reads candidates of one subquery and returns those that match. It tests the candidates of an exact plan, too: a
// plain read may show an index item before the resource has the value, or after the resource has lost it.
func (x *execution) evaluate(ctx context.Context, s *subquery, candidates []candidate, e *scim.Evaluation) ([]match, error) {
	states, err := x.engine.loadStates(ctx, s, candidates)
	matches := joinStates(candidates, states)
	switch {
	case err != nil || s.matches == nil && s.sorter == nil && !s.plan.orderedByName:
		return matches, err
	case s.reads.allMembers:
		return x.evaluateWithMembers(ctx, s, matches, e)
	}
	return x.engine.evaluateAll(ctx, s, matches, e)
}

// evaluateWithMembers loads the members of groups and returns the groups that match. Members count toward the scan budget.
func (x *execution) evaluateWithMembers(ctx context.Context, s *subquery, all []match, e *scim.Evaluation) (found []match, err error) {
	for len(all) > 0 {
		n, members := 0, 0
		for ; n < len(all) && (n == 0 || members+int(all[n].resource.Head.MaxMemberCount()) <= maxLoadedMembers); n++ {
			members += int(all[n].resource.Head.MaxMemberCount())
		}
		x.remainingBudget -= members
		loaded, err := x.engine.store.LoadMembers(ctx, states(all[:n]), func(*scim.ResourceType) bool { return true })
		if err != nil {
			return nil, err
		}
		batch := all[:0]
		for i, r := range loaded {
			if r.Head != nil {
				batch = append(batch, match{resource: r, candidate: all[i].candidate})
			}
		}
		batch, err = x.engine.evaluateAll(ctx, s, batch, e)
		for _, m := range batch {
			m.resource.Members = nil // release the memory
			found = append(found, m)
		}
		if err != nil {
			return found, err
		}
		all = all[n:]
	}
	return found, nil
}

// evaluateAll returns the resources that match. With an overBudgetError, it returns those before the error's candidate.
func (e *Engine) evaluateAll(ctx context.Context, s *subquery, all []match, evaluation *scim.Evaluation) (found []match, err error) {
	names := store.DisplayNames{}
	if s.reads.displayNames {
		if names, err = e.store.ReadDisplayNamesFor(ctx, math.MaxInt, states(all)...); err != nil {
			return nil, err
		}
	}
	for _, m := range all {
		ok, err := e.evaluateOne(s, &m, names, evaluation)
		if err == scim.ErrOverBudget {
			return found, &overBudgetError{m.candidate, e.tooManyError()}
		}
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, m)
		}
	}
	return found, nil
}

// evaluateOne reports whether a resource matches, and sets its sort value.
func (e *Engine) evaluateOne(s *subquery, m *match, names store.DisplayNames, evaluation *scim.Evaluation) (bool, error) {
	if err := evaluation.Next(); err != nil {
		return false, err
	}
	o, err := e.store.BuildObject(e.baseURL, m.resource, names, s.needsMeta)
	if err != nil {
		return false, err
	}
	if s.sorter == nil && s.plan.orderedByName {
		// While a resource is renamed, both names may lead to it. It counts at the name in its head item.
		name, _ := o[s.rt.Storage.NameAttribute].(string)
		if m.candidate.orderKey != store.NamePrefix(s.rt)+scim.Fold(name) {
			return false, nil
		}
	}
	if s.sorter != nil {
		m.sortValue = s.sorter.SortValue(o)
	}
	return s.matches == nil || s.matches(evaluation, o), evaluation.Err()
}

// loadStates reads what the test of the candidates needs, except for whole member lists. It leaves out candidates that
// are not visible.
func (e *Engine) loadStates(ctx context.Context, s *subquery, candidates []candidate) ([]store.ResourceState, error) {
	ids := make([]string, len(candidates))
	for i, c := range candidates {
		ids[i] = c.id
	}
	if s.reads.onlyNamedEdges() {
		return e.loadWithEdges(ctx, s.rt, ids, s.reads.memberIDs)
	}
	return e.store.ReadHeads(ctx, s.rt, ids)
}

// loadWithEdges reads groups and which of the IDs are their members, each group from one version. A member that is being
// deleted counts as no member. A separate read finds such members, which is safe because a delete is never undone.
func (e *Engine) loadWithEdges(ctx context.Context, rt *scim.ResourceType, ids, members []string) (states []store.ResourceState, err error) {
	var keys []table.Key
	ids = slices.Compact(slices.Sorted(slices.Values(ids))) // an ID repeats while its resource is renamed
	for _, id := range ids {
		keys = append(keys, e.store.Keys.Head(rt, id))
		for _, m := range members {
			keys = append(keys, e.store.Keys.Edge(rt, id, m))
		}
	}
	var items []table.Item
	var names store.DisplayNames
	err = e.store.RunShortReads(
		func() (err error) { names, err = e.store.ReadDisplayNames(ctx, members); return err },
		func() (err error) { items, err = e.store.Table.Snapshot(ctx, keys...); return err },
	)
	if err != nil {
		return nil, err
	}
	byKey := map[table.Key]table.Item{}
	for _, it := range items {
		byKey[it.Key()] = it
	}
	for _, id := range ids {
		r := store.ResourceState{Type: rt, ID: id}
		if it := byKey[e.store.Keys.Head(rt, id)]; it == nil {
			continue
		} else if r.Head, err = store.VisibleHead(it); err != nil {
			return nil, err
		}
		for _, m := range members {
			if byKey[e.store.Keys.Edge(rt, id, m)] != nil {
				r.Members = append(r.Members, m)
			}
		}
		if r.Head != nil && r.Head.PendingChange != "" { // the pending change has taken effect, but its edge items are not all written
			if r.Head, r.Members, err = e.store.ReadMemberships(ctx, rt, id, members); err != nil {
				return nil, err
			}
		}
		r.Members = store.Exclude(r.Members, names.Missing)
		if r.Head != nil {
			states = append(states, r)
		}
	}
	return states, nil
}

// joinStates returns a match for each candidate that has a state, in the order of the candidates. Several candidates may
// have the same ID.
func joinStates(candidates []candidate, states []store.ResourceState) (all []match) {
	byID := make(map[string]store.ResourceState, len(states))
	for _, r := range states {
		byID[r.ID] = r
	}
	all = make([]match, 0, len(states))
	for _, c := range candidates {
		if r := byID[c.id]; r.Head != nil {
			all = append(all, match{resource: r, candidate: c})
		}
	}
	return all
}
