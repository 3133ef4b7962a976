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

func TestRewriteKeepsWhatIsKnownAboutTheRequest(t *testing.T) {
	t.Parallel()
	s := &store{resources: map[string]map[string]any{}}
	c := conversation(t, [2]string{`POST /Users x {"userName":"ann"}`, `201 {"id":"recorded1","userName":"old"}`})
	r := replay.Player{Target: replay.FunctionTarget(gateway.New(s).Invoke), Token: "secret", RunSuffix: "r"}
	r.OnStep = func(o replay.StepResult) {
		if len(o.Diff) == 0 {
			t.Error("the recording is made to differ")
		}
		if err := replay.UpdateExpectation(c, o); err != nil {
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
		t.Errorf("rewritten:\n%s", b)
	}
	again, err := replay.LoadConversations(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if diffs, err := play(t, r.Target, again[0], "r2"); diffs != "" || err != nil {
		t.Errorf("what was rewritten differs: %v\n%s", err, diffs)
	}
}

func TestAFolderMayHaveAnyName(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "[a] *")
	if err := os.MkdirAll(filepath.Join(dir, "sub.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(restEvent("GET", "/Users"))
	write(t, filepath.Join(dir, "01-a.json"), string(b))
	write(t, filepath.Join(dir, "01-a.answer.json"), `{"fidelity":"recorded","status":200}`)
	write(t, filepath.Join(dir, "README.md"), "notes")
	if all, err := replay.LoadConversations(dir); err != nil || len(all) != 1 || len(all[0].Steps) != 1 {
		t.Errorf("loaded %v, %v", all, err)
	}
}

func TestLoadRefusesWhatIsNoConversation(t *testing.T) {
	t.Parallel()
	b, _ := json.Marshal(restEvent("GET", "/Users"))
	event, answer := string(b), `{"fidelity":"recorded","status":200}`
	for want, files := range map[string]map[string]string{
		"no conversation":    {},
		"no event beside it": {"01-a.answer.json": answer},
		"01-a.answer.json":   {"01-a.json": event},
		"name of a step":     {"a.json": event, "a.answer.json": answer},
		"fidelity":           {"01-a.json": event, "01-a.answer.json": `{"fidelity":"guessed","status":200}`},
		"unknown field":      {"01-a.json": event, "01-a.answer.json": `{"fidelity":"recorded","code":200}`},
		"not an event":       {"01-a.json": `{}`, "01-a.answer.json": answer},
		"the body":           {"01-a.json": strings.Replace(event, `"body":""`, `"body":"}{","isBase64Encoded":true`, 1), "01-a.answer.json": answer},
		"after top-level":    {"01-a.json": event, "01-a.answer.json": answer + `{}`},
		"duplicate":          {"01-a.json": event, "01-a.answer.json": `{"status":200,` + answer[1:]},
		"01-a.json":          {"01-a.json": `{`, "01-a.answer.json": answer},
	} {
		dir := t.TempDir()
		for name, text := range files {
			write(t, filepath.Join(dir, name), text)
		}
		if _, err := replay.LoadConversations(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %q", files, err, want)
		}
	}
	if _, err := replay.LoadConversations("does-not-exist"); err == nil {
		t.Error("a missing folder is an error")
	}
}
