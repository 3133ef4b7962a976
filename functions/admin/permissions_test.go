package main

import (
	"cmp"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"serverless-scim/functions/internal/functiontest"
	"serverless-scim/internal/admin"
	"serverless-scim/internal/table"
)

// commandNames returns the names of all commands.
func commandNames() (names []string) {
	for line := range strings.Lines(admin.Usage()) {
		names = append(names, strings.Fields(line)[0])
	}
	return names
}

func TestGuideDescribesEachCommand(t *testing.T) {
	t.Parallel()
	guide := string(functiontest.OpenGuide(t))
	for _, name := range commandNames() {
		if !strings.Contains(guide, "\n| `"+name+"` | ") {
			t.Errorf("the table of commands in functions/README.md lacks %s", name)
		}
	}
}

// The role allows exactly the actions that the commands use. Each command runs.
func TestPermissions(t *testing.T) {
	t.Parallel()
	c := functiontest.EmbeddedConfig(t, io.Discard)
	functiontest.CheckPermissions(t, "AdminRole", c.Store.Table, func(tab table.Table) {
		c.Store.Table = tab
		a, id, untried := admin.New(c), "", commandNames()
		for _, command := range []string{
			`{"command":"create-tenant","tenant":"acme"}`, `{"command":"list-tenants"}`,
			`{"command":"set","tenant":"acme","settings":{"noContent":true}}`, `{"command":"show-tenant","tenant":"acme"}`,
			`{"command":"create-token","tenant":"acme","label":"okta"}`, `{"command":"list-tokens","tenant":"acme"}`,
			`{"command":"rotate-token","tenant":"acme","token":"ID"}`, `{"command":"revoke-token","tenant":"acme","token":"ID"}`,
			`{"command":"create-client","tenant":"acme","label":"entra"}`, `{"command":"list-clients","tenant":"acme"}`,
			`{"command":"rotate-client-secret","tenant":"acme","client":"ID"}`, `{"command":"revoke-client","tenant":"acme","client":"ID"}`,
			`{"command":"disable-tenant","tenant":"acme"}`, `{"command":"enable-tenant","tenant":"acme"}`,
			`{"command":"release-tenant","tenant":"acme"}`, `{"command":"reset-feed"}`, `{"command":"delete-tenant","tenant":"acme"}`,
		} {
			out, err := a.Execute(t.Context(), json.RawMessage(strings.ReplaceAll(command, "ID", id)))
			if err != nil {
				t.Fatalf("%s: %v", command, err)
			}
			untried = slices.DeleteFunc(untried, func(name string) bool { return strings.Contains(command, `:"`+name+`"`) })
			var result struct {
				ID     string
				Client string `json:"client_id"`
			}
			if text, _ := json.Marshal(out); json.Unmarshal(text, &result) == nil {
				id = cmp.Or(result.ID, result.Client, id)
			}
		}
		if len(untried) > 0 {
			t.Errorf("the commands %v did not run", untried)
		}
	})
}
