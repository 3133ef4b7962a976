package replay_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"serverless-scim/internal/gateway"
	"serverless-scim/internal/replay"
)

func TestUpdateExpectationKeepsFidelityAndNote(t *testing.T) {
	t.Parallel()
	s := &fakeServer{resources: map[string]map[string]any{}}
	c := newConversation(t, [2]string{`POST /Users x {"userName":"ann"}`, `201 {"id":"recorded1","userName":"old"}`})
	r := replay.Player{Target: replay.FunctionTarget(gateway.New(s).Invoke), Token: "secret", RunSuffix: "r"}
	r.OnStep = func(result replay.StepResult) {
		if len(result.Diff) == 0 {
			t.Error("the response must differ from the recording")
		}
		if err := replay.UpdateExpectation(c, result); err != nil {
			t.Error(err)
		}
	}
	if _, err := r.Play(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(filepath.Join(c.Dir, "01-step.answer.json"))
	want := `{
  "fidelity": "derived",
  "note": "kept & kept",
  "status": 201,
  "headers": {
    "Location": "http://elsewhere/scim/Users/recorded1"
  },
  "body": {
    "id": "recorded1",
    "meta": {
      "created": "2026-01-01T00:00:00Z",
      "location": "http://elsewhere/scim/Users/recorded1"
    },
    "userName": "ann"
  }
}
`
	if string(b) != want {
		t.Errorf("updated file:\n%s", b)
	}
	updated, err := replay.LoadConversations(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if diffs, err := playConversation(t, r.Target, updated[0], "r2"); diffs != "" || err != nil {
		t.Errorf("the response differs from the updated file: %v\n%s", err, diffs)
	}
}

func TestFolderNameMayContainAnyCharacters(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "[a] *")
	if err := os.MkdirAll(filepath.Join(dir, "sub.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(restEvent("GET", "/Users"))
	writeFile(t, filepath.Join(dir, "01-a.json"), string(b))
	writeFile(t, filepath.Join(dir, "01-a.answer.json"), `{"fidelity":"recorded","status":200}`)
	writeFile(t, filepath.Join(dir, "README.md"), "notes")
	if all, err := replay.LoadConversations(dir); err != nil || len(all) != 1 || len(all[0].Steps) != 1 {
		t.Errorf("loaded %v, %v", all, err)
	}
}

func TestLoadRejectsInvalidConversations(t *testing.T) {
	t.Parallel()
	b, _ := json.Marshal(restEvent("GET", "/Users"))
	event, expectation := string(b), `{"fidelity":"recorded","status":200}`
	for want, files := range map[string]map[string]string{
		"no conversation":        {},
		"no event file":          {"01-a.answer.json": expectation},
		"01-a.answer.json":       {"01-a.json": event},
		"name of a step":         {"a.json": event, "a.answer.json": expectation},
		"fidelity":               {"01-a.json": event, "01-a.answer.json": `{"fidelity":"guessed","status":200}`},
		"unknown field":          {"01-a.json": event, "01-a.answer.json": `{"fidelity":"recorded","code":200}`},
		"not an event":           {"01-a.json": `{}`, "01-a.answer.json": expectation},
		"cannot decode the body": {"01-a.json": strings.Replace(event, `"body":""`, `"body":"}{","isBase64Encoded":true`, 1), "01-a.answer.json": expectation},
		"after top-level":        {"01-a.json": event, "01-a.answer.json": expectation + `{}`},
		"duplicate":              {"01-a.json": event, "01-a.answer.json": `{"status":200,` + expectation[1:]},
		"01-a.json":              {"01-a.json": `{`, "01-a.answer.json": expectation},
	} {
		dir := t.TempDir()
		for name, text := range files {
			writeFile(t, filepath.Join(dir, name), text)
		}
		if _, err := replay.LoadConversations(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %q", files, err, want)
		}
	}
	if _, err := replay.LoadConversations("does-not-exist"); err == nil {
		t.Error("a missing folder is an error")
	}
}
