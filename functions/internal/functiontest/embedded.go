package functiontest

import (
	"crypto/rand"
	"io"
	"log/slog"
	"testing"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/query"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table/bolt"
)

// EmbeddedConfig returns the configuration of directories on a table in memory, with the settings that package
// environment uses. The log gets JSON lines.
func EmbeddedConfig(t *testing.T, log io.Writer) directory.Config {
	t.Helper()
	tab, err := bolt.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tab.Close() })
	return directory.Config{Store: store.Config{Table: tab, Types: scim.StandardTypes(), Now: time.Now, Random: rand.Reader,
		Log: slog.New(slog.NewJSONHandler(log, nil))}, Query: query.Config{Cache: &query.Cache{}}}
}
