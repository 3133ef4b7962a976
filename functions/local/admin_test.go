package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/token"
)

func TestATokenIsMadeInTheFileThatAServerOpens(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "scim.db")
	do := func(arguments ...string) (status int, out, errs string) {
		var stdout, stderr bytes.Buffer
		status = runAdmin(t.Context(), append([]string{"-db", file}, arguments...), &stdout, &stderr)
		return status, stdout.String(), stderr.String()
	}
	if status, _, errs := do(`{"command":"create-tenant","tenant":"acme"}`); status != 0 {
		t.Fatal(errs)
	}
	_, out, errs := do(`{"command":"create-token","tenant":"acme","label":"okta"}`)
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatal(err, errs)
	}
	for _, wrong := range [][]string{{}, {`{"command":"list-tenants"}`, "more"}, {`{"command":"drop"}`}, {"-unknown"}} {
		if status, out, errs := do(wrong...); status == 0 || out != "" || errs == "" {
			t.Errorf("%q: %d, %s", wrong, status, out)
		}
	}
	tab, err := bolt.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Close()
	c := stored(t, tab, t.Output())
	identity, err := (&token.Store{Table: tab, Now: c.Now}).Authenticate(t.Context(), []string{made.Token})
	if err != nil || identity.Tenant.Name != "acme" {
		t.Errorf("%v, %v", identity, err)
	}
	if status, _, errs := do(`{"command":"list-tenants"}`); status == 0 || !strings.Contains(errs, "in use by another process") {
		t.Errorf("a file in use: %d, %s", status, errs)
	}
}
