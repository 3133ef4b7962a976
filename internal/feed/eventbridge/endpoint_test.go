package eventbridge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"serverless-scim/internal/feed"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
)

// A sentEntry is an entry of a PutEvents request.
type sentEntry struct {
	EventBusName, Source, DetailType, Detail string
	Resources                                []string
	Time                                     float64
}

// id returns the ID of the resource.
func (e sentEntry) id() string { return e.Resources[0][strings.LastIndex(e.Resources[0], "/")+1:] }

func ids(entries []sentEntry) string {
	var list []string
	for _, e := range entries {
		list = append(list, e.id())
	}
	return strings.Join(list, " ")
}

// A response handles one request to an endpoint.
type response func(w http.ResponseWriter, r *http.Request, entries []sentEntry)

// results returns a response with the error codes of some entries, by their resource IDs. It accepts the others.
func results(codes map[string]string) response {
	return func(w http.ResponseWriter, _ *http.Request, entries []sentEntry) {
		var list []string
		for i, e := range entries {
			if code := codes[e.id()]; code != "" {
				list = append(list, fmt.Sprintf(`{"ErrorCode":%q,"ErrorMessage":"as scripted"}`, code))
			} else {
				list = append(list, fmt.Sprintf(`{"EventId":"e%d"}`, i))
			}
		}
		fmt.Fprintf(w, `{"FailedEntryCount":%d,"Entries":[%s]}`, len(codes), strings.Join(list, ","))
	}
}

var accept = results(nil)

func fail(status int, code string) response {
	return func(w http.ResponseWriter, _ *http.Request, _ []sentEntry) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"__type":"%s","message":"as scripted"}`, code)
	}
}

// limit responds with tooLarge to calls whose details have more bytes together.
func limit(size int, tooLarge response) response {
	return func(w http.ResponseWriter, r *http.Request, entries []sentEntry) {
		sum := 0
		for _, e := range entries {
			sum += len(e.Detail)
		}
		if sum > size {
			tooLarge(w, r, entries)
		} else {
			accept(w, r, entries)
		}
	}
}

func raw(body string) response {
	return func(w http.ResponseWriter, _ *http.Request, _ []sentEntry) { io.WriteString(w, body) }
}

func closeConnection(http.ResponseWriter, *http.Request, []sentEntry) { panic(http.ErrAbortHandler) }

func sendPart(w http.ResponseWriter, _ *http.Request, _ []sentEntry) {
	w.Header().Set("Content-Length", "100")
	io.WriteString(w, `{"Entr`)
}

// neverRespond waits until the client ends the request.
func neverRespond(_ http.ResponseWriter, r *http.Request, _ []sentEntry) { <-r.Context().Done() }

// An endpoint plays a script of responses and repeats the last one. It records the calls.
type endpoint struct {
	*httptest.Server
	mu     sync.Mutex
	script []response
	calls  [][]sentEntry
	log    bytes.Buffer // of the Bus
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ Entries []sentEntry }
	body, _ := io.ReadAll(r.Body)
	if r.Header.Get("X-Amz-Target") != "AWSEvents.PutEvents" || json.Unmarshal(body, &in) != nil {
		in.Entries = []sentEntry{{Resources: []string{"not a call of PutEvents"}}}
	}
	e.mu.Lock()
	e.calls = append(e.calls, in.Entries)
	respond := e.script[min(len(e.calls), len(e.script))-1]
	e.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	respond(w, r, in.Entries)
}

// sent returns the calls so far.
func (e *endpoint) sent() [][]sentEntry {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.calls)
}

// wantCalls checks the resource IDs of the calls.
func (e *endpoint) wantCalls(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, call := range e.sent() {
		got = append(got, ids(call))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the calls have the events\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// scripted returns a Bus on a new endpoint. It does not wait between attempts.
func scripted(t *testing.T, script ...response) (*Bus, *endpoint) {
	e := &endpoint{script: script}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return newTestBus(e.URL, "bus", &e.log), e
}

func newTestBus(url, name string, log io.Writer) *Bus {
	b := New(Config{Name: name, Region: "us-east-1", AccessKey: "local", SecretKey: "local", Endpoint: url,
		Timeout: 10 * time.Second, Log: slog.New(slog.NewTextHandler(log, nil))})
	b.Backoff.Rand = func(int64) int64 { return 0 }
	return b
}

// secret is a value in all documents.
const secret = "confidential"

var at = time.Date(2026, 5, 4, 3, 2, 1, 987e6, time.UTC)

// newEntry returns a change of a user.
func newEntry(id string, kinds ...feed.Kind) feed.ResourceChange {
	rt := scim.StandardTypes().ByName("User")
	e := feed.ResourceChange{
		Change: feed.Change{ResourceType: rt.Name, ResourceID: id, Version: 7, At: at, Kinds: kinds, Attributes: []string{"title"}},
		State:  store.ResourceState{Type: rt, ID: id, Head: &store.HeadItem{Version: 7, Document: `{"title":"` + secret + `"}`, DisplayName: secret}},
	}
	if e.Has(feed.Deleted) {
		e.State.Head = nil
	}
	return e
}

// newEntries returns updates of the users u0, u1, and so on.
func newEntries(n int) (list []feed.ResourceChange) {
	for i := range n {
		list = append(list, newEntry(fmt.Sprintf("u%d", i), feed.Updated))
	}
	return list
}

// renderOf returns a Render whose resources have a number of bytes, by ID.
func renderOf(sizes map[string]int) func(context.Context, string, store.ResourceState) (json.RawMessage, error) {
	return func(_ context.Context, tenant string, r store.ResourceState) (json.RawMessage, error) {
		return json.Marshal(map[string]string{"id": r.ID, "title": secret, "x": strings.Repeat("x", sizes[r.ID])})
	}
}
