package tabletest

import (
	"context"
	"time"
	"unsafe"

	"serverless-scim/internal/table"
)

// A Call describes a call to Faults.
type Call struct {
	Method  string      // name of the method of table.Table
	Keys    []table.Key // keys read or written; for Query the partition key only, for Scan none
	Actions []string    // DynamoDB actions that IAM must allow for the call; a transaction needs those of its parts
}

// Faults is a table whose calls fail on demand. If Before returns an error, it is the result of the call, which is not
// made. If After returns an error, it replaces the result of a call that was made. A *table.TransientError from After
// represents a lost response. Both functions may be nil, and must be safe for concurrent use.
type Faults struct {
	table.Table
	Before, After func(Call) error
}

func (f Faults) inject(c Call, do func() error) error {
	if f.Before != nil {
		if err := f.Before(c); err != nil {
			return err
		}
	}
	err := do()
	if f.After != nil {
		if afterErr := f.After(c); afterErr != nil {
			return afterErr
		}
	}
	return err
}

// Get calls Table.Get, unless a fault replaces the call.
func (f Faults) Get(ctx context.Context, attributes []string, keys ...table.Key) (items []table.Item, err error) {
	err = f.inject(Call{"Get", keys, []string{getAction(keys)}}, func() error {
		items, err = f.Table.Get(ctx, attributes, keys...)
		return err
	})
	return items, err
}

// Snapshot calls Table.Snapshot, unless a fault replaces the call.
func (f Faults) Snapshot(ctx context.Context, keys ...table.Key) (items []table.Item, err error) {
	err = f.inject(Call{"Snapshot", keys, []string{"GetItem"}}, func() error {
		items, err = f.Table.Snapshot(ctx, keys...)
		return err
	})
	return items, err
}

// Query calls Table.Query, unless a fault replaces the call.
func (f Faults) Query(ctx context.Context, r table.Range) (p table.Page, err error) {
	err = f.inject(Call{"Query", []table.Key{{PK: r.PK}}, []string{"Query"}}, func() error {
		p, err = f.Table.Query(ctx, r)
		return err
	})
	return p, err
}

// Scan calls Table.Scan, unless a fault replaces the call.
func (f Faults) Scan(ctx context.Context, from table.Key) (p table.Page, err error) {
	err = f.inject(Call{"Scan", nil, []string{"Scan"}}, func() error {
		p, err = f.Table.Scan(ctx, from)
		return err
	})
	return p, err
}

// Write calls Table.Write, unless a fault replaces the call.
func (f Faults) Write(ctx context.Context, writes ...table.Write) error {
	call := Call{"Write", targets(writes), writeActions(writes)}
	return f.inject(call, func() error { return f.Table.Write(ctx, writes...) })
}

// targets returns the keys of the writes. It skips nil writes, which the table rejects.
func targets(writes []table.Write) []table.Key {
	keys := make([]table.Key, 0, len(writes))
	for _, w := range writes {
		if w != nil {
			keys = append(keys, w.Target())
		}
	}
	return keys
}

func getAction(keys []table.Key) string {
	if len(keys) == 1 {
		return "GetItem"
	}
	return "BatchGetItem"
}

func writeActions(writes []table.Write) (actions []string) {
	for _, w := range writes {
		switch w.(type) {
		case table.Put:
			actions = append(actions, "PutItem")
		case table.Update:
			actions = append(actions, "UpdateItem")
		case table.Delete:
			actions = append(actions, "DeleteItem")
		case table.ConditionCheck:
			actions = append(actions, "ConditionCheckItem")
		}
	}
	return actions
}

// SuspendedContext returns a context as on a machine that was suspended until after the deadline. The deadline has
// passed by the wall clock, but not by the monotonic clock, so the context has not ended.
func SuspendedContext(ctx context.Context) context.Context { return suspendedContext{ctx} }

type suspendedContext struct{ context.Context }

func (suspendedContext) Deadline() (time.Time, bool) {
	t := time.Now()
	(*[2]int64)(unsafe.Pointer(&t))[1] += int64(2 * time.Hour) // the monotonic reading, which has no setter
	return t.Add(-time.Hour), true
}
