package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"serverless-scim/internal/scim"
)

// A unionSource merges the candidates of several sources with the same kind of order key. It reads each source a little
// further than it has returned.
type unionSource struct {
	engine       *Engine
	sources      []source
	branches     []branch // nil before the first read
	lastOrderKey string   // every buffered candidate comes after this order key
	backward     bool
}

// A branch is what was read of one source.
type branch struct {
	buffered    []candidate
	readThrough position // the position up to which the source was read
	exhausted   bool
}

// newUnion merges sources. A source that occurs twice is read once.
func (e *Engine) newUnion(sources []source) source {
	u, included := &unionSource{engine: e}, map[string]bool{}
	for _, s := range sources {
		if !included[s.String()] {
			included[s.String()], u.sources = true, append(u.sources, s)
		}
	}
	if len(u.sources) == 1 {
		return u.sources[0]
	}
	return u
}

func (s *unionSource) String() string {
	descriptions := make([]string, len(s.sources))
	for i, source := range s.sources {
		descriptions[i] = source.String()
	}
	return strings.Join(descriptions, " or ")
}

func (s *unionSource) hasCheapCount() bool { return false }

func (s *unionSource) count(ctx context.Context) (n int, err error) {
	err = s.engine.forEachCandidate(ctx, s, func(found []candidate) error { n += len(found); return nil })
	return n, err
}

// forEachCandidate calls do with all candidates of a source, a batch at a time.
func (e *Engine) forEachCandidate(ctx context.Context, s source, do func([]candidate) error) error {
	for after, end := (position{}), false; !end; {
		if e.store.DeadlineNear(ctx) {
			return e.tooManyError()
		}
		var found []candidate
		var err error
		if found, end, err = s.next(ctx, after, false, scanBatch); err != nil {
			return err
		}
		if len(found) > 0 {
			after = found[len(found)-1].positionAfter()
		}
		if err := do(found); err != nil {
			return err
		}
	}
	return nil
}

// next refills the branches that have no buffered candidates. It returns the candidates up to the nearest position
// through which a branch was read, because no branch can have an unread candidate before that position. Of many sources,
// it reads only a share of n each.
func (s *unionSource) next(ctx context.Context, after position, backward bool, n int) (found []candidate, end bool, err error) {
	if s.branches == nil || after.Inclusive || after.OrderKey != s.lastOrderKey || backward != s.backward {
		s.branches, s.lastOrderKey, s.backward = make([]branch, len(s.sources)), after.OrderKey, backward
		for i := range s.branches {
			s.branches[i].readThrough = after
		}
	}
	if err := s.refill(ctx, min(n, max(10, 4*n/len(s.sources)))); err != nil {
		return nil, false, err
	}
	for _, b := range s.branches {
		found = append(found, b.buffered...)
	}
	slices.SortFunc(found, s.compareCandidates)
	found = slices.Compact(found)
	for _, b := range s.branches {
		if !b.exhausted {
			found = found[:s.countThrough(found, b.readThrough.OrderKey)]
		}
	}
	if found = found[:min(n, len(found))]; len(found) > 0 {
		s.lastOrderKey = found[len(found)-1].orderKey
	}
	end = true
	for i, b := range s.branches {
		s.branches[i].buffered = b.buffered[s.countThrough(b.buffered, s.lastOrderKey):]
		end = end && b.exhausted && len(s.branches[i].buffered) == 0
	}
	return found, end, nil
}

func (s *unionSource) refill(ctx context.Context, n int) error {
	var calls []func() error
	for i := range s.branches {
		if b := &s.branches[i]; len(b.buffered) == 0 && !b.exhausted {
			calls = append(calls, func() (err error) {
				if b.buffered, b.exhausted, err = s.sources[i].next(ctx, b.readThrough, s.backward, n); len(b.buffered) > 0 {
					b.readThrough = b.buffered[len(b.buffered)-1].positionAfter()
				}
				return err
			})
		}
	}
	return s.engine.store.RunShortReads(calls...)
}

func (s *unionSource) compareCandidates(a, b candidate) int {
	if s.backward {
		a, b = b, a
	}
	return strings.Compare(a.orderKey, b.orderKey)
}

// countThrough returns the number of sorted candidates up to and including an order key.
func (s *unionSource) countThrough(sorted []candidate, orderKey string) int {
	n, exists := slices.BinarySearchFunc(sorted, candidate{orderKey: orderKey}, s.compareCandidates)
	if exists {
		n++
	}
	return n
}

// A mixedOrderSource is the union of a source that is ordered by name and a source that is ordered by ID. It loads all
// candidates and returns them in the order of IDs. If they exceed the scan budget, it falls back to all resources.
type mixedOrderSource struct {
	idSource
	fallback    source
	useFallback bool
}

// errOverBudget reports that the sources of a mixedOrderSource exceed the scan budget.
var errOverBudget = errors.New("query: too many candidates for a union of names and IDs")

func (e *Engine) newMixedOrderSource(rt *scim.ResourceType, x, y source) source {
	load := func(ctx context.Context) (ids []string, err error) {
		seen := map[string]bool{}
		for _, s := range []source{x, y} {
			err := e.forEachCandidate(ctx, s, func(found []candidate) error {
				for _, c := range found {
					if !seen[c.id] {
						seen[c.id], ids = true, append(ids, c.id)
					}
				}
				if len(ids) > e.scanBudget {
					return errOverBudget
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
		return ids, nil
	}
	return &mixedOrderSource{fallback: e.allResources(rt), idSource: idSource{description: fmt.Sprintf("%v or %v", x, y), load: load}}
}

func (s *mixedOrderSource) next(ctx context.Context, after position, backward bool, n int) (found []candidate, end bool, err error) {
	if !s.useFallback {
		if found, end, err = s.idSource.next(ctx, after, backward, n); !errors.Is(err, errOverBudget) {
			return found, end, err
		}
		s.useFallback = true
	}
	return s.fallback.next(ctx, after, backward, n)
}
