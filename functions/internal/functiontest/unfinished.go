package functiontest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// LeaveUnfinished leaves what a process leaves that died at a time: a new group, and the delete of another, that have taken
// effect and whose 60 memberships each are still to be written and removed.
func LeaveUnfinished(t *testing.T, tab table.Table, tenant string, at time.Time) {
	t.Helper()
	var writes atomic.Int64 // that are left to live
	types := scim.StandardTypes()
	d := directory.New(directory.Config{
		Table: tabletest.Faults{Table: tab, Before: func(c tabletest.Call) error {
			if c.Method == "Write" && writes.Add(-1) < 0 {
				return errors.New("died")
			}
			return nil
		}},
		Types: types, Now: func() time.Time { return at }, Random: rand.Reader, Log: slog.New(slog.DiscardHandler),
	}, tenant, "")
	ctx, user, group := context.Background(), types.ByName("User"), types.ByName("Group")
	create := func(rt *scim.ResourceType, o scim.Object) string {
		r, err := d.Create(ctx, rt, o, scim.Projection{})
		if err != nil {
			t.Fatal(err)
		}
		return r.ID()
	}
	writes.Store(1000)
	var members []any
	for i := range 60 {
		id := create(user, scim.Object{"userName": fmt.Sprint("unfinished", i)})
		members = append(members, scim.Object{"value": id})
	}
	gone := create(group, scim.Object{"displayName": "gone", "members": members})
	writes.Store(1) // the one by which a change or a delete takes effect
	create(group, scim.Object{"displayName": "there", "members": members})
	writes.Store(1)
	if _, err := d.Delete(ctx, group, gone, nil); err != nil {
		t.Fatal(err)
	}
}
