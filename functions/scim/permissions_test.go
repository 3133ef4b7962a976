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

// All that Okta does, the function may do; and it may do nothing that is not needed for that.
func TestPermissions(t *testing.T) {
	t.Parallel()
	conversations, err := replay.LoadConversations("../../events")
	if err != nil {
		t.Fatal(err)
	}
	c := functiontest.EmbeddedConfig(t, io.Discard)
	secret := token.New("test")
	if err := (&token.Store{Table: c.Table, Now: time.Now}).ReplaceToken(t.Context(), "test", "okta", secret); err != nil {
		t.Fatal(err)
	}
	functiontest.CheckPermissions(t, "FunctionRole", c.Table, func(tab table.Table) {
		c.Table = tab
		h, err := wire(func(name string) string { return map[string]string{"RATE_LIMIT": "1000000"}[name] }, c)
		if err != nil {
			t.Fatal(err)
		}
		r := replay.Player{Target: replay.FunctionTarget(h.(*gateway.Handler).Invoke), Token: secret, RunSuffix: "permissions"}
		for _, one := range conversations {
			if _, err := r.Play(t.Context(), one); err != nil {
				t.Errorf("%s: %v", one.Name(), err)
			}
		}
		push(t, h.(*gateway.Handler), secret)
	})
}

// push makes a group of more members than two transactions hold: such a change is prepared in several before it takes effect.
func push(t *testing.T, h *gateway.Handler, secret string) {
	post := func(path, body string) (made struct{ ID string }) {
		event, _ := json.Marshal(rest("POST", path, secret, body))
		out, err := h.Invoke(t.Context(), event)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct{ Body string }
		if err := errors.Join(json.Unmarshal(out, &answer), json.Unmarshal([]byte(answer.Body), &made)); err != nil || made.ID == "" {
			t.Fatalf("%s: %s", path, out)
		}
		return made
	}
	var members []string
	for i := range 5000 {
		members = append(members, `{"value":"`+post("/Users", fmt.Sprintf(`{"userName":"pushed%d"}`, i)).ID+`"}`)
	}
	post("/Groups", `{"displayName":"pushed","members":[`+strings.Join(members, ",")+`]}`)
}
