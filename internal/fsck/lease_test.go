package fsck_test

import (
	"errors"
	"testing"
	"time"

	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/fsck"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

var leaseKey = table.Key{PK: "fsck", SK: "lease"}

// repairExclusively runs an exclusive repair of f with a clock.
func repairExclusively(f *directorytest.Fixture, now time.Time) (fsck.Summary, error) {
	c := f.Config.Store
	c.Now = func() time.Time { return now }
	return fsck.Checker{Config: c, Repair: true, Report: func(fsck.Finding) {}}.RunExclusive(f.Ctx)
}

// isLeaseError reports whether an error is a *fsck.LeaseError.
func isLeaseError(err error) bool {
	e := (*fsck.LeaseError)(nil)
	return errors.As(err, &e)
}

// While a repair runs, another one is an error, and a run without repair is none. The lease item disturbs no check, and
// is deleted at the end, also after an error.
func TestRepairsExcludeEachOther(t *testing.T) {
	t.Parallel()
	f, now, failure := directorytest.New(t, directorytest.NewTable(t)), time.Unix(1e9, 0), errors.New("the table is missing")
	f.NewUser("u")
	scans := 0
	during := f.Over(tabletest.Faults{Table: f.Config.Store.Table, Before: func(c tabletest.Call) error {
		if c.Method != "Scan" {
			return nil
		}
		if scans++; scans > 1 {
			return failure
		}
		if _, err := repairExclusively(f, now.Add(4*time.Minute)); !isLeaseError(err) {
			t.Errorf("a second repair: %v", err)
		}
		if f.Dump()[leaseKey] == nil {
			t.Error("the lease item is missing")
		}
		if lines := runFsck(f, "", false); lines != nil {
			t.Errorf("a check during the repair: %q", lines)
		}
		f.CheckInvariants()
		return nil
	}})
	if s, err := repairExclusively(during, now); err != nil || s.Tenants != 1 || s.Items == 0 || s.Findings > 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := repairExclusively(during, now); !errors.Is(err, failure) {
		t.Errorf("got %v, want %v", err, failure)
	}
	if it := f.Dump()[leaseKey]; it != nil {
		t.Errorf("the lease item remains: %v", it)
	}
	if _, err := repairExclusively(f, now); err != nil {
		t.Error(err)
	}
}

// The lease of a killed repair expires after five minutes. A repair that loses its lease ends, and leaves the lease of
// the other.
func TestExpiredLeaseIsReplaced(t *testing.T) {
	t.Parallel()
	f, now := directorytest.New(t, directorytest.NewTable(t)), time.Unix(1e9, 0)
	stale := table.Item{"PK": table.S("fsck"), "SK": table.S("lease"), "owner": table.S("x"), "expires": table.N(now.Unix())}
	write := func(writes ...table.Write) {
		if err := f.Config.Store.Table.Write(f.Ctx, writes...); err != nil {
			t.Fatal(err)
		}
	}
	write(table.Put{Item: stale})
	if _, err := repairExclusively(f, now.Add(-time.Second)); !isLeaseError(err) {
		t.Errorf("before the lease expires: %v", err)
	}
	if _, err := repairExclusively(f, now); err != nil {
		t.Errorf("after the lease has expired: %v", err)
	}

	c, scans := f.Config.Store, 0
	c.Now = func() time.Time { return now }
	c.Table = tabletest.Faults{Table: c.Table, Before: func(call tabletest.Call) error {
		if call.Method == "Scan" {
			scans++
			now = now.Add(6 * time.Minute)
			write(table.Put{Item: stale})
		}
		return nil
	}}
	write(table.Put{Item: table.Item{"PK": table.S("test#User"), "SK": table.S("userName#stray"),
		"id": table.S("u00000000000000000000000000")}})
	check := fsck.Checker{Config: c, Repair: true, Report: func(f fsck.Finding) { t.Errorf("repaired without a lease: %s", f) }}
	if _, err := check.RunExclusive(f.Ctx); !isLeaseError(err) || scans != 1 {
		t.Errorf("got %v after %d scans, want a lost lease", err, scans)
	}
	if it := f.Dump()[leaseKey]; it == nil || !table.Equals("owner", table.S("x")).Holds(it) {
		t.Errorf("the lease of the other repair is %v", it)
	}
}

// A long repair renews its lease.
func TestLongRepairRenewsItsLease(t *testing.T) {
	t.Parallel()
	f, now := directorytest.New(t, directorytest.NewTable(t)), time.Unix(1e9, 0)
	c, reads := f.Config.Store, 0
	c.Now = func() time.Time { return now }
	c.Table = tabletest.Faults{Table: c.Table, Before: func(call tabletest.Call) error {
		if call.Method == "Scan" || call.Method == "Snapshot" {
			if reads++; reads > 1 {
				if _, err := repairExclusively(f, now.Add(2*time.Minute)); !isLeaseError(err) {
					t.Errorf("a second repair at %v: %v", now, err)
				}
			}
			now = now.Add(time.Minute)
		}
		return nil
	}}
	for _, name := range []string{"a", "b", "c"} {
		it := table.Item{"PK": table.S("test#User"), "SK": table.S("userName#" + name), "id": table.S("u00000000000000000000000000")}
		if err := f.Config.Store.Table.Write(f.Ctx, table.Put{Item: it}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := fsck.Checker{Config: c, Repair: true, Report: func(fsck.Finding) {}}.RunExclusive(f.Ctx)
	if err != nil || s.Repaired != 3 || reads < 3 {
		t.Errorf("%+v, %v after %d reads", s, err, reads)
	}
}
