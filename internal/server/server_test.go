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
	"serverless-scim/internal/scim"
	"serverless-scim/internal/server/servertest"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/token"
)

const base = "https://scim.example.com/v2"

// client speaks to a server on an embedded table, and checks of every answer what is true of all.
type client struct {
	testing.TB
	handler http.Handler
	config  Config
	secret  string
	log     *record
}

// record is a log that can be read while it is written.
type record struct {
	mu sync.Mutex
	bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Buffer.Write(p)
}

// ascending makes ids whose order is that in which they are made.
type ascending struct{ n atomic.Int64 }

func (a *ascending) Read(p []byte) (int, error) {
	var next [8]byte
	binary.BigEndian.PutUint64(next[:], uint64(a.n.Add(1)))
	return copy(p, append(next[:], make([]byte, len(p))...)), nil
}

func newClient(t testing.TB, change ...func(*Config)) *client {
	t.Helper()
	tab, err := bolt.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tab.Close() })
	c := &client{TB: t, secret: token.New("test"), log: &record{}}
	log := slog.New(slog.NewTextHandler(c.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c.config = Config{
		Directory: directory.Config{Table: tab, Types: scim.StandardTypes(), Now: time.Now, Random: &ascending{}, Log: log},
		Tokens:    &token.Store{Table: tab, Now: time.Now}, Limiter: &token.Limiter{Table: tab, Now: time.Now, Log: log},
		RequestID: func(*http.Request) string { return "request" }, BaseURL: base, Timeout: time.Minute, Log: log,
	}
	if err := c.config.Tokens.ReplaceToken(t.Context(), "test", "test", c.secret); err != nil {
		t.Fatal(err)
	}
	if _, err := c.config.Tokens.Authenticate(t.Context(), []string{c.secret}); err != nil { // which marks its first use
		t.Fatal(err)
	}
	for _, f := range change {
		f(&c.config)
	}
	c.handler = New(c.config)
	return c
}

// answer is a response; its body, if it has one, was a JSON object.
type answer struct {
	status int
	header http.Header
	body   scim.Object
	text   string
}

// do sends a request; header is pairs of names and values.
func (c *client) do(method, path, body string, header ...string) answer {
	c.Helper()
	r := httptest.NewRequest(method, "/v2"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+c.secret)
	r.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return c.send(r)
}

func (c *client) send(r *http.Request) answer {
	c.Helper()
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	b, _ := io.ReadAll(w.Result().Body)
	a := answer{status: w.Code, header: w.Header(), text: string(b)}
	if len(b) > 0 {
		o, err := scim.ParseObject(b)
		if err != nil {
			c.Fatalf("%s %s: the answer is no JSON object: %s", r.Method, r.URL, b)
		}
		a.body = o
	}
	c.shape(r, a)
	return a
}

// shape checks what is true of every answer.
func (c *client) shape(r *http.Request, a answer) {
	c.Helper()
	where := fmt.Sprintf("%s %.200s → %d %.300s", r.Method, r.URL, a.status, a.text)
	if err := servertest.Shape(r.Method, a.status, a.header, []byte(a.text)); err != nil {
		c.Errorf("%s: %v", where, err)
	}
	if strings.Contains(a.text, `"password":`) || strings.Contains(a.text, c.secret) {
		c.Errorf("%s: the answer holds a secret", where)
	}
}

// want checks status and, of errors, scimType.
func (c *client) want(a answer, status int, scimType ...string) answer {
	c.Helper()
	typ, _ := a.body["scimType"].(string)
	if a.status != status || len(scimType) > 0 && typ != scimType[0] {
		c.Errorf("got %d %s, want %d %v: %.300s", a.status, typ, status, scimType, a.text)
	}
	return a
}

func (c *client) create(path, body string) string {
	c.Helper()
	id, _ := c.want(c.do("POST", path, body), 201).body["id"].(string)
	return id
}

// at is the value at a path of names and indexes such as Resources.0.id, nil if there is none.
func (a answer) at(path string) any {
	var v any = a.body
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

func (c *client) dump() string {
	c.Helper()
	var b strings.Builder
	for from := (table.Key{}); ; {
		p, err := c.config.Directory.Table.Scan(c.Context(), from)
		if err != nil {
			c.Fatal(err)
		}
		for _, it := range p.Items {
			text, _ := json.Marshal(it)
			b.Write(text)
		}
		if from = p.LastEvaluatedKey; from == (table.Key{}) {
			return b.String()
		}
	}
}
