package admin_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"serverless-scim/internal/admin"
	"serverless-scim/internal/directory"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table/bolt"
)

// A command and its result are JSON objects. An error says what the operator can do.
func ExampleAdmin_Execute() {
	t, err := bolt.Open(":memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer t.Close()
	a := admin.New(directory.Config{Store: store.Config{Table: t, Types: scim.StandardTypes(), Now: time.Now, Random: rand.Reader,
		Log: slog.New(slog.DiscardHandler)}})
	for _, event := range []string{
		`{"command": "create-tenant", "tenant": "acme", "settings": {"strictMembers": true}}`,
		`{"command": "show-tenant", "tenant": "acme"}`,
		`{"command": "revoke-token", "tenant": "acme", "token": "0123456789abcdef"}`,
		`{"command": "show-tenant", "tenant": "acme", "label": "okta"}`,
	} {
		result, err := a.Execute(context.Background(), json.RawMessage(event))
		if err != nil {
			fmt.Println("error:", err)
			continue
		}
		tenant := result.(admin.Tenant)
		fmt.Println(tenant.Tenant, tenant.Settings.StrictMembers, tenant.Counts)
	}
	// Output:
	// acme true map[]
	// acme true map[Group:0 User:0]
	// error: tenant acme has no token "0123456789abcdef"; see list-tokens
	// error: show-tenant does not accept label; it accepts only command, tenant
}
