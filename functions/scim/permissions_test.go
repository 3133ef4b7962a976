package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"serverless-scim/functions/internal/functiontest"
	"serverless-scim/internal/gateway"
	"serverless-scim/internal/replay"
	"serverless-scim/internal/table"
	"serverless-scim/internal/token"
)

// The role allows exactly the actions that the recorded conversations and a large change use.
func TestPermissions(t *testing.T) {
	t.Parallel()
	conversations, err := replay.LoadConversations("../../events")
	if err != nil {
		t.Fatal(err)
	}
	c := functiontest.EmbeddedConfig(t, io.Discard)
	secret := token.New("test")
	if err := (&token.Store{Table: c.Store.Table, Now: time.Now}).ReplaceToken(t.Context(), "test", "okta", secret); err != nil {
		t.Fatal(err)
	}
	functiontest.CheckPermissions(t, "FunctionRole", c.Store.Table, func(tab table.Table) {
		c.Store.Table = tab
		h, err := newHandler(func(name string) string { return map[string]string{"RATE_LIMIT": "1000000"}[name] }, c)
		if err != nil {
			t.Fatal(err)
		}
		target := replay.FunctionTarget(h.(*gateway.Handler).Invoke)
		player := replay.Player{Target: target, Token: secret, RunSuffix: "permissions"}
		for _, conversation := range conversations {
			if _, err := player.Play(t.Context(), conversation); err != nil {
				t.Errorf("%s: %v", conversation.Name(), err)
			}
		}
		createLargeGroup(t, h.(*gateway.Handler), secret)
	})
}

// createLargeGroup creates a group with so many members that the change is prepared before it is committed.
func createLargeGroup(t *testing.T, h *gateway.Handler, secret string) {
	post := func(path, body string) (created struct{ ID string }) {
		event, _ := json.Marshal(restEvent("POST", path, secret, body))
		out, err := h.Invoke(t.Context(), event)
		if err != nil {
			t.Fatal(err)
		}
		var response struct{ Body string }
		err = errors.Join(json.Unmarshal(out, &response), json.Unmarshal([]byte(response.Body), &created))
		if err != nil || created.ID == "" {
			t.Fatalf("%s: %s", path, out)
		}
		return created
	}
	var members []string
	for i := range 5000 {
		members = append(members, `{"value":"`+post("/Users", fmt.Sprintf(`{"userName":"member%d"}`, i)).ID+`"}`)
	}
	post("/Groups", `{"displayName":"large","members":[`+strings.Join(members, ",")+`]}`)
}
