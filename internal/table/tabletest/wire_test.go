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

// arrived is an endpoint that remembers what arrives and answers the same to all.
type arrived struct {
	mu     sync.Mutex
	bodies []string
	status int
	answer string
}

func (a *arrived) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bodies = append(a.bodies, string(b))
	return &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a.answer))}, err
}

var requests = map[string]string{
	"TransactWriteItems": `{"TransactItems":[{"Put":{"Item":{"PK":{"S":"p"},"SK":{"S":"1"},"x":{"N":"1"}}}},` +
		`{"Update":{"Key":{"PK":{"S":"p"},"SK":{"S":"2"}}}},{"Delete":{"Key":{"PK":{"S":"p"},"SK":{"S":"3"}}}}]}`,
	"TransactGetItems": `{"TransactItems":[{"Get":{"Key":{"PK":{"S":"p"},"SK":{"S":"1"}}}},{"Get":{"Key":{"PK":{"S":"p"},"SK":{"S":"2"}}}}]}`,
	"BatchGetItem":     `{"RequestItems":{"t":{"Keys":[{"PK":{"S":"1"}},{"PK":{"S":"2"}},{"PK":{"S":"3"}}],"ConsistentRead":true}}}`,
	"Query":            `{"TableName":"t","Limit":7}`,
	"Scan":             `{"TableName":"t","ExclusiveStartKey":{"PK":{"S":"p"}}}`,
	"GetItem":          `{"TableName":"t"}`,
}

// befallen is what becomes of a request that meets a fault (or, with "", none).
func befallen(t *testing.T, f Fault, operation string, seed uint64, a *arrived) (status int, body string, err error) {
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
	if met := w.Met(); f != "" && met[f] != 1 && f.befalls(operation) {
		t.Errorf("%s: met %v", f, met)
	}
	return resp.StatusCode, string(b), err
}

// What a request meets is told in DynamoDB's own form, and happens as often as the fault says.
func TestWireDoesWhatItsFaultsSay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for operation := range requests {
			for seed := range uint64(20) {
				for _, f := range append(AllFaults(), "") {
					a := &arrived{status: 200, answer: `{"kept":1}`}
					status, body, err := befallen(t, f, operation, seed, a)
					if !as(f, operation, a, status, body, err) {
						t.Errorf("%s of %s, seed %d: %d %s (%v); arrived: %q", f, operation, seed, status, body, err, a.bodies)
					}
				}
			}
		}
	})
}

// as tells whether a request fared as the fault says.
func as(f Fault, operation string, a *arrived, status int, body string, err error) bool {
	n := len(a.bodies)
	switch {
	case !f.befalls(operation) || f == "" || f == Slow:
		return status == 200 && body == a.answer && n == 1 && a.bodies[0] == requests[operation]
	case f == Throttled, f == Conflict:
		return status == 400 && n == 0 && believable(body, f)
	case f == Failed:
		return status == 500 && n == 0
	case f == Silent:
		return errors.Is(err, context.DeadlineExceeded) && n == 0
	case f == Lost:
		return (err != nil || status == 500) && n == 1 && a.bodies[0] == requests[operation]
	case f == Doubled:
		return status == 200 && n == 3 && len(slices.Compact(slices.Clone(a.bodies))) == 1
	case f == Unprocessed:
		return status == 200 && whole(a.bodies[0], body)
	case operation == "Query": // Short, of a first page
		return status == 200 && body == a.answer && strings.Contains(a.bodies[0], `"Limit":1`)
	default: // of a later one
		return status == 200 && n == 0 && strings.Contains(body, `"LastEvaluatedKey":{"PK":{"S":"p"}}`)
	}
}

// What was refused does not arrive again later: without its token's memory it would be another request.
func TestWireRepeatsNoRefusal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &arrived{status: 400, answer: `{"__type":"TransactionCanceledException"}`}
		if status, _, err := befallen(t, Doubled, "TransactWriteItems", 1, a); status != 400 || err != nil || len(a.bodies) != 2 {
			t.Errorf("%d, %v; it arrived %d times", status, err, len(a.bodies))
		}
	})
}

// believable tells whether an error says itself that nothing else in it counts.
func believable(body string, f Fault) bool {
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
	transient := map[Fault][]string{Throttled: {"ThrottlingError", "ProvisionedThroughputExceeded"}, Conflict: {"TransactionConflict"}}[f]
	return slices.ContainsFunc(e.Reasons, func(r struct{ Code string }) bool { return slices.Contains(transient, r.Code) })
}

// whole tells whether what was asked and what is left are three keys, and there is something of each.
func whole(asked, answer string) bool {
	all := asked + answer
	return strings.Count(asked, "PK") > 0 && strings.Count(answer, "PK") > 0 && strings.Count(all, "PK") == 3 &&
		strings.Contains(all, `"1"`) && strings.Contains(all, `"2"`) && strings.Contains(all, `"3"`) &&
		strings.Contains(answer, `"kept":1`) && strings.Contains(answer, `"ConsistentRead":true`)
}
