package main

import (
	"cmp"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"serverless-scim/functions/internal/functiontest"
	"serverless-scim/internal/admin"
	"serverless-scim/internal/table"
)

// The role allows exactly the actions that the commands use.
func TestPermissions(t *testing.T) {
	t.Parallel()
	c := functiontest.EmbeddedConfig(t, io.Discard)
	functiontest.CheckPermissions(t, "AdminRole", c.Store.Table, func(tab table.Table) {
		c.Store.Table = tab
		a, id := admin.New(c), ""
		for _, command := range []string{
			`{"command":"create-tenant","tenant":"acme"}`, `{"command":"list-tenants"}`,
			`{"command":"set","tenant":"acme","settings":{"noContent":true}}`, `{"command":"show-tenant","tenant":"acme"}`,
			`{"command":"create-token","tenant":"acme","label":"okta"}`, `{"command":"list-tokens","tenant":"acme"}`,
			`{"command":"rotate-token","tenant":"acme","token":"ID"}`, `{"command":"revoke-token","tenant":"acme","token":"ID"}`,
			`{"command":"create-client","tenant":"acme","label":"entra"}`, `{"command":"list-clients","tenant":"acme"}`,
			`{"command":"rotate-client-secret","tenant":"acme","client":"ID"}`, `{"command":"revoke-client","tenant":"acme","client":"ID"}`,
			`{"command":"disable-tenant","tenant":"acme"}`, `{"command":"enable-tenant","tenant":"acme"}`,
			`{"command":"release-tenant","tenant":"acme"}`, `{"command":"delete-tenant","tenant":"acme"}`,
		} {
			out, err := a.Execute(t.Context(), json.RawMessage(strings.ReplaceAll(command, "ID", id)))
			if err != nil {
				t.Fatalf("%s: %v", command, err)
			}
			var result struct {
				ID     string
				Client string `json:"client_id"`
			}
			if text, _ := json.Marshal(out); json.Unmarshal(text, &result) == nil {
				id = cmp.Or(result.ID, result.Client, id)
			}
		}
	})
}
