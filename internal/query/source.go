package query

import (
	"context"
	"slices"
	"strings"

	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// A position is a point in the result order of a query: directly after a candidate, or directly before it when reading
// backward. The zero position is the beginning.
type position struct {
	Subquery  int    `json:"f,omitempty"`
	OrderKey  string `json:"p,omitempty"` // "": the beginning of the subquery
	Inclusive bool   `json:"w,omitempty"` // the candidate at the position is still to be read
	SortValue any    `json:"k,omitempty"` // of the resource with the ID OrderKey, in a sorted query
}

// A candidate is the ID of a resource that may match, with its order key: the folded name or the ID.
type candidate struct {
	id, orderKey string
	subquery     int // index of the subquery
}

// positionAfter returns the position directly after the candidate.
func (c candidate) positionAfter() position {
	return position{Subquery: c.subquery, OrderKey: c.orderKey}
}

// A source returns the candidates of a subquery in an order that does not change between pages. A source serves one
// request and is not safe for concurrent use.
type source interface {
	// String describes the candidates, for people and tests.
	String() string

	// next returns up to n candidates after a position ("": from the beginning) and reports whether there are no more.
	// If backward, it returns the candidates before the position, last first.
	next(ctx context.Context, after position, backward bool, n int) (found []candidate, end bool, err error)

	// count returns the number of candidates.
	count(ctx context.Context) (int, error)

	// hasCheapCount reports whether count costs less than reading all candidates.
	hasCheapCount() bool
}

const (
	scanBatch       = 1600 // candidates that are read and tested at once
	memberScanBatch = 16   // the same, if all members must be loaded
)

// A rangeSource returns candidates from one partition of the table, in the order of their sort keys.
type rangeSource struct {
	store       *store.Store
	description string
	keyRange    table.Range
	keyPrefix   string // the part of the sort key before the order key
	id          func(table.Item) string
	exists      func(context.Context) (bool, error) // reports whether there are any candidates; nil: yes
	countTotal  func(context.Context) (int, error)  // nil: count the keys
}

func (s *rangeSource) String() string      { return s.description }
func (s *rangeSource) hasCheapCount() bool { return s.countTotal != nil }

func (s *rangeSource) next(ctx context.Context, after position, backward bool, n int) (found []candidate, end bool, err error) {
	if s.exists == nil {
		return s.read(ctx, after, backward, n)
	}
	exists := true
	err = s.store.RunShortReads(
		func() (err error) { exists, err = s.exists(ctx); return err },
		func() (err error) { found, end, err = s.read(ctx, after, backward, n); return err },
	)
	if !exists {
		return nil, true, err
	}
	return found, end, err
}

func (s *rangeSource) read(ctx context.Context, after position, backward bool, n int) (found []candidate, end bool, err error) {
	r := s.keyRange
	if r.Backward = backward; after.OrderKey != "" {
		r.ExclusiveStart = s.keyPrefix + after.OrderKey
	}
	if after.OrderKey != "" && !strings.HasPrefix(r.ExclusiveStart, r.Prefix) { // the position is that of another source of a union
		if (r.ExclusiveStart < r.Prefix) == backward {
			return nil, true, nil
		}
		r.ExclusiveStart = ""
	}
	if after.Inclusive && r.ExclusiveStart != "" { // a Range excludes its start key, so the item at that key is read separately
		items, err := s.store.Table.Get(ctx, r.Attributes, table.Key{PK: r.PK, SK: r.ExclusiveStart})
		if err != nil {
			return nil, false, err
		}
		found = s.appendCandidates(found, items)
	}
	for len(found) < n {
		r.Limit = n - len(found)
		page, err := s.store.Table.Query(ctx, r)
		if err != nil {
			return nil, false, err
		}
		found = s.appendCandidates(found, page.Items)
		if r.ExclusiveStart = page.LastEvaluatedKey.SK; r.ExclusiveStart == "" {
			return found, true, nil
		}
	}
	return found, false, nil
}

func (s *rangeSource) appendCandidates(found []candidate, items []table.Item) []candidate {
	found = slices.Grow(found, len(items))
	for _, it := range items {
		found = append(found, candidate{id: s.id(it), orderKey: strings.TrimPrefix(table.StringValue(it["SK"]), s.keyPrefix)})
	}
	return found
}

func (s *rangeSource) count(ctx context.Context) (int, error) {
	if s.countTotal != nil {
		return s.countTotal(ctx)
	}
	return countRange(ctx, s.store.Table, s.keyRange)
}

// countRange returns the number of items in a range.
func countRange(ctx context.Context, t table.Table, r table.Range) (n int, err error) {
	r.Attributes = []string{"SK"}
	for {
		page, err := t.Query(ctx, r)
		n += len(page.Items)
		if r.ExclusiveStart = page.LastEvaluatedKey.SK; err != nil || r.ExclusiveStart == "" {
			return n, err
		}
	}
}

// An idSource returns candidates that fit in memory, in the order of their IDs.
type idSource struct {
	description string
	load        func(context.Context) ([]string, error)
	ids         []string // the result of load
	loaded      bool
}

func (s *idSource) String() string      { return s.description }
func (s *idSource) hasCheapCount() bool { return false }

func (s *idSource) all(ctx context.Context) (ids []string, err error) {
	if !s.loaded {
		ids, err = s.load(ctx)
		slices.Sort(ids)
		s.ids, s.loaded = slices.Compact(ids), err == nil
	}
	return s.ids, err
}

func (s *idSource) count(ctx context.Context) (int, error) {
	ids, err := s.all(ctx)
	return len(ids), err
}

func (s *idSource) next(ctx context.Context, after position, backward bool, n int) (found []candidate, end bool, err error) {
	ids, err := s.all(ctx)
	at, exists := slices.BinarySearch(ids, after.OrderKey)
	if exists && after.Inclusive == backward {
		at++
	}
	switch {
	case !backward:
		ids = ids[at:]
	case after.OrderKey != "":
		ids = ids[:at]
	}
	if backward {
		ids = slices.Clone(ids)
		slices.Reverse(ids)
	}
	for _, id := range ids[:min(n, len(ids))] {
		found = append(found, candidate{id: id, orderKey: id})
	}
	return found, len(found) == len(ids), err
}
