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

// A Wire is an http.RoundTripper between a DynamoDB client and an endpoint. It injects faults of networks and of
// DynamoDB at random. It knows DynamoDB's JSON protocol as far as package dynamo uses it. The responses that Wire makes
// itself could come from DynamoDB. The parts of them that a client must ignore are false on purpose. If the requests
// come in the same order, the same seed leads to the same faults.
type Wire struct {
	Chance  map[Fault]float64 // probability of each fault, tried in the order of AllFaults until one occurs
	Seed    uint64            // of the random numbers
	Delay   time.Duration     // delay of Slow, maximum delay of the last repetition of Doubled
	Through http.RoundTripper // next transport; nil: a new http.Transport

	once   sync.Once
	late   sync.WaitGroup // repetitions of Doubled in progress
	mu     sync.Mutex
	random *rand.Rand
	counts map[Fault]int // number of requests per fault
}

// A Fault is an event that can happen to a request.
type Fault string

// The faults of a Wire.
const (
	Throttled   Fault = "throttled"   // rejected for lack of capacity; of a transaction, perhaps only some actions are
	Conflict    Fault = "conflict"    // a transaction conflict; the other cancellation reasons are false
	Failed      Fault = "failed"      // a server error, and the request has no effect
	Unprocessed Fault = "unprocessed" // BatchGetItem leaves some keys unprocessed
	Short       Fault = "short"       // Query and Scan return one item or none, although more may follow
	Lost        Fault = "lost"        // the request takes effect, but its response is lost
	Doubled     Fault = "doubled"     // the request arrives twice, and if it succeeds, once more after a delay
	Slow        Fault = "slow"        // the request arrives after Delay
	Silent      Fault = "silent"      // the request does not arrive, and there is no response
)

// AllFaults returns all faults, in the order in which a Wire tries them.
func AllFaults() []Fault {
	return []Fault{Throttled, Conflict, Failed, Unprocessed, Short, Lost, Doubled, Slow, Silent}
}

// appliesTo reports whether the fault can happen to a request for the operation.
func (f Fault) appliesTo(operation string) bool {
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

// Met returns the number of requests with each fault.
func (w *Wire) Met() map[Fault]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	counts := map[Fault]int{}
	maps.Copy(counts, w.counts)
	return counts
}

// Wait waits for the delayed repetitions of Doubled.
func (w *Wire) Wait() { w.late.Wait() }

// RoundTrip implements http.RoundTripper.
func (w *Wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.once.Do(w.setUp)
	body, err := io.ReadAll(r.Body)
	if err := errors.Join(err, r.Body.Close()); err != nil {
		return nil, err
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	c := wireCall{w, r, operation, body}
	switch w.drawFault(operation) {
	case Throttled:
		return c.throttle(), nil
	case Conflict:
		return c.cancel("TransactionConflict"), nil
	case Failed:
		return c.exception(http.StatusInternalServerError, "InternalServerError"), nil
	case Unprocessed:
		return c.leaveUnprocessed()
	case Short:
		return c.shorten()
	case Lost:
		return c.loseResponse()
	case Doubled:
		return c.sendTwice()
	case Slow:
		if err := sleep(r.Context(), w.Delay); err != nil {
			return nil, err
		}
	case Silent:
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return c.pass()
}

func (w *Wire) setUp() {
	w.random, w.counts = rand.New(rand.NewPCG(w.Seed, 0)), map[Fault]int{}
	if w.Through == nil {
		w.Through = &http.Transport{MaxIdleConnsPerHost: 64}
	}
}

// drawFault returns the fault of a request, or "".
func (w *Wire) drawFault(operation string) Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range AllFaults() {
		if f.appliesTo(operation) && w.random.Float64() < w.Chance[f] {
			w.counts[f]++
			return f
		}
	}
	return ""
}

// pick returns a random number in [0, n).
func (w *Wire) pick(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.IntN(n)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A wireCall is one request.
type wireCall struct {
	*Wire
	request   *http.Request
	operation string
	body      []byte
}

// pass sends the request unchanged.
func (c wireCall) pass() (*http.Response, error) { return c.send(c.request.Context(), c.body) }

// send sends the request with this body and reads the whole response.
func (c wireCall) send(ctx context.Context, body []byte) (*http.Response, error) {
	r := c.request.Clone(ctx)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp, err := c.Through.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	received, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	return c.response(resp.StatusCode, received), nil
}

// response returns a response without DynamoDB's checksum, because the body may differ from the original.
func (c wireCall) response(status int, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: c.request,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body:   io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
}

type object = map[string]any

// exception returns an error response of DynamoDB, with cancellation reasons if there are any.
func (c wireCall) exception(status int, code string, reasons ...any) *http.Response {
	o := object{"__type": "com.amazonaws.dynamodb.v20120810#" + code, "message": "injected by tabletest.Wire"}
	if len(reasons) > 0 {
		o["CancellationReasons"] = reasons
	}
	return c.encode(status, o)
}

func (c wireCall) encode(status int, v any) *http.Response {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return c.response(status, b)
}

// throttle returns a throttling error. For a transaction it may be a cancellation with reasons.
func (c wireCall) throttle() *http.Response {
	codes := []string{"ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"}
	if strings.HasPrefix(c.operation, "Transact") {
		codes = append(codes, "ThrottlingError", "ProvisionedThroughputExceeded")
	}
	code := codes[c.pick(len(codes))]
	if slices.Index(codes, code) > 2 {
		return c.cancel(code)
	}
	return c.exception(http.StatusBadRequest, code)
}

// cancel returns a cancellation with a reason for each action. At least one has this code. The other reasons of a write
// are random, because a client must not rely on them.
func (c wireCall) cancel(code string) *http.Response {
	var request struct {
		TransactItems []map[string]struct{ Key, Item map[string]json.RawMessage }
	}
	if err := json.Unmarshal(c.body, &request); err != nil {
		panic(err)
	}
	reasons := make([]any, len(request.TransactItems))
	certain := c.pick(len(reasons))
	const conditionMessage = "The conditional request failed"
	for i, action := range request.TransactItems {
		choice := c.pick(6)
		switch _, isRead := action["Get"]; {
		case i == certain || choice == 0:
			reasons[i] = object{"Code": code, "Message": "transient"}
		case isRead || choice < 3:
			reasons[i] = object{"Code": "None"}
		case choice == 3:
			const message = "Item size to update has exceeded the maximum allowed size"
			reasons[i] = object{"Code": "ValidationError", "Message": message}
		case choice == 4:
			reasons[i] = object{"Code": "ConditionalCheckFailed", "Message": conditionMessage}
		default:
			reasons[i] = object{"Code": "ConditionalCheckFailed", "Message": conditionMessage, "Item": keyOf(action)}
		}
	}
	return c.exception(http.StatusBadRequest, "TransactionCanceledException", reasons...)
}

// keyOf returns an item with the key of an action.
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

// leaveUnprocessed reads a part of the keys, at least one. A request for a single key is throttled.
func (c wireCall) leaveUnprocessed() (*http.Response, error) {
	var request, response map[string]json.RawMessage
	var tables map[string]map[string]json.RawMessage
	if err := json.Unmarshal(c.body, &request); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(request["RequestItems"], &tables); err != nil {
		return nil, err
	}
	unprocessed := object{}
	for name, requested := range tables {
		var keys []json.RawMessage
		if err := json.Unmarshal(requested["Keys"], &keys); err != nil {
			return nil, err
		}
		if len(keys) == 1 {
			return c.throttle(), nil
		}
		n := 1 + c.pick(len(keys)-1)
		rest := maps.Clone(requested)
		rest["Keys"], _ = json.Marshal(keys[n:])
		requested["Keys"], _ = json.Marshal(keys[:n])
		unprocessed[name] = rest
	}
	request["RequestItems"], _ = json.Marshal(tables)
	body, _ := json.Marshal(request)
	resp, err := c.send(c.request.Context(), body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	if err := json.NewDecoder(resp.Body).Decode(&response); err != nil {
		return nil, err
	}
	response["UnprocessedKeys"], _ = json.Marshal(unprocessed)
	return c.encode(http.StatusOK, response), nil
}

// shorten returns one item of the first page. A later page is empty, and its LastEvaluatedKey is its ExclusiveStartKey.
func (c wireCall) shorten() (*http.Response, error) {
	var request map[string]json.RawMessage
	if err := json.Unmarshal(c.body, &request); err != nil {
		return nil, err
	}
	if start := request["ExclusiveStartKey"]; start != nil {
		empty := object{"Items": []any{}, "Count": 0, "ScannedCount": 0, "LastEvaluatedKey": start}
		return c.encode(http.StatusOK, empty), nil
	}
	request["Limit"] = json.RawMessage("1")
	body, _ := json.Marshal(request)
	return c.send(c.request.Context(), body)
}

// loseResponse executes the request, then closes the connection, truncates the response, replaces it with an error, or
// waits until the client ends the request.
func (c wireCall) loseResponse() (*http.Response, error) {
	resp, err := c.send(context.WithoutCancel(c.request.Context()), c.body)
	if err != nil {
		return nil, err
	}
	switch c.pick(4) {
	case 0:
		return nil, errors.New("tabletest: connection closed")
	case 1:
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), truncated{}))
		return resp, nil
	case 2:
		return c.exception(http.StatusInternalServerError, "InternalServerError"), nil
	}
	<-c.request.Context().Done()
	return nil, c.request.Context().Err()
}

// truncated is the end of a truncated body.
type truncated struct{}

func (truncated) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// sendTwice sends the request twice and returns the second response. A successful request is sent once more after a
// delay, while DynamoDB still remembers its token. A failed one is not: DynamoDB would execute it as a new request.
func (c wireCall) sendTwice() (*http.Response, error) {
	if _, err := c.pass(); err != nil {
		return nil, err
	}
	resp, err := c.pass()
	if err == nil && resp.StatusCode == http.StatusOK && c.Delay > 0 {
		delay := time.Duration(c.pick(int(c.Delay)))
		c.late.Go(func() {
			time.Sleep(delay)
			c.send(context.Background(), c.body)
		})
	}
	return resp, err
}
