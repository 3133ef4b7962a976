package main

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/gateway"
	"serverless-scim/internal/replay"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/token"
)

var update = flag.Bool("update", false, "rewrite what the recorded events expect to what is answered now")

// Every recorded conversation is answered as expected: as API Gateway events and as plain HTTP, and again on the same
// data, of which nothing is left.
func TestEvents(t *testing.T) {
	t.Parallel()
	conversations, err := replay.LoadConversations("../../events")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		h, secret := provider(t)
		target := replay.FunctionTarget(gateway.New(h).Invoke)
		playEvents(t, conversations, replay.Player{Target: target, Token: secret, RunSuffix: "update"})
		return
	}
	t.Run("events", func(t *testing.T) {
		t.Parallel()
		h, secret := provider(t)
		for run := range 2 {
			target := replay.FunctionTarget(gateway.New(h).Invoke)
			playEvents(t, conversations, replay.Player{Target: target, Token: secret, RunSuffix: fmt.Sprint("event", run)})
		}
	})
	t.Run("HTTP", func(t *testing.T) {
		t.Parallel()
		h, secret := provider(t)
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

// A server that ignores a parameter of a list is found out.
func TestEventsNoticeWhatAServerIgnores(t *testing.T) {
	t.Parallel()
	conversations, err := replay.LoadConversations("../../events/okta/import")
	if err != nil {
		t.Fatal(err)
	}
	for _, ignored := range []string{"", "count", "startIndex", "filter"} {
		h, secret := provider(t)
		deaf := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			query := r.URL.Query()
			query.Del(ignored)
			r.URL.RawQuery = query.Encode()
			h.ServeHTTP(w, r)
		})
		r := replay.Player{Target: replay.FunctionTarget(gateway.New(deaf).Invoke), Token: secret, RunSuffix: "deaf"}
		if differ, err := r.Play(t.Context(), conversations[0]); err != nil || (differ == 0) != (ignored == "") {
			t.Errorf("%d steps differ (%v) when %q is ignored", differ, err, ignored)
		}
	}
}

// provider is a service provider on a table of its own, and a token for it. Its address is that of each request.
func provider(t *testing.T) (http.Handler, string) {
	t.Helper()
	tab, err := bolt.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tab.Close() })
	tokens := &token.Store{Table: tab, Now: time.Now}
	secret, err := issueToken(t.Context(), tokens, "")
	if err != nil {
		t.Fatal(err)
	}
	return newHandler(stored(t, tab, io.Discard), tokens, "", 0), secret
}

// stored configures directories in a table, with a log.
func stored(t *testing.T, tab table.Table, log io.Writer) directory.Config {
	t.Helper()
	c, err := options{}.directoryConfig()
	if err != nil {
		t.Fatal(err)
	}
	c.Table, c.Log = tab, slog.New(slog.NewTextHandler(log, nil))
	return c
}

func playEvents(t *testing.T, conversations []replay.Conversation, r replay.Player) {
	t.Helper()
	for _, c := range conversations {
		r.OnStep = func(o replay.StepResult) {
			say := t.Errorf
			if len(o.Diff) > 0 && *update {
				say = t.Logf
				if err := replay.UpdateExpectation(c, o); err != nil {
					t.Error(err)
				}
			}
			for _, line := range o.Diff {
				say("%s %s %s: %s", r.RunSuffix, c.Name(), o.Step.Name, line)
			}
		}
		if _, err := r.Play(t.Context(), c); err != nil {
			t.Error(err)
		}
	}
}
