package functiontest

import (
	"testing"
	"time"

	"serverless-scim/internal/table"
	"serverless-scim/internal/token"
)

// CreateTenants creates tenants without resources.
func CreateTenants(t *testing.T, tab table.Table, names ...string) {
	t.Helper()
	tenants := token.Store{Table: tab, Now: time.Now}
	for _, name := range names {
		if _, err := tenants.CreateTenant(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
}
