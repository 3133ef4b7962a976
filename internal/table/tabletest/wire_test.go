package tabletest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A recorder is an endpoint that records the requests and sends the same response to all.
type recorder struct {
	mu       sync.Mutex
	bodies   []string // of the requests
	status   int
	response string
}

func (a *recorder) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bodies = append(a.bodies, string(b))
	body := io.NopCloser(strings.NewReader(a.response))
	return &http.Response{StatusCode: a.status, Header: http.Header{}, Body: body}, err
}

// requests has a request body for each operation.
var requests = map[string]string{
	"TransactWriteItems": `{"TransactItems":[{"Put":{"Item":{"PK":{"S":"p"},"SK":{"S":"1"},"x":{"N":"1"}}}},` +
		`{"Update":{"Key":{"PK":{"S":"p"},"SK":{"S":"2"}}}},{"Delete":{"Key":{"PK":{"S":"p"},"SK":{"S":"3"}}}}]}`,
	"TransactGetItems": `{"TransactItems":[{"Get":{"Key":{"PK":{"S":"p"},"SK":{"S":"1"}}}},` +
		`{"Get":{"Key":{"PK":{"S":"p"},"SK":{"S":"2"}}}}]}`,
	"BatchGetItem": `{"RequestItems":{"t":{"Keys":[{"PK":{"S":"1"}},{"PK":{"S":"2"}},{"PK":{"S":"3"}}],` +
		`"ConsistentRead":true}}}`,
	"Query":   `{"TableName":"t","Limit":7}`,
	"Scan":    `{"TableName":"t","ExclusiveStartKey":{"PK":{"S":"p"}}}`,
	"GetItem": `{"TableName":"t"}`,
}

// sendWithFault sends a request through a Wire with this fault; "" means none. It returns the response.
func sendWithFault(t *testing.T, f Fault, operation string, seed uint64, a *recorder) (int, string, error) {
	w := &Wire{Chance: map[Fault]float64{f: 1}, Seed: seed, Delay: time.Millisecond, Through: a}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "POST", "http://dynamodb/", strings.NewReader(requests[operation]))
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
	resp, err := w.RoundTrip(r)
	w.Wait()
	if err != nil {
		return 0, "", err
	}
	b, err := io.ReadAll(resp.Body)
	if met := w.Met(); f != "" && met[f] != 1 && f.appliesTo(operation) {
		t.Errorf("%s: Met returns %v", f, met)
	}
	return resp.StatusCode, string(b), err
}

// The responses have DynamoDB's form, and each request arrives as often as its fault says.
func TestFaultsOfWire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for operation := range requests {
			for seed := range uint64(20) {
				for _, f := range append(AllFaults(), "") {
					a := &recorder{status: 200, response: `{"kept":1}`}
					status, body, err := sendWithFault(t, f, operation, seed, a)
					if !matchesFault(f, operation, a, status, body, err) {
						t.Errorf("%s of %s, seed %d: %d %s (%v); received: %q",
							f, operation, seed, status, body, err, a.bodies)
					}
				}
			}
		}
	})
}

// matchesFault reports whether the response, and the requests that arrived, match the fault.
func matchesFault(f Fault, operation string, a *recorder, status int, body string, err error) bool {
	n := len(a.bodies)
	switch {
	case !f.appliesTo(operation) || f == "" || f == Slow:
		return status == 200 && body == a.response && n == 1 && a.bodies[0] == requests[operation]
	case f == Throttled, f == Conflict:
		return status == 400 && n == 0 && isMarkedTransient(body, f)
	case f == Failed:
		return status == 500 && n == 0
	case f == Silent:
		return errors.Is(err, context.DeadlineExceeded) && n == 0
	case f == Lost:
		return (err != nil || status == 500) && n == 1 && a.bodies[0] == requests[operation]
	case f == Doubled:
		return status == 200 && n == 3 && len(slices.Compact(slices.Clone(a.bodies))) == 1
	case f == Unprocessed:
		return status == 200 && isComplete(a.bodies[0], body)
	case operation == "Query": // Short, first page
		return status == 200 && body == a.response && strings.Contains(a.bodies[0], `"Limit":1`)
	default: // Short, later page
		return status == 200 && n == 0 && strings.Contains(body, `"LastEvaluatedKey":{"PK":{"S":"p"}}`)
	}
}

// DynamoDB does not remember the token of a failed request, so a repetition would be a new request.
func TestWireDoesNotRepeatFailedRequestLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &recorder{status: 400, response: `{"__type":"TransactionCanceledException"}`}
		status, _, err := sendWithFault(t, Doubled, "TransactWriteItems", 1, a)
		if status != 400 || err != nil || len(a.bodies) != 2 {
			t.Errorf("%d, %v; the request arrived %d times, want 2", status, err, len(a.bodies))
		}
	})
}

// isMarkedTransient reports whether an error response is transient, so that a client must ignore its other reasons.
func isMarkedTransient(body string, f Fault) bool {
	var e struct {
		Type    string                  `json:"__type"`
		Reasons []struct{ Code string } `json:"CancellationReasons"`
	}
	if json.Unmarshal([]byte(body), &e) != nil {
		return false
	}
	if !strings.HasSuffix(e.Type, "#TransactionCanceledException") {
		return f == Throttled && e.Reasons == nil
	}
	transient := map[Fault][]string{
		Throttled: {"ThrottlingError", "ProvisionedThroughputExceeded"}, Conflict: {"TransactionConflict"},
	}[f]
	return slices.ContainsFunc(e.Reasons, func(r struct{ Code string }) bool {
		return slices.Contains(transient, r.Code)
	})
}

// isComplete reports whether the request that arrived and the unprocessed keys in the response have three keys
// together, and each has at least one.
func isComplete(request, response string) bool {
	both := request + response
	return strings.Count(request, "PK") > 0 && strings.Count(response, "PK") > 0 && strings.Count(both, "PK") == 3 &&
		strings.Contains(both, `"1"`) && strings.Contains(both, `"2"`) && strings.Contains(both, `"3"`) &&
		strings.Contains(response, `"kept":1`) && strings.Contains(response, `"ConsistentRead":true`)
}
