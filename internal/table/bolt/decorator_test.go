package bolt

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

func TestOverlappingCallsAreOneRoundTrip(t *testing.T) {
	t.Parallel()
	entered, proceed := make(chan bool), make(chan bool)
	slow := tabletest.Faults{Table: openTest(t, ":memory:"), Before: func(c tabletest.Call) error {
		if c.Method == "Query" {
			entered <- true
			<-proceed
		}
		return nil
	}}
	m := table.Metered{Table: slow}
	ctx, usage := table.WithUsage(t.Context())
	checkRoundTrips := func(want int, when string) {
		t.Helper()
		if got := usage().RoundTrips; got != want {
			t.Errorf("%s: %d round trips, want %d", when, got, want)
		}
	}
	get := func() { _, _ = m.Get(ctx, nil, head) }
	done := make(chan bool)
	for range 3 {
		go func() { _, _ = m.Query(ctx, table.Range{PK: "p"}); done <- true }()
		<-entered
	}
	checkRoundTrips(1, "three calls in progress")
	get()
	checkRoundTrips(1, "after a fourth call at the same time")
	get()
	checkRoundTrips(2, "after a fifth call that followed the fourth")
	for range 3 {
		proceed <- true
		<-done
	}
	get()
	checkRoundTrips(3, "after a call that followed all others")
	if u := usage(); u.Calls != 6 {
		t.Errorf("%d calls, want 6", u.Calls)
	}
}

func TestPartialVisibilityShowsPartOfATransaction(t *testing.T) {
	t.Parallel()
	const n = 5
	ctx := t.Context()
	p := &tabletest.PartialVisibility{Table: openTest(t, ":memory:")}
	var writes []table.Write
	var visible []int
	for i := range n {
		it := table.Item{"PK": table.S("p"), "SK": table.S(fmt.Sprint(i))}
		writes = append(writes, table.Put{Item: it})
	}
	p.Step = func() {
		page, err := p.Query(ctx, table.Range{PK: "p"})
		if err != nil {
			t.Error(err)
		}
		visible = append(visible, len(page.Items))
		ended, cancel := context.WithCancel(ctx)
		cancel()
		var transient *table.TransientError
		if _, err := p.Snapshot(ended, writes[0].Target()); !errors.As(err, &transient) {
			t.Errorf("Snapshot of an item that is being written: %v", err)
		}
	}
	if err := p.Write(ctx, writes...); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(visible), "[0 1 2 3 4]"; got != want {
		t.Errorf("plain reads saw %s items during the Write, want %s", got, want)
	}
	if items, err := p.Snapshot(ctx, writes[0].Target(), writes[4].Target()); err != nil || len(items) != 2 {
		t.Errorf("Snapshot after the Write: %v, %v", items, err)
	}
}

func TestFaultsReplaceTheCallOrTheResponse(t *testing.T) {
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
		t.Errorf("Before: %v", err)
	}
	if items, _ := b.Get(t.Context(), nil, head); len(items) > 0 {
		t.Error("Before returned an error, but the call was made")
	}
	if err := (tabletest.Faults{Table: b, After: fail("Write")}).Write(t.Context(), put(1)); err != lost {
		t.Errorf("After: %v", err)
	}
	if items, _ := b.Get(t.Context(), nil, head); len(items) != 1 {
		t.Error("After returned an error, but the call was not made")
	}
}
