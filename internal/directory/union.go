package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"serverless-scim/internal/scim"
)

// unionSource is what at least one of several sources gives, whose places are of one kind. Each it has read a little further than
// it has given.
type unionSource struct {
	*Store
	sources      []source
	branches     []branch
	lastOrderKey string // all that is left in them is behind this place
	backward     bool
}

// branch is one of the sources as far as it was read.
type branch struct {
	buffered    []candidate
	readThrough mark // up to which it was read
	exhausted   bool
}

// newUnion makes one source of several; what is said twice is read once.
func (d *Store) newUnion(of []source) source {
	u, said := &unionSource{Store: d}, map[string]bool{}
	for _, s := range of {
		if !said[s.String()] {
			said[s.String()], u.sources = true, append(u.sources, s)
		}
	}
	if len(u.sources) == 1 {
		return u.sources[0]
	}
	return u
}

func (s *unionSource) String() string {
	said := make([]string, len(s.sources))
	for i, one := range s.sources {
		said[i] = one.String()
	}
	return strings.Join(said, " or ")
}

func (s *unionSource) hasCheapCount() bool { return false }

func (s *unionSource) count(ctx context.Context) (n int, err error) {
	err = s.forEachCandidate(ctx, s, func(found []candidate) error { n += len(found); return nil })
	return n, err
}

// forEachCandidate goes through all that a source gives.
func (d *Store) forEachCandidate(ctx context.Context, s source, do func([]candidate) error) error {
	for after, end := (mark{}), false; !end; {
		if d.DeadlineNear(ctx) {
			return d.tooManyError()
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

// next reads on where nothing is left, of few sources what may be needed and of many a share, and gives what none can have
// more before.
func (s *unionSource) next(ctx context.Context, after mark, backward bool, n int) (found []candidate, end bool, err error) {
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
	return s.RunShortReads(calls...)
}

func (s *unionSource) compareCandidates(a, b candidate) int {
	if s.backward {
		a, b = b, a
	}
	return strings.Compare(a.orderKey, b.orderKey)
}

// countThrough is how many candidates are not behind a place.
func (s *unionSource) countThrough(some []candidate, place string) int {
	n, there := slices.BinarySearchFunc(some, candidate{orderKey: place}, s.compareCandidates)
	if there {
		n++
	}
	return n
}

// mixedOrderSource is what one of two sources gives, or both, whose places are not of one kind: all of it is found before, in the
// order of ids; or everybody in that order, if it is more than a request tests.
type mixedOrderSource struct {
	idSource
	fallback    source
	useFallback bool
}

// errOverBudget says that both sources together give more than a request tests.
var errOverBudget = errors.New("directory: too many names or ids")

func (d *Store) newMixedOrderSource(rt *scim.ResourceType, x, y source) source {
	return &mixedOrderSource{fallback: d.allResources(rt), idSource: idSource{description: fmt.Sprintf("%v or %v", x, y), load: func(ctx context.Context) (ids []string, err error) {
		met := map[string]bool{}
		for _, s := range []source{x, y} {
			err := d.forEachCandidate(ctx, s, func(found []candidate) error {
				for _, c := range found {
					if !met[c.id] {
						met[c.id], ids = true, append(ids, c.id)
					}
				}
				if len(ids) > d.scanBudget() {
					return errOverBudget
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
		return ids, nil
	}}}
}

func (s *mixedOrderSource) next(ctx context.Context, after mark, backward bool, n int) (found []candidate, end bool, err error) {
	if !s.useFallback {
		if found, end, err = s.idSource.next(ctx, after, backward, n); !errors.Is(err, errOverBudget) {
			return found, end, err
		}
		s.useFallback = true
	}
	return s.fallback.next(ctx, after, backward, n)
}
