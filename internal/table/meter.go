package table

import (
	"context"
	"sync"
)

// Usage is the cost of calls to a table. DynamoDB bills request units by the size of whole items (see ItemSize), even
// if a call returns or changes a part of them:
//
//   - A read of an item costs one read unit (RRU) per 4 KB, rounded up, and one if the item does not exist. Get rounds
//     up for each item. Snapshot costs twice as much. Query and Scan round up the total size of the items of a page,
//     returned or not, and cost one for an empty page.
//   - A write costs one write unit (WRU) per 1 KB, rounded up, of the old or the new item, whichever is larger. A
//     Delete of a missing item costs one. Every Write is a transaction, which costs twice as much for each action,
//     including each ConditionCheck.
//   - A transaction whose conditions fail is billed as if it had succeeded. Package bolt counts these units. DynamoDB
//     does not report them, so package dynamo counts only the units of successful calls.
//   - A repeated transaction with the token of a completed one is billed as a read of its items.
//
// Usage does not include storage, backups, and data transfer.
type Usage struct {
	Calls                int     // number of calls
	RoundTrips           int     // calls that waited for an earlier one; overlapping calls count once
	ItemsRead            int     // items returned
	ItemsWritten         int     // items put, updated or deleted
	ReadUnits            float64 // RRU, as billed
	WriteUnits           float64 // WRU, as billed
	Retries              int     // retries by the driver
	TransactionConflicts int     // retries because of a transaction conflict, included in Retries
}

// Prices of a million request units, on demand, in us-east-1, table class Standard, since November 2024.
const (
	dollarsPerMillionRRU = 0.125
	dollarsPerMillionWRU = 0.625
)

// Dollars returns the price of the request units on demand.
func (u Usage) Dollars() float64 {
	return (u.ReadUnits*dollarsPerMillionRRU + u.WriteUnits*dollarsPerMillionWRU) / 1e6
}

type meter struct {
	mu    sync.Mutex
	usage Usage
	depth int // largest depth of a call that has ended; see beginCall
}

type meterKey struct{}

// WithUsage returns a context, and a function that returns the usage so far of calls with this context to a Metered
// table. Both are safe for concurrent use.
func WithUsage(ctx context.Context) (context.Context, func() Usage) {
	m := &meter{}
	return context.WithValue(ctx, meterKey{}, m), func() Usage {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.usage
	}
}

// AddConsumedCapacity adds read and write units to the usage of ctx. Drivers call it.
func AddConsumedCapacity(ctx context.Context, read, write float64) {
	count(ctx, func(m *meter) { m.usage.ReadUnits += read; m.usage.WriteUnits += write })
}

// CountRetry adds a retry to the usage of ctx. conflict reports whether the failed attempt met a transaction conflict.
// Drivers call it.
func CountRetry(ctx context.Context, conflict bool) {
	count(ctx, func(m *meter) {
		if m.usage.Retries++; conflict {
			m.usage.TransactionConflicts++
		}
	})
}

// count calls add with the meter of ctx, if it has one.
func count(ctx context.Context, add func(*meter)) {
	if m, ok := ctx.Value(meterKey{}).(*meter); ok {
		m.mu.Lock()
		defer m.mu.Unlock()
		add(m)
	}
}

// Metered counts the calls to a table in the usage of their context (see WithUsage). Without one, it counts nothing.
type Metered struct{ Table }

// beginCall counts a call. Its depth is one more than the largest depth of the calls that ended before, because it may
// have waited for them. The largest depth is the number of round trips.
func beginCall(ctx context.Context) (end func(read, written int)) {
	depth := 0
	count(ctx, func(m *meter) {
		depth = m.depth + 1
		m.usage.Calls++
		m.usage.RoundTrips = max(m.usage.RoundTrips, depth)
	})
	return func(read, written int) {
		count(ctx, func(m *meter) {
			m.depth = max(m.depth, depth)
			m.usage.ItemsRead += read
			m.usage.ItemsWritten += written
		})
	}
}

// Get counts a call, unless there are no keys.
func (m Metered) Get(ctx context.Context, attributes []string, keys ...Key) ([]Item, error) {
	if len(keys) == 0 {
		return m.Table.Get(ctx, attributes)
	}
	end := beginCall(ctx)
	items, err := m.Table.Get(ctx, attributes, keys...)
	end(len(items), 0)
	return items, err
}

// Snapshot counts a call.
func (m Metered) Snapshot(ctx context.Context, keys ...Key) ([]Item, error) {
	end := beginCall(ctx)
	items, err := m.Table.Snapshot(ctx, keys...)
	end(len(items), 0)
	return items, err
}

// Query counts a call.
func (m Metered) Query(ctx context.Context, r Range) (Page, error) {
	end := beginCall(ctx)
	p, err := m.Table.Query(ctx, r)
	end(len(p.Items), 0)
	return p, err
}

// Scan counts a call.
func (m Metered) Scan(ctx context.Context, from Key) (Page, error) {
	end := beginCall(ctx)
	p, err := m.Table.Scan(ctx, from)
	end(len(p.Items), 0)
	return p, err
}

// Write counts a call.
func (m Metered) Write(ctx context.Context, writes ...Write) error {
	end := beginCall(ctx)
	err := m.Table.Write(ctx, writes...)
	end(0, countChanges(writes, err))
	return err
}

// countChanges returns the number of items that a successful Write changes.
func countChanges(writes []Write, err error) (n int) {
	for _, w := range writes {
		if _, isCheck := w.(ConditionCheck); !isCheck && err == nil {
			n++
		}
	}
	return n
}
