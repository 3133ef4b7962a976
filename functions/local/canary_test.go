package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"serverless-scim/internal/admin"
	"serverless-scim/internal/directory"
	"serverless-scim/internal/feed"
	"serverless-scim/internal/gateway"
	"serverless-scim/internal/oauth"
	"serverless-scim/internal/replay"
	"serverless-scim/internal/server"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/table/tabletest"
	"serverless-scim/internal/token"
)

var canaries = flag.Int("canary", 1,
	"how many modified copies of each recorded request are sent, to look for its values in logs")

// canary is a handler that records the personal values and secrets in requests. It passes each request on, and then
// modified copies of it, so that no copy takes the name of a resource first.
type canary struct {
	http.Handler
	secret string
	random *rand.Rand

	mu        sync.Mutex
	personal  map[string]bool // values that identify a person
	secrets   map[string]bool // tokens, client secrets, and passwords
	requests  int
	responses bytes.Buffer // bodies of the responses to the modified copies
}

// personalNames are the attributes whose values identify a person, and secretNames those whose values are secret, in
// lower case.
var (
	personalNames = []string{"username", "displayname", "givenname", "familyname", "formatted", "nickname",
		"externalid", "display", "title"}
	secretNames = []string{"password"}
)

// collect records the personal values and secrets in a JSON value. name is the attribute that holds it.
func (c *canary) collect(name string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, v := range v {
			c.collect(name, v)
		}
	case []any:
		for _, v := range v {
			c.collect(name, v)
		}
	case string:
		switch name = strings.ToLower(name); {
		case len(v) < 5:
		case slices.Contains(secretNames, name):
			c.secrets[v] = true
		case slices.Contains(personalNames, name), strings.Contains(v, "@"):
			c.personal[v] = true
		}
	}
}

func (c *canary) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var v any
	c.mu.Lock()
	c.requests += 1 + *canaries
	if json.Unmarshal(body, &v) == nil {
		c.collect("", v)
	}
	c.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	c.Handler.ServeHTTP(w, r)
	for range *canaries {
		modified := r.Clone(r.Context())
		modifiedBody := bytes.Clone(body)
		c.modify(modified, modifiedBody)
		modified.Body = io.NopCloser(bytes.NewReader(modifiedBody))
		out := httptest.NewRecorder()
		c.Handler.ServeHTTP(out, modified)
		c.mu.Lock()
		c.responses.Write(out.Body.Bytes())
		c.mu.Unlock()
	}
}

// modify changes a request so that most servers reject it: it adds the token to the query, replaces a byte of the body,
// and puts a personal value into the path, the method, a filter, or a header.
func (c *canary) modify(r *http.Request, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.URL.RawQuery += "&access_token=" + url.QueryEscape(c.secret); len(body) > 0 && c.random.IntN(2) == 0 {
		body[c.random.IntN(len(body))] = byte(c.random.IntN(256))
	}
	for v := range c.personal {
		switch c.random.IntN(5) {
		case 0:
			r.URL.Path, r.URL.RawPath = r.URL.Path+"/"+v, ""
		case 1:
			r.Method = "X" + strings.Map(func(x rune) rune {
				if x > ' ' && x < 127 {
					return x
				}
				return -1
			}, v)
		case 2:
			r.URL.RawQuery += "&filter=" + url.QueryEscape(v+` eq "`+v+`"`)
		case 3:
			r.Header.Set("If-Match", v)
		}
		return
	}
}

// forms returns the encodings in which a value could appear.
func forms(v string) []string {
	quoted, _ := json.Marshal(v)
	return []string{v, strings.ToLower(v), strings.ToUpper(v), url.QueryEscape(v), url.PathEscape(v),
		string(quoted[1 : len(quoted)-1]), base64.StdEncoding.EncodeToString([]byte(v)), fmt.Sprintf("%x", v)}
}

// Logs, table, stream records, events, and responses contain no token, no client secret, and no password. Logs and notices of changes contain
// no personal value. This also holds for invalid requests and for errors of the table.
func TestLogsTableAndResponsesHoldNoSecrets(t *testing.T) {
	t.Parallel()
	conversations, err := replay.LoadConversations("../../events")
	if err != nil {
		t.Fatal(err)
	}
	tab, err := bolt.Open(":memory:", bolt.Watch(feed.IsWatched))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tab.Close() })
	var log bytes.Buffer
	tokens := &token.Store{Table: tab, Now: time.Now}
	secret, err := issueToken(t.Context(), tokens, "")
	if err != nil {
		t.Fatal(err)
	}
	c := &canary{secret: secret, random: rand.New(rand.NewPCG(1, 2)),
		personal: map[string]bool{}, secrets: map[string]bool{secret: true}}
	config := newConfig(t, tab, io.Discard)
	config.Store.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	clientSecret, access := addCanaryClient(t, config, tokens)
	c.secrets[clientSecret], c.secrets[access] = true, true
	var calls atomic.Int64
	var ended atomic.Bool // no more faults
	play := func(credential string, withFaults bool) {
		c.secret = credential
		config.Store.Table = tabletest.Faults{Table: tab, Before: func(tabletest.Call) error {
			if n := calls.Add(1); withFaults && !ended.Load() && n%7 == 0 {
				faults := []error{&table.TransientError{Err: errors.New("throttled")}, &table.InvalidError{Reason: "x"}}
				return faults[n/7%2]
			}
			return nil
		}}
		limiter := &token.Limiter{Table: tab, Now: time.Now, Log: config.Store.Log}
		c.Handler = server.New(server.Config{Directory: config, Tokens: tokens, Limiter: limiter, OAuth: oauth.New(tokens, limiter, nil),
			RequestID: gateway.RequestID, Timeout: 25 * time.Second, Log: config.Store.Log})
		target := replay.FunctionTarget(gateway.New(c).Invoke)
		c.requestToken(t, tokens)
		player := replay.Player{Target: target, Token: credential, RunSuffix: fmt.Sprint("canary", withFaults)}
		for _, conversation := range conversations {
			if _, err := player.Play(t.Context(), conversation); err != nil && !withFaults {
				t.Errorf("%s: %v", conversation.Name(), err)
			}
		}
	}
	play(secret, false)
	play(access, true)
	ended.Store(true)
	config.Store.Table = tab
	told := publishForCanary(t, tab, config, tokens)
	c.responses.WriteString(c.readChanges(t))

	items := tableJSON(t, tab)
	for v := range c.secrets {
		random := strings.TrimPrefix(strings.TrimPrefix(v, "scim_default_"), "scimsecret_")
		for _, form := range forms(random[:min(len(random), 40)]) {
			for where, text := range map[string]string{"log": log.String(), "table": items, "responses": c.responses.String(),
				"stream": told.records.String(), "events": told.events.String(), "notices": told.notices.String()} {
				if strings.Contains(text, form) {
					t.Errorf("%s: contains a secret: %s", where, form)
				}
			}
		}
	}
	for v := range c.personal {
		for _, form := range forms(v) {
			if at := strings.Index(log.String(), form); at >= 0 {
				t.Errorf("the log contains %s: …%s", v, log.String()[max(0, at-300):at+len(form)])
				break
			}
			if strings.Contains(told.notices.String(), `"`+form+`"`) { // in quotes, because a name can be a word like group
				t.Errorf("a notice contains %s", v)
				break
			}
		}
	}
	lines := strings.Count(log.String(), "\n")
	t.Logf("%d requests, %d lines, %d personal values, %d secrets, %d bytes in the table",
		c.requests, lines, len(c.personal), len(c.secrets), len(items))
	if c.requests < 300 || lines < 300 || len(c.personal) < 30 || len(c.secrets) < 4 {
		t.Error("too few requests or values for a meaningful test")
	}
}

// addCanaryClient creates a client by commands, which are logged, and returns its secret and an access token.
func addCanaryClient(t *testing.T, c directory.Config, tokens *token.Store) (secret, access string) {
	t.Helper()
	out, err := admin.New(c).Execute(t.Context(), json.RawMessage(`{"command":"create-client","tenant":"default","label":"canary"}`))
	if err != nil {
		t.Fatal(err)
	}
	id := out.(admin.Client).ID
	out, err = admin.New(c).Execute(t.Context(), json.RawMessage(`{"command":"rotate-client-secret","tenant":"default","client":"`+id+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	client, tenant, err := tokens.Client(t.Context(), id)
	if err == nil {
		access = token.New(tenant.Name)
		_, err = tokens.IssueAccessToken(t.Context(), client, access, token.ScopeAll, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.(admin.Client).Secret, access
}

// told has the log entries and events with which other systems learn of changes.
type told struct{ records, events, notices bytes.Buffer }

// publishForCanary publishes all changes, and returns the stream records, and the events with and without resources.
func publishForCanary(t *testing.T, tab *bolt.Table, c directory.Config, tokens *token.Store) *told {
	t.Helper()
	var out told
	notices := func(_ context.Context, tenant string, entries []feed.ResourceChange) error {
		for _, e := range entries {
			if err := json.NewEncoder(&out.notices).Encode(feed.NewEvent(tenant, e, nil)); err != nil {
				return err
			}
		}
		return nil
	}
	p := &feed.Publisher{Store: c.Store, IsActive: tokens.Exists, Sinks: []feed.Sink{newEventWriter(&out.events, c, ""), notices}}
	changes := 0
	for more := 1; more > 0; {
		n, err := tab.Receive(t.Context(), func(ctx context.Context, records []table.Record) error {
			if err := json.NewEncoder(&out.records).Encode(records); err != nil {
				return err
			}
			r, err := p.Publish(ctx, records)
			changes += r.Changes
			return err
		})
		if more = n; err != nil {
			t.Fatal(err)
		}
	}
	if changes < 100 {
		t.Errorf("%d changes are too few for a meaningful test", changes)
	}
	return &out
}

// requestToken gets an access token of a new client, and records the token and the secret of the client.
func (c *canary) requestToken(t *testing.T, tokens *token.Store) {
	t.Helper()
	id, secret := (&oauthProvider{tokens: tokens}).createClient(t, nil)
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}}
	r := httptest.NewRequest("POST", "/scim/v2"+oauth.TokenPath, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.AccessToken == "" {
		t.Fatalf("%s, %v", w.Body, err)
	}
	c.secrets[secret], c.secrets[body.AccessToken] = true, true
}

// readChanges returns the first page of /Changes.
func (c *canary) readChanges(t *testing.T) string {
	t.Helper()
	r := httptest.NewRequest("GET", "/scim/v2/Changes?count=1000", nil)
	r.Header.Set("Authorization", "Bearer "+c.secret)
	w := httptest.NewRecorder()
	c.Handler.ServeHTTP(w, r)
	if w.Code != 200 || !strings.Contains(w.Body.String(), "nextCursor") {
		t.Errorf("GET /Changes: %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// tableJSON returns all items of a table as JSON.
func tableJSON(t *testing.T, tab table.Table) string {
	var b strings.Builder
	for from, first := (table.Key{}), true; first || from != (table.Key{}); first = false {
		p, err := tab.Scan(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(p.Items)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
		from = p.LastEvaluatedKey
	}
	return b.String()
}
