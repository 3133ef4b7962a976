package dynamo

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"serverless-scim/internal/table"
)

// A blockingClient is an HTTP client whose calls wait until release is closed.
type blockingClient struct {
	calls   atomic.Int32
	release chan bool
}

func (h *blockingClient) Do(r *http.Request) (*http.Response, error) {
	h.calls.Add(1)
	<-h.release
	body := io.NopCloser(strings.NewReader("{}"))
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: body, Request: r}, nil
}

func TestGetLimitsConcurrentBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &blockingClient{release: make(chan bool)}
		options := NewClient(ClientConfig{Endpoint: "http://127.0.0.1:1"}).Options()
		options.HTTPClient = h
		var keys []table.Key
		for i := range 9*batchGetKeys + 1 {
			keys = append(keys, table.Key{PK: "p", SK: fmt.Sprint(i)})
		}
		done := make(chan error)
		go func() {
			_, err := New(dynamodb.New(options), "t").Get(t.Context(), nil, keys...)
			done <- err
		}()
		synctest.Wait()
		if n := h.calls.Load(); n != maxConcurrentBatches {
			t.Errorf("%d concurrent calls, want %d", n, maxConcurrentBatches)
		}
		close(h.release)
		if err := <-done; err != nil || h.calls.Load() != 10 {
			t.Errorf("%v after %d calls, want 10", err, h.calls.Load())
		}
	})
}

func TestQuerySendsItsLimit(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]string{1: `"Limit":1,`, 7: `"Limit":7,`, math.MaxInt: `"Limit":1048576,`, 0: ""} {
		b, e := scripted(t, ok(`{}`))
		if _, err := b.Query(t.Context(), table.Range{PK: "p", Limit: limit}); err != nil {
			t.Fatal(err)
		}
		if sent := e.sent()[0]; !strings.Contains(sent, want) || want == "" && strings.Contains(sent, "Limit") {
			t.Errorf("limit %d: %s", limit, sent)
		}
	}
}

func TestQueryAtTheEndOfItsRangeMakesNoCall(t *testing.T) {
	t.Parallel()
	b, e := scripted(t, ok(`{}`))
	for _, r := range []table.Range{
		{PK: "p", From: "a", To: "b", ExclusiveStart: "b"},
		{PK: "p", From: "a", To: "b", ExclusiveStart: "a", Backward: true},
	} {
		if p, err := b.Query(t.Context(), r); err != nil || len(p.Items) > 0 || p.LastEvaluatedKey != (table.Key{}) {
			t.Errorf("%+v: %+v, %v", r, p, err)
		}
	}
	if n := len(e.sent()); n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
	for _, r := range []table.Range{
		{PK: "p", From: "a", To: "b", ExclusiveStart: "a"},
		{PK: "p", From: "a", To: "b", ExclusiveStart: "b", Backward: true},
	} {
		if _, err := b.Query(t.Context(), r); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if n := len(e.sent()); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}
