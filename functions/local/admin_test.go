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

func TestAdminCommandsWriteToTheFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "scim.db")
	runCommand := func(arguments ...string) (status int, out, errs string) {
		var stdout, stderr bytes.Buffer
		status = runAdmin(t.Context(), append([]string{"-db", file}, arguments...), &stdout, &stderr)
		return status, stdout.String(), stderr.String()
	}
	if status, _, errs := runCommand(`{"command":"create-tenant","tenant":"acme"}`); status != 0 {
		t.Fatal(errs)
	}
	_, out, errs := runCommand(`{"command":"create-token","tenant":"acme","label":"okta"}`)
	var result struct{ Token string }
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		t.Fatal(err, errs)
	}
	for _, arguments := range [][]string{{}, {`{"command":"list-tenants"}`, "more"}, {`{"command":"drop"}`}, {"-unknown"}} {
		if status, out, errs := runCommand(arguments...); status == 0 || out != "" || errs == "" {
			t.Errorf("%q: %d, %s", arguments, status, out)
		}
	}
	tab, err := bolt.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Close()
	c := newConfig(t, tab, t.Output())
	identity, err := (&token.Store{Table: tab, Now: c.Store.Now}).Authenticate(t.Context(), []string{result.Token})
	if err != nil || identity.Tenant.Name != "acme" {
		t.Errorf("%v, %v", identity, err)
	}
	if status, _, errs := runCommand(`{"command":"list-tenants"}`); status == 0 || !strings.Contains(errs, "in use by another process") {
		t.Errorf("file in use: %d, %s", status, errs)
	}
}
