package main

import (
	"bytes"
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
	"testing"
	"time"

	"serverless-scim/internal/gateway"
	"serverless-scim/internal/replay"
	"serverless-scim/internal/server"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/table/tabletest"
	"serverless-scim/internal/token"
)

var canaries = flag.Int("canary", 1, "how many times each recorded request is sent damaged, to look for its values in logs")

// canary hands requests on, notes what personal values they hold, and sends each again, damaged.
type canary struct {
	http.Handler
	secret string
	random *rand.Rand

	mu       sync.Mutex
	personal map[string]bool
	secrets  map[string]bool
	requests int
	answers  bytes.Buffer
}

// personalNames is the attributes whose values tell who somebody is, and secretNames those that nobody may know.
var (
	personalNames = []string{"username", "displayname", "givenname", "familyname", "formatted", "nickname", "externalid", "display", "title"}
	secretNames   = []string{"password"}
)

func (c *canary) note(name string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, v := range v {
			c.note(name, v)
		}
	case []any:
		for _, v := range v {
			c.note(name, v)
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
		c.note("", v)
	}
	c.mu.Unlock()
	for range *canaries {
		again := r.Clone(r.Context())
		damaged := bytes.Clone(body)
		c.damage(again, &damaged)
		again.Body = io.NopCloser(bytes.NewReader(damaged))
		out := httptest.NewRecorder()
		c.Handler.ServeHTTP(out, again)
		c.mu.Lock()
		c.answers.Write(out.Body.Bytes())
		c.mu.Unlock()
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	c.Handler.ServeHTTP(w, r)
}

// damage makes a request one that is refused, mostly: the path holds a person, the token is in the query, the body is
// not what it was.
func (c *canary) damage(r *http.Request, body *[]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.URL.RawQuery += "&access_token=" + url.QueryEscape(c.secret); len(*body) > 0 && c.random.IntN(2) == 0 {
		(*body)[c.random.IntN(len(*body))] = byte(c.random.IntN(256))
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

// forms is how a value may be written.
func forms(v string) []string {
	quoted, _ := json.Marshal(v)
	return []string{v, strings.ToLower(v), strings.ToUpper(v), url.QueryEscape(v), url.PathEscape(v), string(quoted[1 : len(quoted)-1]),
		base64.StdEncoding.EncodeToString([]byte(v)), fmt.Sprintf("%x", v)}
}

// Neither a log nor a table knows a token or a password, and no log knows a person: whatever is sent, whatever fails.
func TestNothingIsToldThatNobodyShouldKnow(t *testing.T) {
	t.Parallel()
	conversations, err := replay.LoadConversations("../../events")
	if err != nil {
		t.Fatal(err)
	}
	tab, err := bolt.Open(":memory:")
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
	c := &canary{secret: secret, random: rand.New(rand.NewPCG(1, 2)), personal: map[string]bool{}, secrets: map[string]bool{secret: true}}
	config := stored(t, tab, io.Discard)
	config.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	calls := 0
	play := func(faulty bool) {
		config.Table = tabletest.Faults{Table: tab, Before: func(tabletest.Call) error {
			if calls++; faulty && calls%7 == 0 {
				return []error{&table.TransientError{Err: errors.New("throttled")}, &table.InvalidError{Reason: "x"}}[calls/7%2]
			}
			return nil
		}}
		config.Runner = func(calls ...func() error) (err error) { // one after the other
			for _, call := range calls {
				err = errors.Join(err, call())
			}
			return err
		}
		c.Handler = server.New(server.Config{Directory: config, Tokens: tokens, Limiter: &token.Limiter{Table: tab, Now: time.Now, Log: config.Log},
			RequestID: gateway.RequestID, Timeout: 25 * time.Second, Log: config.Log})
		for _, one := range conversations {
			r := replay.Player{Target: replay.FunctionTarget(gateway.New(c).Invoke), Token: secret, RunSuffix: fmt.Sprint("canary", faulty)}
			if _, err := r.Play(t.Context(), one); err != nil && !faulty {
				t.Errorf("%s: %v", one.Name(), err)
			}
		}
	}
	play(false)
	play(true)

	kept := contents(t, tab)
	for v := range c.secrets {
		random := strings.TrimPrefix(v, "scim_default_")
		for _, form := range forms(random[:min(len(random), 40)]) {
			for where, text := range map[string]string{"log": log.String(), "table": kept, "answers": c.answers.String()} {
				if strings.Contains(text, form) {
					t.Errorf("the %s holds a secret: %s", where, form)
				}
			}
		}
	}
	for v := range c.personal {
		for _, form := range forms(v) {
			if at := strings.Index(log.String(), form); at >= 0 {
				t.Errorf("the log holds %s: …%s", v, log.String()[max(0, at-300):at+len(form)])
				break
			}
		}
	}
	lines := strings.Count(log.String(), "\n")
	t.Logf("%d requests, %d lines, %d personal values, %d secrets, %d bytes in the table", c.requests, lines, len(c.personal), len(c.secrets), len(kept))
	if c.requests < 300 || lines < 300 || len(c.personal) < 30 || len(c.secrets) < 2 {
		t.Error("too little to mean anything")
	}
}

// contents is what stands in a table.
func contents(t *testing.T, tab table.Table) string {
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
