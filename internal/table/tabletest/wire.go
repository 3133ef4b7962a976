package tabletest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Wire is the way to a DynamoDB endpoint, an http.RoundTripper below its client, on which requests meet what networks and
// DynamoDB do to them. It knows DynamoDB's JSON protocol, as far as dynamo speaks it, and nothing of what is stored. What
// it answers in DynamoDB's place DynamoDB may say, too; what of that must not be believed is false. The seed repeats a
// run as far as requests come in the same order.
type Wire struct {
	Chance  map[Fault]float64 // of a request that can meet the fault, if no fault listed before has met it
	Seed    uint64            // of what requests meet
	Delay   time.Duration     // of Slow, and at most of Doubled
	Through http.RoundTripper // nil: to the address of the request

	once   sync.Once
	late   sync.WaitGroup
	mu     sync.Mutex
	random *rand.Rand
	met    map[Fault]int
}

// Fault is what can befall a request.
type Fault string

const (
	Throttled   Fault = "throttled"   // no capacity; a transaction sometimes has it for some of its actions
	Conflict    Fault = "conflict"    // a transaction meets another; what else its reasons say means nothing
	Failed      Fault = "failed"      // an error of the server's, and nothing is done
	Unprocessed Fault = "unprocessed" // BatchGetItem reads a part of what it was asked for
	Short       Fault = "short"       // Query and Scan bring one item or none, and there is more
	Lost        Fault = "lost"        // it is done, but its answer does not arrive
	Doubled     Fault = "doubled"     // it arrives twice, and the second answer counts; what succeeds arrives later, too
	Slow        Fault = "slow"        // it takes the Delay
	Silent      Fault = "silent"      // it does not arrive, and nobody says so
)

// AllFaults is all of them, in the order in which a request can meet them.
func AllFaults() []Fault {
	return []Fault{Throttled, Conflict, Failed, Unprocessed, Short, Lost, Doubled, Slow, Silent}
}

func (f Fault) befalls(operation string) bool {
	switch f {
	case Conflict:
		return strings.HasPrefix(operation, "Transact")
	case Unprocessed:
		return operation == "BatchGetItem"
	case Short:
		return operation == "Query" || operation == "Scan"
	}
	return true
}

// Met is how many requests met each fault.
func (w *Wire) Met() map[Fault]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	met := map[Fault]int{}
	for f, n := range w.met {
		met[f] = n
	}
	return met
}

// Wait waits until no request is under way that arrives late.
func (w *Wire) Wait() { w.late.Wait() }

// RoundTrip is http.RoundTripper's.
func (w *Wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.once.Do(w.begin)
	sent, err := io.ReadAll(r.Body)
	if err := errors.Join(err, r.Body.Close()); err != nil {
		return nil, err
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	c := call{w, r, operation, sent}
	switch w.draw(operation) {
	case Throttled:
		return c.throttled(), nil
	case Conflict:
		return c.canceled("TransactionConflict"), nil
	case Failed:
		return c.exception(http.StatusInternalServerError, "InternalServerError"), nil
	case Unprocessed:
		return c.unprocessed()
	case Short:
		return c.short()
	case Lost:
		return c.lost()
	case Doubled:
		return c.doubled()
	case Slow:
		if err := pause(r.Context(), w.Delay); err != nil {
			return nil, err
		}
	case Silent:
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return c.pass()
}

func (w *Wire) begin() {
	w.random, w.met = rand.New(rand.NewPCG(w.Seed, 0)), map[Fault]int{}
	if w.Through == nil {
		w.Through = &http.Transport{MaxIdleConnsPerHost: 64}
	}
}

func (w *Wire) draw(operation string) Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range AllFaults() {
		if f.befalls(operation) && w.random.Float64() < w.Chance[f] {
			w.met[f]++
			return f
		}
	}
	return ""
}

func (w *Wire) pick(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.IntN(n)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// call is one request.
type call struct {
	*Wire
	request   *http.Request
	operation string
	body      []byte
}

func (c call) pass() (*http.Response, error) { return c.send(c.request.Context(), c.body) }

// send lets a body arrive, and reads the whole answer.
func (c call) send(ctx context.Context, body []byte) (*http.Response, error) {
	r := c.request.Clone(ctx)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp, err := c.Through.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	return c.answer(resp.StatusCode, got), nil
}

// answer leaves out the checksum of an answer, which may be changed.
func (c call) answer(status int, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: c.request,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body:   io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
}

type object = map[string]any

func (c call) exception(status int, code string, more ...any) *http.Response {
	o := object{"__type": "com.amazonaws.dynamodb.v20120810#" + code, "message": "as the wire has it"}
	if len(more) > 0 {
		o["CancellationReasons"] = more
	}
	return c.encode(status, o)
}

func (c call) encode(status int, v any) *http.Response {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return c.answer(status, b)
}

// throttled may tell of a transaction which of its actions are.
func (c call) throttled() *http.Response {
	codes := []string{"ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"}
	if strings.HasPrefix(c.operation, "Transact") {
		codes = append(codes, "ThrottlingError", "ProvisionedThroughputExceeded")
	}
	code := codes[c.pick(len(codes))]
	if slices.Index(codes, code) > 2 {
		return c.canceled(code)
	}
	return c.exception(http.StatusBadRequest, code)
}

// canceled has a reason for each action, at least one of them the code. The others of a write were judged on a state
// that never came to be: they are as often false.
func (c call) canceled(code string) *http.Response {
	var sent struct {
		TransactItems []map[string]struct{ Key, Item map[string]json.RawMessage }
	}
	if err := json.Unmarshal(c.body, &sent); err != nil {
		panic(err)
	}
	reasons := make([]any, len(sent.TransactItems))
	certain := c.pick(len(reasons))
	for i, action := range sent.TransactItems {
		meaning := c.pick(6)
		switch _, read := action["Get"]; {
		case i == certain || meaning == 0:
			reasons[i] = object{"Code": code, "Message": "transient"}
		case read || meaning < 3:
			reasons[i] = object{"Code": "None"}
		case meaning == 3:
			reasons[i] = object{"Code": "ValidationError", "Message": "Item size to update has exceeded the maximum allowed size"}
		case meaning == 4:
			reasons[i] = object{"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
		default:
			reasons[i] = object{"Code": "ConditionalCheckFailed", "Message": "The conditional request failed", "Item": keyOf(action)}
		}
	}
	return c.exception(http.StatusBadRequest, "TransactionCanceledException", reasons...)
}

// keyOf is the item of an action with nothing but its key.
func keyOf(action map[string]struct{ Key, Item map[string]json.RawMessage }) object {
	it := object{}
	for _, a := range action {
		for name, v := range a.Key {
			it[name] = v
		}
		for _, name := range []string{"PK", "SK"} {
			if v := a.Item[name]; v != nil {
				it[name] = v
			}
		}
	}
	return it
}

// unprocessed reads at least one of several keys; a single one is throttled.
func (c call) unprocessed() (*http.Response, error) {
	var sent, got map[string]json.RawMessage
	var tables map[string]map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(c.body, &sent), json.Unmarshal(sent["RequestItems"], &tables)); err != nil {
		return nil, err
	}
	left := object{}
	for name, asked := range tables {
		var keys []json.RawMessage
		if err := json.Unmarshal(asked["Keys"], &keys); err != nil {
			return nil, err
		}
		if len(keys) == 1 {
			return c.throttled(), nil
		}
		n := 1 + c.pick(len(keys)-1)
		rest := maps.Clone(asked)
		rest["Keys"], _ = json.Marshal(keys[n:])
		asked["Keys"], _ = json.Marshal(keys[:n])
		left[name] = rest
	}
	sent["RequestItems"], _ = json.Marshal(tables)
	body, _ := json.Marshal(sent)
	resp, err := c.send(c.request.Context(), body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		return nil, err
	}
	got["UnprocessedKeys"], _ = json.Marshal(left)
	return c.encode(http.StatusOK, got), nil
}

// short brings one item of the first page, and none of another: it ends where it began.
func (c call) short() (*http.Response, error) {
	var sent map[string]json.RawMessage
	if err := json.Unmarshal(c.body, &sent); err != nil {
		return nil, err
	}
	if from := sent["ExclusiveStartKey"]; from != nil {
		return c.encode(http.StatusOK, object{"Items": []any{}, "Count": 0, "ScannedCount": 0, "LastEvaluatedKey": from}), nil
	}
	sent["Limit"] = json.RawMessage("1")
	body, _ := json.Marshal(sent)
	return c.send(c.request.Context(), body)
}

// lost does not tell what was done: it hangs up, breaks off, fails or says nothing.
func (c call) lost() (*http.Response, error) {
	resp, err := c.send(context.WithoutCancel(c.request.Context()), c.body)
	if err != nil {
		return nil, err
	}
	switch c.pick(4) {
	case 0:
		return nil, errors.New("the wire hung up")
	case 1:
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), broken{}))
		return resp, nil
	case 2:
		return c.exception(http.StatusInternalServerError, "InternalServerError"), nil
	}
	<-c.request.Context().Done()
	return nil, c.request.Context().Err()
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// doubled lets a request that succeeded arrive late, too, while DynamoDB knows its token. One that was refused must
// not: it would be a new one.
func (c call) doubled() (*http.Response, error) {
	if _, err := c.pass(); err != nil {
		return nil, err
	}
	resp, err := c.pass()
	if err == nil && resp.StatusCode == http.StatusOK && c.Delay > 0 {
		after := time.Duration(c.pick(int(c.Delay)))
		c.late.Go(func() {
			time.Sleep(after)
			c.send(context.Background(), c.body)
		})
	}
	return resp, err
}
