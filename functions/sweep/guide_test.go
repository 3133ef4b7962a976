package main

import (
	"strings"
	"testing"

	"serverless-scim/functions/internal/functiontest"
	"serverless-scim/internal/table"
)

// The commands of functions/README.md for Sweep succeed, and its query names fields of the lines that fsck writes.
func TestCommandsAndQueryOfGuide(t *testing.T) {
	t.Parallel()
	guide, commands, queries := functiontest.OpenGuide(t), 0, 0
	h, log := newHandler(t, newTable(t))
	functiontest.CreateTenants(t, h.Store.Table, "acme")
	for _, command := range guide.Events(t) {
		if strings.Contains(command, `"sweep"`) || strings.Contains(command, `"fsck"`) {
			commands++
			invoke(t, h, command)
		}
	}
	name := table.Item{"PK": table.S("acme#User"), "SK": table.S("userName#stray"), "id": table.S("u" + strings.Repeat("0", 26))}
	if err := h.Store.Table.Write(t.Context(), table.Put{Item: name}); err != nil {
		t.Fatal(err)
	}
	invoke(t, h, `{"command":"fsck"}`)
	if result, err := h.handle(t.Context(), []byte(`{"command":"fsck","tenant":"missing"}`)); err == nil {
		t.Errorf("a tenant that does not exist was checked: %v", result)
	}
	fields := functiontest.LogFields(t, log.String())
	for _, query := range guide.Queries() {
		if !strings.Contains(query, `"fsck"`) {
			continue
		}
		queries++
		for _, name := range functiontest.QueryFields(query) {
			if !fields[name] {
				t.Errorf("no line of fsck has the field %s of %s", name, query)
			}
		}
	}
	if commands != 4 || queries != 1 {
		t.Errorf("the guide has %d commands and %d queries; want 4 and 1", commands, queries)
	}
}
