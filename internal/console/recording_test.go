package console

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"serverless-scim/internal/replay"
)

// A recording from the page plays on another server without a difference, and has neither personal data nor secrets.
func TestRecordingIsSavedWithoutPersonalDataAndPlays(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme")
	s.post("/console/record", url.Values{"command": {"start"}})
	if page := s.page("/console/", 200); !strings.Contains(page, "Traffic is recorded") {
		t.Error("there is no banner")
	}
	user := s.scim("acme", "POST", "/Users", map[string]any{"userName": "obi-wan@jedi.example.org", "password": "high ground", "active": true})
	s.scim("acme", "PATCH", "/Users/"+user, map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": []any{map[string]any{"op": "replace", "value": map[string]any{"active": false}}}})
	token := httptest.NewRequest("POST", "/scim/v2/oauth/token", strings.NewReader("client_secret=swordfish")) // is not recorded
	s.handler.ServeHTTP(httptest.NewRecorder(), token)
	s.post("/console/record", url.Values{"command": {"stop"}})
	s.user("acme", "after@example.org")

	page := s.page("/console/record", 200)
	for _, want := range []string{"2 requests are recorded", "obi-wan@jedi.example.org", "password"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q: %s", want, page)
		}
	}
	for _, secret := range []string{"high ground", s.tokens["acme"]} {
		if strings.Contains(page, secret) {
			t.Errorf("the page has the secret %s", secret)
		}
	}

	folder := filepath.Join(t.TempDir(), "a", "b")
	if page := s.post("/console/record", url.Values{"command": {"save"}, "folder": {folder}}); !strings.Contains(page, "2 requests are saved") {
		t.Error(page)
	}
	if page := s.post("/console/record", url.Values{"command": {"save"}, "folder": {folder}}); !strings.Contains(page, "exists") {
		t.Error(page)
	}
	for _, secret := range []string{"obi-wan", "jedi", "high ground", s.tokens["acme"], "after@", "swordfish", "oauth"} {
		requireNowhere(t, folder, secret)
	}
	other := newSite(t, "other")
	server := httptest.NewServer(other.handler)
	defer server.Close()
	conversations, err := replay.LoadConversations(folder)
	if err != nil {
		t.Fatal(err)
	}
	player := replay.Player{Target: replay.HTTPTarget(http.DefaultClient, server.URL+"/scim/v2"), Token: other.tokens["other"], RunSuffix: "x"}
	if differing, err := player.PlayAll(context.Background(), io.Discard, conversations); differing != 0 || err != nil {
		t.Errorf("%d responses differ, %v", differing, err)
	}
}

// requireNowhere fails the test if a file of a folder contains a text.
func requireNowhere(t *testing.T, folder, text string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if content, err := os.ReadFile(name); err != nil || strings.Contains(string(content), text) {
			t.Errorf("%s contains %s, or %v", name, text, err)
		}
	}
}

// Every command is answered in every state of a recording.
func TestRecordingCommands(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme")
	command := func(name string) string {
		s.Helper()
		return s.post("/console/record", url.Values{"command": {name}, "folder": {filepath.Join(t.TempDir(), "x")}})
	}
	for _, name := range []string{"stop", "save", "", "other"} {
		if page := command(name); !strings.Contains(page, "There is no recording") {
			t.Errorf("%q without a recording: %s", name, page)
		}
	}
	command("start")
	command("stop")
	if page := command("save"); !strings.Contains(page, "nothing to save") {
		t.Error(page)
	}
	command("discard")
	if page := s.page("/console/record", 200); !strings.Contains(page, ">Start<") {
		t.Error(page)
	}
	if n, err := s.console.SaveRecording(filepath.Join(t.TempDir(), "x")); n != 0 || err != nil {
		t.Errorf("without a recording: %d, %v", n, err)
	}
}

// post sends a form and returns the page of the answer, which a browser would show.
func (s *site) post(path string, form url.Values) string {
	s.Helper()
	w := post(s.T, s.handler, path, form)
	if w.Code == http.StatusSeeOther {
		return s.page(w.Header().Get("Location"), 200)
	}
	return w.Body.String()
}
