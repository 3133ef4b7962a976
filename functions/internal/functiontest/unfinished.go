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
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// LeaveUnfinished writes the items that a process leaves if it ends during a large change and during a large delete, at
// the time at. Both are committed: a new group whose 60 memberships are not applied, and the delete of a group whose 60
// memberships are not removed.
func LeaveUnfinished(t *testing.T, tab table.Table, tenant string, at time.Time) {
	t.Helper()
	var remainingWrites atomic.Int64 // writes that succeed before the process ends
	types := scim.StandardTypes()
	d := directory.New(directory.Config{Store: store.Config{
		Table: tabletest.Faults{Table: tab, Before: func(c tabletest.Call) error {
			if c.Method == "Write" && remainingWrites.Add(-1) < 0 {
				return errors.New("the process has ended")
			}
			return nil
		}},
		Types: types, Now: func() time.Time { return at }, Random: rand.Reader, Log: slog.New(slog.DiscardHandler),
	}}, tenant, "")
	ctx, user, group := context.Background(), types.ByName("User"), types.ByName("Group")
	create := func(rt *scim.ResourceType, o scim.Object) string {
		r, err := d.Create(ctx, rt, o, scim.Projection{})
		if err != nil {
			t.Fatal(err)
		}
		return r.ID()
	}
	remainingWrites.Store(1000)
	var members []any
	for i := range 60 {
		id := create(user, scim.Object{"userName": fmt.Sprint("unfinished", i)})
		members = append(members, scim.Object{"value": id})
	}
	deleted := create(group, scim.Object{"displayName": "deleted", "members": members})
	remainingWrites.Store(1) // the commit
	create(group, scim.Object{"displayName": "created", "members": members})
	remainingWrites.Store(1)
	if _, err := d.Delete(ctx, group, deleted, nil); err != nil {
		t.Fatal(err)
	}
}
