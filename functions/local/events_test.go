package main

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/gateway"
	"serverless-scim/internal/replay"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/token"
)

var update = flag.Bool("update", false, "write the responses of this server to the expectation files")

// The responses to every recorded conversation are as expected, for API Gateway events and for HTTP, and also when it
// is played again on the same table.
func TestEvents(t *testing.T) {
	t.Parallel()
	conversations, err := replay.LoadConversations("../../events")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		h, secret := newProvider(t)
		target := replay.FunctionTarget(gateway.New(h).Invoke)
		playEvents(t, conversations, replay.Player{Target: target, Token: secret, RunSuffix: "update"})
		return
	}
	t.Run("events", func(t *testing.T) {
		t.Parallel()
		h, secret := newProvider(t)
		for run := range 2 {
			target := replay.FunctionTarget(gateway.New(h).Invoke)
			playEvents(t, conversations, replay.Player{Target: target, Token: secret, RunSuffix: fmt.Sprint("event", run)})
		}
	})
	t.Run("HTTP", func(t *testing.T) {
		t.Parallel()
		h, secret := newProvider(t)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.URL.Scheme, r.URL.Host = "http", r.Host
			h.ServeHTTP(w, r)
		}))
		defer s.Close()
		for run := range 2 {
			target := replay.HTTPTarget(s.Client(), s.URL+"/scim/v2")
			playEvents(t, conversations, replay.Player{Target: target, Token: secret, RunSuffix: fmt.Sprint("http", run)})
		}
	})
}

// The README of each provider lists its conversations, and that of events lists the providers.
func TestEventsAreListed(t *testing.T) {
	t.Parallel()
	conversations, err := replay.LoadConversations("../../events")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range conversations {
		provider := filepath.Dir(c.Dir)
		for file, want := range map[string]string{
			filepath.Join(provider, "README.md"): "\n| `" + c.Name() + "` |",
			"../../events/README.md":             "(" + filepath.Base(provider) + "/README.md)",
		} {
			if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), want) {
				t.Errorf("%s lacks %q (%v)", file, want, err)
			}
		}
	}
}

// The recorded conversations detect a server that ignores a parameter of a list.
func TestEventsNoticeWhatAServerIgnores(t *testing.T) {
	t.Parallel()
	conversations, err := replay.LoadConversations("../../events/okta/import")
	if err != nil {
		t.Fatal(err)
	}
	for _, ignored := range []string{"", "count", "startIndex", "filter"} {
		h, secret := newProvider(t)
		ignoring := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			query := r.URL.Query()
			query.Del(ignored)
			r.URL.RawQuery = query.Encode()
			h.ServeHTTP(w, r)
		})
		target := replay.FunctionTarget(gateway.New(ignoring).Invoke)
		player := replay.Player{Target: target, Token: secret, RunSuffix: "ignoring"}
		if differing, err := player.Play(t.Context(), conversations[0]); err != nil || (differing == 0) != (ignored == "") {
			t.Errorf("%d steps differ (%v) when %q is ignored", differing, err, ignored)
		}
	}
}

// newProvider returns a handler on a new table, and a token for it. The base URL is the address of each request.
func newProvider(t *testing.T) (http.Handler, string) {
	t.Helper()
	h, tokens := newProviderOf(t)
	secret, err := issueToken(t.Context(), tokens, "")
	if err != nil {
		t.Fatal(err)
	}
	return h, secret
}

// newProviderOf returns a handler on a new table with a tenant, and the tokens and clients of the table.
func newProviderOf(t *testing.T) (http.Handler, *token.Store) {
	t.Helper()
	tab, err := bolt.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tab.Close() })
	tokens := &token.Store{Table: tab, Now: time.Now}
	if _, err := tokens.CreateTenant(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	return newHandler(newConfig(t, tab, io.Discard), tokens, "", 0), tokens
}

// newConfig returns a configuration of directories on a table. The log gets text lines.
func newConfig(t *testing.T, tab table.Table, log io.Writer) directory.Config {
	t.Helper()
	c, err := options{}.directoryConfig()
	if err != nil {
		t.Fatal(err)
	}
	c.Store.Table, c.Store.Log = tab, slog.New(slog.NewTextHandler(log, nil))
	return c
}

// playEvents plays conversations and reports differences. With -update it writes them to the expectation files instead.
func playEvents(t *testing.T, conversations []replay.Conversation, player replay.Player) {
	t.Helper()
	for _, c := range conversations {
		player.OnStep = func(result replay.StepResult) {
			report := t.Errorf
			if len(result.Diff) > 0 && *update {
				report = t.Logf
				if err := replay.UpdateExpectation(c, result); err != nil {
					t.Error(err)
				}
			}
			for _, line := range result.Diff {
				report("%s %s %s: %s", player.RunSuffix, c.Name(), result.Step.Name, line)
			}
		}
		if _, err := player.Play(t.Context(), c); err != nil {
			t.Error(err)
		}
	}
}
