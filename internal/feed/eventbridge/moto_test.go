package eventbridge

import (
	"bytes"
	crand "crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"serverless-scim/internal/feed"
	"serverless-scim/internal/scim"
)

const motoVariable = "SCIM_TEST_MOTO"

// A moto is the URL of a moto server, which emulates EventBridge and SQS.
type moto string

func openMoto(t *testing.T) moto {
	url := os.Getenv(motoVariable)
	if url == "" {
		t.Skipf("set %s to the URL of a moto server", motoVariable)
	}
	return moto(url)
}

// call makes a call such as AmazonSQS.CreateQueue. moto finds the service by the scope of the signature, and does not check
// the signature.
func (m moto) call(t *testing.T, target string, in map[string]any, out any) {
	t.Helper()
	body, _ := json.Marshal(in)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, string(m), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	service, version := "events", "1.1"
	if strings.HasPrefix(target, "AmazonSQS.") {
		service, version = "sqs", "1.0"
	}
	r.Header.Set("X-Amz-Target", target)
	r.Header.Set("Content-Type", "application/x-amz-json-"+version)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/"+service+"/aws4_request")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK || out != nil && json.Unmarshal(text, out) != nil {
		t.Fatalf("%s: %s: %s", target, response.Status, text)
	}
}

// createBus returns the ARN of a new bus.
func (m moto) createBus(t *testing.T) string {
	var out struct{ EventBusArn string }
	m.call(t, "AWSEvents.CreateEventBus", map[string]any{"Name": "bus-" + crand.Text()}, &out)
	return out.EventBusArn
}

// createQueue returns the URL of a new queue that receives the events of a bus that match a pattern.
func (m moto) createQueue(t *testing.T, bus, pattern string) string {
	name := "queue-" + crand.Text()
	var out struct{ QueueUrl string }
	m.call(t, "AmazonSQS.CreateQueue", map[string]any{"QueueName": name}, &out)
	m.call(t, "AWSEvents.PutRule", map[string]any{"EventBusName": bus, "Name": name, "EventPattern": pattern}, nil)
	target := map[string]any{"Id": "queue", "Arn": "arn:aws:sqs:us-east-1:123456789012:" + name}
	m.call(t, "AWSEvents.PutTargets", map[string]any{"EventBusName": bus, "Rule": name, "Targets": []any{target}}, nil)
	return out.QueueUrl
}

// A delivered event is one that a target has received.
type delivered struct {
	Resources []string
	Detail    feed.Message
}

// receiveAll returns the events of a queue until it is empty.
func (m moto) receiveAll(t *testing.T, queue string) (events []delivered) {
	for {
		var out struct{ Messages []struct{ Body string } }
		m.call(t, "AmazonSQS.ReceiveMessage", map[string]any{"QueueUrl": queue, "MaxNumberOfMessages": 10}, &out)
		if len(out.Messages) == 0 {
			return events
		}
		for _, message := range out.Messages {
			var d delivered
			if err := json.Unmarshal([]byte(message.Body), &d); err != nil {
				t.Fatalf("%v: %s", err, message.Body)
			}
			events = append(events, d)
		}
	}
}

// A faultyProxy passes calls of PutEvents to moto, but throttles some, fails 30 % of the entries of others, and loses some
// responses after moto has accepted the events.
type faultyProxy struct {
	moto                    moto
	mu                      sync.Mutex
	random                  *rand.Rand
	throttled, failed, lost int
}

func (p *faultyProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var in struct{ Entries []json.RawMessage }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		panic(err)
	}
	switch p.random.IntN(8) {
	case 0:
		p.throttled++
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"__type":"ThrottlingException","message":"Rate exceeded"}`)
	case 1:
		p.throttled++
		w.WriteHeader(http.StatusServiceUnavailable)
	case 2:
		p.lost++
		p.forward(r, in.Entries)
		panic(http.ErrAbortHandler)
	default:
		p.failSome(w, r, in.Entries)
	}
}

// failSome fails 30 % of the entries and puts the others.
func (p *faultyProxy) failSome(w http.ResponseWriter, r *http.Request, entries []json.RawMessage) {
	results := make([]json.RawMessage, len(entries))
	var passed []json.RawMessage
	for i, e := range entries {
		if p.random.IntN(10) < 3 {
			p.failed++
			results[i] = json.RawMessage(`{"ErrorCode":"ThrottlingException","ErrorMessage":"Rate exceeded"}`)
		} else {
			passed = append(passed, e)
		}
	}
	forwarded := p.forward(r, passed)
	failedCount := len(entries) - len(passed)
	for i := range results {
		if results[i] == nil {
			results[i], forwarded = forwarded[0], forwarded[1:]
		}
	}
	json.NewEncoder(w).Encode(map[string]any{"FailedEntryCount": failedCount, "Entries": results})
}

// forward puts entries and returns their results.
func (p *faultyProxy) forward(r *http.Request, entries []json.RawMessage) []json.RawMessage {
	if len(entries) == 0 {
		return nil
	}
	body, _ := json.Marshal(map[string]any{"Entries": entries})
	forwarded, _ := http.NewRequest(http.MethodPost, string(p.moto), bytes.NewReader(body))
	forwarded.Header = r.Header.Clone()
	forwarded.Header.Del("Content-Length")
	response, err := http.DefaultClient.Do(forwarded)
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	var out struct{ Entries []json.RawMessage }
	if err := json.NewDecoder(response.Body).Decode(&out); err != nil || len(out.Entries) != len(entries) {
		panic(fmt.Sprint("moto: ", response.Status, err))
	}
	return out.Entries
}

// Every event arrives at least once, and always with the same changeId, whichever calls and entries fail.
func TestEveryEventArrivesDespiteFaults(t *testing.T) {
	t.Parallel()
	m := openMoto(t)
	bus := m.createBus(t)
	queue := m.createQueue(t, bus, `{"source":["serverless-scim"]}`)
	proxy := &faultyProxy{moto: m, random: rand.New(rand.NewPCG(1, 2))}
	server := httptest.NewServer(proxy)
	defer server.Close()
	b := newTestBus(server.URL, bus, t.Output())
	entries := newEntries(100)
	ctx, counts := WithCounts(t.Context())
	for range 2 { // Lambda may deliver a batch again
		if err := b.Send(ctx, "acme", entries); err != nil {
			t.Fatal(err)
		}
	}
	if got := counts(); got != (Counts{Accepted: 200}) {
		t.Errorf("the counts are %+v", got)
	}
	arrivals := map[string]int{}
	for _, d := range m.receiveAll(t, queue) {
		arrivals[d.Detail.ID+" "+d.Detail.ChangeID]++
	}
	for _, e := range entries {
		if arrivals[e.ResourceID+" "+e.EventID("acme")] == 0 {
			t.Errorf("the event of %s did not arrive", e.ResourceID)
		}
	}
	if len(arrivals) != len(entries) {
		t.Errorf("%d different events arrived, want %d", len(arrivals), len(entries))
	}
	if proxy.throttled == 0 || proxy.failed == 0 || proxy.lost == 0 {
		t.Errorf("%d calls were throttled, %d events failed, and %d responses were lost; want all", proxy.throttled, proxy.failed, proxy.lost)
	}
	t.Logf("%d calls were throttled, %d events failed, %d responses were lost", proxy.throttled, proxy.failed, proxy.lost)
}

// The patterns of the guide select the events of the changes that the guide says.
func TestPatternsOfGuideSelectEvents(t *testing.T) {
	t.Parallel()
	m := openMoto(t)
	bus := m.createBus(t)
	guide, err := os.ReadFile("../../../functions/README.md")
	if err != nil {
		t.Fatal(err)
	}
	queues := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| ([a-z ]+) \\| `(\\{\"source\".*)` \\|$").FindAllStringSubmatch(string(guide), -1) {
		queues[row[1]] = m.createQueue(t, bus, row[2])
	}
	wants := map[string]string{
		"end the sessions of a user":    "[scim:acme/Users/deleted] [scim:acme/Users/off]",
		"provision an account":          "[scim:acme/Users/new]",
		"update a profile":              "[scim:acme/Users/off] [scim:acme/Users/title]",
		"sync groups of users to roles": "[scim:acme/Users/joined]",
		"notice deleted groups":         "[scim:acme/Groups/team]",
	}
	team := newEntry("team", feed.Deleted)
	team.ResourceType, team.State.Type = "Group", scim.StandardTypes().ByName("Group")
	err = newTestBus(string(m), bus, t.Output()).Send(t.Context(), "acme", []feed.ResourceChange{
		newEntry("off", feed.Deactivated, feed.Updated), newEntry("deleted", feed.Deleted), newEntry("new", feed.Created),
		newEntry("title", feed.Updated), newEntry("joined", feed.GroupsChanged), team,
	})
	if err != nil || len(queues) != len(wants) {
		t.Fatalf("%v, and the guide has %d patterns, want %d", err, len(queues), len(wants))
	}
	for purpose, want := range wants {
		var got []string
		for _, d := range m.receiveAll(t, queues[purpose]) {
			got = append(got, fmt.Sprint(d.Resources))
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("to %s, the pattern selects %s, want %s", purpose, got, want)
		}
	}
}
