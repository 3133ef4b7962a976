package main

import (
	"io"
	"testing"
	"time"

	"serverless-scim/functions/internal/functiontest"
	"serverless-scim/internal/admin"
	"serverless-scim/internal/table"
	"serverless-scim/internal/token"
)

// The role allows exactly the actions that sweeps, repairs, and the removal of a tenant use.
func TestPermissions(t *testing.T) {
	t.Parallel()
	c := functiontest.EmbeddedConfig(t, io.Discard)
	functiontest.LeaveUnfinished(t, c.Store.Table, "default", time.Now().Add(-time.Hour))
	tenants := token.Store{Table: c.Store.Table, Now: time.Now}
	if _, err := tenants.CreateTenant(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.New(c).Execute(t.Context(), []byte(`{"command":"delete-tenant","tenant":"acme"}`)); err != nil {
		t.Fatal(err)
	}
	stray := table.Item{"PK": table.S("default#User"), "SK": table.S("userName#stray"), "id": table.S("u00000000000000000000000000")}
	if err := c.Store.Table.Write(t.Context(), table.Put{Item: stray}); err != nil {
		t.Fatal(err)
	}
	functiontest.CheckPermissions(t, "SweepRole", c.Store.Table, func(tab table.Table) {
		c.Store.Table = tab
		invoke(t, handler{c}, scheduled)
		invoke(t, handler{c}, `{"command":"fsck","repair":true}`)
		c.Store.Now = func() time.Time { return time.Now().Add(admin.DeletedRetention) }
		if result := invoke(t, handler{c}, `{"command":"expire"}`); result != `{"ending":0,"purged":1}` {
			t.Errorf("expire returned %s", result)
		}
	})
}
