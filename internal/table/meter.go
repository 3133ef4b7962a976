package table

import (
	"context"
	"sync"
)

// Usage is what calls to a table cost.
type Usage struct {
	Calls        int     // made
	Waits        int     // of them, those that waited for each other: calls that overlap count once
	ItemsRead    int     // brought back
	ItemsWritten int     // put, updated or deleted
	ReadUnits    float64 // RRU, as billed
	WriteUnits   float64 // WRU, as billed
	Retries      int     // by the driver
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

// Charge adds capacity units. Drivers call it; DynamoDB does not tell them what a refused transaction has cost.
func Charge(ctx context.Context, read, write float64) {
	count(ctx, func(m *meter) { m.usage.ReadUnits += read; m.usage.WriteUnits += write })
}

// Retried counts an attempt after the first. Drivers call it.
func Retried(ctx context.Context) {
	count(ctx, func(m *meter) { m.usage.Retries++ })
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

// begin counts a call as one step deeper than the deepest that had ended before it: it may have waited for that one.
func begin(ctx context.Context) (end func(read, written int)) {
	depth := 0
	count(ctx, func(m *meter) {
		depth = m.depth + 1
		m.usage.Calls++
		m.usage.Waits = max(m.usage.Waits, depth)
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
	end := begin(ctx)
	items, err := m.Table.Get(ctx, attributes, keys...)
	end(len(items), 0)
	return items, err
}

// Snapshot counts a call.
func (m Metered) Snapshot(ctx context.Context, keys ...Key) ([]Item, error) {
	end := begin(ctx)
	items, err := m.Table.Snapshot(ctx, keys...)
	end(len(items), 0)
	return items, err
}

// Query counts a call.
func (m Metered) Query(ctx context.Context, r Range) (Page, error) {
	end := begin(ctx)
	p, err := m.Table.Query(ctx, r)
	end(len(p.Items), 0)
	return p, err
}

// Scan counts a call.
func (m Metered) Scan(ctx context.Context, segment, of int, from Key) (Page, error) {
	end := begin(ctx)
	p, err := m.Table.Scan(ctx, segment, of, from)
	end(len(p.Items), 0)
	return p, err
}

// Write counts a call.
func (m Metered) Write(ctx context.Context, writes ...Write) error {
	end := begin(ctx)
	err := m.Table.Write(ctx, writes...)
	end(0, changes(writes, err))
	return err
}

func changes(writes []Write, err error) (n int) {
	for _, w := range writes {
		if _, check := w.(Check); !check && err == nil {
			n++
		}
	}
	return n
}
