package main

import (
	"encoding/json"
	"strings"
	"testing"

	"serverless-scim/functions/internal/functiontest"
)

func TestFunction(t *testing.T) {
	t.Parallel()
	binary := functiontest.BuildFunction(t, ".")
	t.Run("a missing variable is named", func(t *testing.T) {
		t.Parallel()
		functiontest.CheckMissingVariable(t, binary)
	})
	t.Run("commands create a tenant and a token in DynamoDB", func(t *testing.T) {
		t.Parallel()
		_, endpoint, name := functiontest.NewDynamoTable(t)
		i := functiontest.StartInstance(t, binary, "TABLE_NAME="+name, "DYNAMODB_ENDPOINT="+endpoint)
		secret := ""
		for _, step := range []struct{ event, want string }{
			{`{"command":"create-tenant","tenant":"acme"}`, `"tenant":"acme"`},
			{`{"command":"create-token","tenant":"acme","label":"okta"}`, `"token":"scim_acme_`},
			{`{"command":"list-tokens","tenant":"acme"}`, `"label":"okta"`},
			{`{"command":"show-tenant","tenant":"acme"}`, `"counts":{"Group":0,"User":0}`},
		} {
			out := i.Invoke(t, []byte(step.event))
			if out.Failed || !strings.Contains(string(out.Payload), step.want) {
				t.Errorf("%s: got %v, want %s", step.event, out, step.want)
			}
			var result struct{ Token string }
			if json.Unmarshal(out.Payload, &result) == nil && result.Token != "" {
				secret = result.Token
			}
		}
		if out := i.Invoke(t, []byte(`{"command":"drop"}`)); !out.Failed || !strings.Contains(string(out.Payload), "there is no command") {
			t.Errorf("an unknown command: %v", out)
		}
		log := i.Stop()
		if secret == "" || strings.Contains(log, secret) || strings.Count(log, `"msg":"audit"`) != 4 {
			t.Errorf("want one audit line for each command, and no token, in the log:\n%s", log)
		}
	})
}
