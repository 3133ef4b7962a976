package table

import (
	"context"
	"sync"
)

// Usage is what calls to a table cost. DynamoDB bills request units by the size of whole items, as Size counts it,
// whatever a call shows or changes of them:
//
//   - A read of an item takes one RRU for every 4 KB begun, and one where there is no item. So Get, each item by itself.
//     A Snapshot takes twice that, for each key. A Query or a Scan adds up what it reads in a page, shown or not, and takes
//     one RRU for every 4 KB begun of the sum, and one for an empty page.
//   - A write takes one WRU for every 1 KB begun of the item as it was or as it becomes, whichever is larger; a Delete of
//     what is not there takes one. All writes here are transactions, which take twice that for every action, Checks too.
//   - A transaction that is refused is billed as if it had happened. Only the embedded table can tell how much:
//     DynamoDB's error does not, so that there the units of a Usage are those of the calls that succeeded.
//   - The repetition of a transaction with its token, once that has happened, is billed as a read of its items.
//
// Storage, backups and data transfer are not in it.
type Usage struct {
	Calls                int     // made
	RoundTrips           int     // of them, those that waited for each other: calls that overlap count once
	ItemsRead            int     // brought back
	ItemsWritten         int     // put, updated or deleted
	ReadUnits            float64 // RRU, as billed
	WriteUnits           float64 // WRU, as billed
	Retries              int     // by the driver
	TransactionConflicts int     // of them, those because of another transaction
}

// What AWS asks for a million request units on demand: us-east-1, table class Standard, since November 2024.
const (
	dollarsPerMillionRRU = 0.125
	dollarsPerMillionWRU = 0.625
)

// Dollars is the price of the request units on demand.
func (u Usage) Dollars() float64 {
	return (u.ReadUnits*dollarsPerMillionRRU + u.WriteUnits*dollarsPerMillionWRU) / 1e6
}

type meter struct {
	mu    sync.Mutex
	usage Usage
	depth int // of the deepest call that has ended
}

type meterKey struct{}

// WithUsage returns a context whose calls to a Metered table are counted, and what has been counted so far. It is
// safe for calls that run at the same time.
func WithUsage(ctx context.Context) (context.Context, func() Usage) {
	m := &meter{}
	return context.WithValue(ctx, meterKey{}, m), func() Usage {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.usage
	}
}

// AddConsumedCapacity adds capacity units. Drivers call it; DynamoDB does not tell them what a refused transaction has cost.
func AddConsumedCapacity(ctx context.Context, read, write float64) {
	count(ctx, func(m *meter) { m.usage.ReadUnits += read; m.usage.WriteUnits += write })
}

// CountRetry counts an attempt after the first, and whether another transaction was what stood in the way of the one before.
// Drivers call it.
func CountRetry(ctx context.Context, conflict bool) {
	count(ctx, func(m *meter) {
		if m.usage.Retries++; conflict {
			m.usage.TransactionConflicts++
		}
	})
}

func count(ctx context.Context, f func(*meter)) {
	if m, ok := ctx.Value(meterKey{}).(*meter); ok {
		m.mu.Lock()
		defer m.mu.Unlock()
		f(m)
	}
}

// Metered counts the calls to a table in the Usage of their context.
type Metered struct{ Table }

// beginCall counts a call as one step deeper than the deepest that had ended before it: it may have waited for that one.
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

// Get counts a call, unless there is nothing to read.
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

func countChanges(writes []Write, err error) (n int) {
	for _, w := range writes {
		if _, check := w.(ConditionCheck); !check && err == nil {
			n++
		}
	}
	return n
}
