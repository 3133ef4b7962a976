package admin

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/token"
)

// An adminTest runs commands on a table of its own, with a clock that the test sets.
type adminTest struct {
	*testing.T
	Admin
	now time.Time
	log bytes.Buffer
}

func newAdminTest(t *testing.T) *adminTest {
	t.Helper()
	tab, err := bolt.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tab.Close() })
	at := &adminTest{T: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	at.Admin = New(directory.Config{Store: store.Config{
		Table: tab, Types: scim.StandardTypes(), Now: func() time.Time { return at.now }, Random: rand.Reader,
		Log: slog.New(slog.NewJSONHandler(&at.log, nil)),
	}})
	return at
}

// execute runs a command. It returns the result as JSON, or "error: " and the error.
func (at *adminTest) execute(event string) string {
	at.Helper()
	out, err := at.Execute(at.Context(), json.RawMessage(event))
	if err != nil {
		return "error: " + err.Error()
	}
	text, err := json.Marshal(out)
	if err != nil {
		at.Fatal(err)
	}
	return string(text)
}

// mustExecute runs a command that must succeed. It returns the ID and the token of the result, if any.
func (at *adminTest) mustExecute(event string) (out struct{ ID, Token string }) {
	at.Helper()
	text := at.execute(event)
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		at.Fatalf("%s: %s", event, text)
	}
	return out
}

// accepts reports whether a token is valid. It uses a Store without cached tokens.
func (at *adminTest) accepts(secret string) bool {
	store := &token.Store{Table: at.Directory.Store.Table, Now: at.Directory.Store.Now}
	_, err := store.Authenticate(at.Context(), []string{"Bearer " + secret})
	return err == nil
}
