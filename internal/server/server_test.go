package server

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/feed"
	"serverless-scim/internal/oauth"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/server/servertest"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/token"
)

const base = "https://scim.example.com/v2"

// A client sends requests to a server with an embedded table. It checks the form of every response.
type client struct {
	testing.TB
	handler http.Handler
	config  Config
	secret  string // the token
	log     *logBuffer
}

// A logBuffer is a log that a test can read while the server writes it.
type logBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (r *logBuffer) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Buffer.Write(p)
}

// ascendingBytes is a source of randomness whose IDs sort in the order of their creation.
type ascendingBytes struct{ n atomic.Int64 }

func (a *ascendingBytes) Read(p []byte) (int, error) {
	var next [8]byte
	binary.BigEndian.PutUint64(next[:], uint64(a.n.Add(1)))
	return copy(p, append(next[:], make([]byte, len(p))...)), nil
}

// newClient returns a client of a new server, with a token of the tenant test. change functions modify the
// configuration.
func newClient(t testing.TB, change ...func(*Config)) *client {
	t.Helper()
	tab, err := bolt.Open(":memory:", bolt.Watch(feed.IsWatched))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tab.Close() })
	c := &client{TB: t, secret: token.New("test"), log: &logBuffer{}}
	log := slog.New(slog.NewTextHandler(c.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c.config = Config{
		Directory: directory.Config{Store: store.Config{Table: tab, Types: scim.StandardTypes(), Now: time.Now, Random: &ascendingBytes{}, Log: log}},
		Tokens:    &token.Store{Table: tab, Now: time.Now}, Limiter: &token.Limiter{Table: tab, Now: time.Now, Log: log},
		RequestID: func(*http.Request) string { return "request" }, BaseURL: base, Timeout: time.Minute, Log: log,
	}
	c.config.OAuth = oauth.New(c.config.Tokens, c.config.Limiter, nil)
	if err := c.config.Tokens.ReplaceToken(t.Context(), "test", "test", c.secret); err != nil {
		t.Fatal(err)
	}
	if _, err := c.config.Tokens.Authenticate(t.Context(), []string{c.secret}); err != nil { // records the first use of the token
		t.Fatal(err)
	}
	for _, f := range change {
		f(&c.config)
	}
	c.handler = New(c.config)
	return c
}

// A clientResponse is a received response. body is nil if the response has no body.
type clientResponse struct {
	status int
	header http.Header
	body   scim.Object
	text   string
}

// do sends a request with a body. header holds pairs of names and values.
func (c *client) do(method, path, body string, header ...string) clientResponse {
	c.Helper()
	r := httptest.NewRequest(method, "/v2"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+c.secret)
	r.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return c.send(r)
}

func (c *client) send(r *http.Request) clientResponse {
	c.Helper()
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	b, _ := io.ReadAll(w.Result().Body)
	resp := clientResponse{status: w.Code, header: w.Header(), text: string(b)}
	if len(b) > 0 {
		o, err := scim.ParseObject(b)
		if err != nil {
			c.Fatalf("%s %s: the response is not a JSON object: %s", r.Method, r.URL, b)
		}
		resp.body = o
	}
	c.checkResponse(r, resp)
	return resp
}

// checkResponse checks the form of a response, and that it contains neither a password nor the token.
func (c *client) checkResponse(r *http.Request, resp clientResponse) {
	c.Helper()
	where := fmt.Sprintf("%s %.200s → %d %.300s", r.Method, r.URL, resp.status, resp.text)
	check := servertest.CheckResponse
	if _, _, ok := oauth.SplitPath(r.URL.Path); ok && c.config.OAuth != nil {
		check = servertest.CheckOAuthResponse
	}
	if err := check(r.Method, resp.status, resp.header, []byte(resp.text)); err != nil {
		c.Errorf("%s: %v", where, err)
	}
	if strings.Contains(resp.text, `"password":`) || strings.Contains(resp.text, c.secret) {
		c.Errorf("%s: the response contains a secret", where)
	}
}

// expect checks the status and, if given, the scimType of an error. It returns the response.
func (c *client) expect(resp clientResponse, status int, scimType ...string) clientResponse {
	c.Helper()
	typ, _ := resp.body["scimType"].(string)
	if resp.status != status || len(scimType) > 0 && typ != scimType[0] {
		c.Errorf("got %d %s, want %d %v: %.300s", resp.status, typ, status, scimType, resp.text)
	}
	return resp
}

// create creates a resource and returns its ID.
func (c *client) create(path, body string) string {
	c.Helper()
	id, _ := c.expect(c.do("POST", path, body), 201).body["id"].(string)
	return id
}

// value returns the value at a path of names and indexes, such as Resources.0.id. It returns nil if there is no value.
func (resp clientResponse) value(path string) any {
	var v any = resp.body
	for name := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case scim.Object:
			v = x[name]
		case []any:
			i := -1
			if fmt.Sscan(name, &i); i < 0 || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// dumpTable returns all items of the table as text.
func (c *client) dumpTable() string {
	c.Helper()
	var b strings.Builder
	for start := (table.Key{}); ; {
		p, err := c.config.Directory.Store.Table.Scan(c.Context(), start)
		if err != nil {
			c.Fatal(err)
		}
		for _, it := range p.Items {
			text, _ := json.Marshal(it)
			b.Write(text)
		}
		if start = p.LastEvaluatedKey; start == (table.Key{}) {
			return b.String()
		}
	}
}
