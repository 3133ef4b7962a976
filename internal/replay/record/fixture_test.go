package record_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/query"
	"serverless-scim/internal/replay"
	"serverless-scim/internal/replay/record"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/server"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/token"
)

const basePath = "/scim/v2"

// provider is a SCIM server on a new table. If recorder is not nil, it gets every exchange.
type provider struct {
	*httptest.Server
	token    string
	recorder *record.Recorder
}

func newProvider(t testing.TB, recorder *record.Recorder) *provider {
	t.Helper()
	tab, err := bolt.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	types, err := scim.Open(nil, func(string) fs.FS { return nil })
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	c := directory.Config{
		Store: store.Config{Table: tab, Types: types, Now: time.Now, Random: rand.Reader, Log: log, Embedded: true},
		Query: query.Config{Cache: &query.Cache{}},
	}
	tokens := &token.Store{Table: tab, Now: time.Now}
	p := &provider{token: token.New("default"), recorder: recorder}
	if err := tokens.ReplaceToken(t.Context(), "default", "test", p.token); err != nil {
		t.Fatal(err)
	}
	h := server.New(server.Config{Directory: c, Tokens: tokens, Limiter: &token.Limiter{Table: tab, Now: time.Now, Log: log},
		RequestID: func(*http.Request) string { return rand.Text() }, Timeout: 25 * time.Second, Log: log})
	p.Server = httptest.NewServer(p.recording(h))
	t.Cleanup(func() { p.Close(); tab.Close() })
	return p
}

// recording returns a handler that adds each exchange of h to the recorder.
func (p *provider) recording(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		body, _ := io.ReadAll(r.Body)
		r.URL.Scheme, r.URL.Host, r.Body = "http", r.Host, io.NopCloser(bytes.NewReader(body))
		out := httptest.NewRecorder()
		h.ServeHTTP(out, r)
		if p.recorder != nil {
			p.recorder.Add(record.Exchange{Request: r, RequestBody: body, Time: begin, Duration: time.Since(begin),
				Response: replay.Response{Status: out.Code, Header: out.Header(), Body: out.Body.Bytes()}})
		}
		for name, values := range out.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(out.Code)
		w.Write(out.Body.Bytes())
	})
}

// send sends a request and returns the status and the body. The arguments are like "GET /Users?filter=a eq 1" and a body.
func (p *provider) send(t testing.TB, request, body string) (int, string) {
	t.Helper()
	method, target, _ := strings.Cut(request, " ")
	target = strings.NewReplacer(" ", "%20", `"`, "%22").Replace(target)
	r, err := http.NewRequestWithContext(t.Context(), method, p.URL+basePath+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	r.Header.Set("Content-Type", "application/scim+json")
	res, err := p.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(b)
}

// play plays conversations and reports the steps that differ.
func (p *provider) play(t testing.TB, run string, conversations ...replay.Conversation) {
	t.Helper()
	for _, c := range conversations {
		player := replay.Player{Target: replay.HTTPTarget(p.Client(), p.URL+basePath), Token: p.token, RunSuffix: run}
		player.OnStep = func(result replay.StepResult) {
			for _, line := range result.Diff {
				t.Errorf("%s %s: %s", c.Name(), result.Step.Name, line)
			}
		}
		if _, err := player.Play(t.Context(), c); err != nil {
			t.Error(err)
		}
	}
}

// saveAndPlay saves a recording, and plays it against a new server. It returns the report and all saved bytes.
func saveAndPlay(t testing.TB, r *record.Recorder, o record.Options) (report record.Report, saved string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "recording")
	report, err := r.Save(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	all, err := replay.LoadConversations(dir)
	if err != nil {
		t.Fatal(err)
	}
	newProvider(t, nil).play(t, "k3f9x2", all...)
	return report, savedText(t, dir)
}

func savedText(t testing.TB, dir string) string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(f.Name() + "\n" + string(text))
	}
	return b.String()
}
