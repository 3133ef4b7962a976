package bolt

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

func TestCallsThatOverlapCountOnce(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan bool), make(chan bool)
	slow := tabletest.Faults{Table: openTest(t, ":memory:"), Before: func(c tabletest.Call) error {
		if c.Method == "Query" {
			entered <- true
			<-leave
		}
		return nil
	}}
	m := table.Metered{Table: slow}
	ctx, usage := table.WithUsage(t.Context())
	waits := func(want int, when string) {
		t.Helper()
		if got := usage().RoundTrips; got != want {
			t.Errorf("%s: %d calls waited for each other, want %d", when, got, want)
		}
	}
	get := func() { _, _ = m.Get(ctx, nil, head) }
	done := make(chan bool)
	for range 3 {
		go func() { _, _ = m.Query(ctx, table.Range{PK: "p"}); done <- true }()
		<-entered
	}
	waits(1, "three calls under way")
	get()
	waits(1, "a fourth beside them")
	get()
	waits(2, "a fifth, after the fourth")
	for range 3 {
		leave <- true
		<-done
	}
	get()
	waits(3, "after all of them")
	if u := usage(); u.Calls != 6 {
		t.Errorf("%d calls, want 6", u.Calls)
	}
}

func TestPartialShowsTransactionsInPart(t *testing.T) {
	t.Parallel()
	const n = 5
	ctx := t.Context()
	p := &tabletest.PartialVisibility{Table: openTest(t, ":memory:")}
	var writes []table.Write
	var seen []int
	for i := range n {
		it := table.Item{"PK": table.S("p"), "SK": table.S(fmt.Sprint(i))}
		writes = append(writes, table.Put{Item: it})
	}
	p.Step = func() {
		page, err := p.Query(ctx, table.Range{PK: "p"})
		if err != nil {
			t.Error(err)
		}
		seen = append(seen, len(page.Items))
		ended, cancel := context.WithCancel(ctx)
		cancel()
		var busy *table.TransientError
		if _, err := p.Snapshot(ended, writes[0].Target()); !errors.As(err, &busy) {
			t.Errorf("a Snapshot of an item that is being written: %v", err)
		}
	}
	if err := p.Write(ctx, writes...); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(seen), "[0 1 2 3 4]"; got != want {
		t.Errorf("plain reads saw %s items on the way, want %s", got, want)
	}
	if items, err := p.Snapshot(ctx, writes[0].Target(), writes[4].Target()); err != nil || len(items) != 2 {
		t.Errorf("a Snapshot afterwards: %v, %v", items, err)
	}
}

func TestFaultsTakeTheCallOrTheAnswer(t *testing.T) {
	t.Parallel()
	lost := &table.TransientError{Err: errors.New("lost")}
	fail := func(method string) func(tabletest.Call) error {
		return func(c tabletest.Call) error {
			if c.Method == method && c.Keys[0] == head {
				return lost
			}
			return nil
		}
	}
	b := openTest(t, ":memory:")
	if err := (tabletest.Faults{Table: b, Before: fail("Write")}).Write(t.Context(), put(1)); err != lost {
		t.Errorf("before: %v", err)
	}
	if items, _ := b.Get(t.Context(), nil, head); len(items) > 0 {
		t.Error("a call that failed before it began was made")
	}
	if err := (tabletest.Faults{Table: b, After: fail("Write")}).Write(t.Context(), put(1)); err != lost {
		t.Errorf("after: %v", err)
	}
	if items, _ := b.Get(t.Context(), nil, head); len(items) != 1 {
		t.Error("a call whose answer got lost was not made")
	}
}
