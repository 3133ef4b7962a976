package tabletest

import (
	"context"
	"time"
	"unsafe"

	"serverless-scim/internal/table"
)

// Call is what a Fault may look at: the method's name, and the keys it reads or writes. A Query has its partition
// alone, a Scan nothing. Actions are those that IAM has to allow for it where the table is in DynamoDB, which knows no
// actions for transactions: what is in them is allowed as if it stood alone.
type Call struct {
	Method  string
	Keys    []table.Key
	Actions []string
}

// Faults is a table whose calls fail on demand. An error of Before takes the place of the call, which is not made; an
// error of After takes the place of the answer to a call that was: *table.Busy stands for one that got lost. Both are
// optional, and called by many goroutines at a time.
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
		if lost := f.After(c); lost != nil {
			return lost
		}
	}
	return err
}

// Get is Table's, between faults.
func (f Faults) Get(ctx context.Context, attributes []string, keys ...table.Key) (items []table.Item, err error) {
	err = f.inject(Call{"Get", keys, []string{getAction(keys)}}, func() error { items, err = f.Table.Get(ctx, attributes, keys...); return err })
	return items, err
}

// Snapshot is Table's, between faults.
func (f Faults) Snapshot(ctx context.Context, keys ...table.Key) (items []table.Item, err error) {
	err = f.inject(Call{"Snapshot", keys, []string{"GetItem"}}, func() error { items, err = f.Table.Snapshot(ctx, keys...); return err })
	return items, err
}

// Query is Table's, between faults.
func (f Faults) Query(ctx context.Context, r table.Range) (p table.Page, err error) {
	err = f.inject(Call{"Query", []table.Key{{PK: r.PK}}, []string{"Query"}}, func() error { p, err = f.Table.Query(ctx, r); return err })
	return p, err
}

// Scan is Table's, between faults.
func (f Faults) Scan(ctx context.Context, from table.Key) (p table.Page, err error) {
	err = f.inject(Call{"Scan", nil, []string{"Scan"}}, func() error { p, err = f.Table.Scan(ctx, from); return err })
	return p, err
}

// Write is Table's, between faults.
func (f Faults) Write(ctx context.Context, writes ...table.Write) error {
	return f.inject(Call{"Write", targets(writes), writeActions(writes)}, func() error { return f.Table.Write(ctx, writes...) })
}

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

// SuspendedContext is a context as a machine finds it that slept until after the deadline: over by the wall clock, but not by
// the monotonic one, by which it would end.
func SuspendedContext(ctx context.Context) context.Context { return suspended{ctx} }

type suspended struct{ context.Context }

func (suspended) Deadline() (time.Time, bool) {
	t := time.Now()
	(*[2]int64)(unsafe.Pointer(&t))[1] += int64(2 * time.Hour) // the monotonic reading, which has no other handle
	return t.Add(-time.Hour), true
}
