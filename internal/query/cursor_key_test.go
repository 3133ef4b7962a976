package query_test

import (
	"cmp"
	"crypto/cipher"
	"sync/atomic"
	"testing"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/query"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// A slow read of one tenant's key does not delay other tenants.
func TestEachTenantHasOneCursorKeyThatIsReadOnce(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	blocked, unblock := make(chan bool), make(chan bool)
	var reads atomic.Int32
	process := f.With(func(c *directory.Config) {
		c.Query.Cache = &query.Cache{}
		c.Store.Table = tabletest.Faults{Table: c.Store.Table, Before: func(c tabletest.Call) error {
			if c.Method == "Get" && c.Keys[0].PK == "slow#cursor" {
				blocked <- true
				<-unblock
			}
			if c.Method == "Get" {
				reads.Add(1)
			}
			return nil
		}}
	})
	slow, done := newEngine(process.ForTenant("slow")), make(chan error)
	go func() { _, err := slow.CursorAEAD(t.Context()); done <- err }()
	<-blocked
	aeads := map[string]cipher.AEAD{}
	for _, tenant := range []string{"a", "b", "a#", "a"} {
		aead, err := newEngine(process.ForTenant(tenant)).CursorAEAD(t.Context())
		if earlier := aeads[tenant]; err != nil || earlier != nil && earlier != aead {
			t.Fatalf("%q: another key than before, %v", tenant, err)
		}
		aeads[tenant] = aead
	}
	if n := reads.Load(); n != 3 || len(f.Dump()) != 3 {
		t.Errorf("%d reads of %d keys, want 3 of 3", n, len(f.Dump()))
	}
	unblock <- true
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestConcurrentProcessesUseTheSameCursorKey(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t)).ForTenant("c")
	for _, err := range directorytest.InParallel(8, func(int) error {
		key, err := newEngine(f).LoadOrCreateCursorKey(t.Context())
		isStored := []table.Condition{table.Equals("secret", table.S(key.EncodedKey))}
		return cmp.Or(err, f.Store.Table.Write(t.Context(), table.ConditionCheck{Key: key.Key, If: isStored}))
	}) {
		if err != nil {
			t.Errorf("the key of a process is not the key in the table: %v", err)
		}
	}
}
