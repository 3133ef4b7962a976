package dynamo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// wideItem has many attributes, so that the SDK would serialize it in different orders.
var wideItem = table.Item{
	"PK": table.S("p"), "SK": table.S("s"), "a": table.S("1"), "b": table.S("2"), "c": table.S("3"), "d": table.S("4"),
}

func write(ctx context.Context, t *Table) error {
	conditions := []table.Condition{table.NotExists(), table.AttributeNotExists("x"), table.AttributeNotExists("y")}
	return t.Write(ctx, table.Put{Item: wideItem, If: conditions},
		table.ConditionCheck{Key: table.Key{PK: "p", SK: "check"}, If: []table.Condition{table.Exists()}})
}

func TestRetriesSendTheSameTokenAndBytes(t *testing.T) {
	t.Parallel()
	const bad = http.StatusBadRequest
	for name, first := range map[string]response{
		"throttled":             fail(bad, "ThrottlingException", ""),
		"throughput":            fail(bad, "ProvisionedThroughputExceededException", ""),
		"request limit":         fail(bad, "RequestLimitExceeded", ""),
		"too many":              fail(http.StatusTooManyRequests, "AnyName", ""),
		"500":                   fail(500, "InternalServerError", ""),
		"503":                   fail(503, "ServiceUnavailable", ""),
		"502 without a body":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) },
		"other limit":           fail(bad, "LimitExceededException", ""),
		"408":                   fail(http.StatusRequestTimeout, "AnyName", ""),
		"timed out":             fail(bad, "RequestTimeout", ""),
		"timed out, other name": fail(bad, "RequestTimeoutException", ""),
		"aborted":               fail(bad, "RequestAbortedException", ""),
		"conflict of replicas":  fail(bad, "ReplicatedWriteConflictException", ""),
		"conflict":              fail(bad, "TransactionConflictException", ""),
		"in progress":           fail(bad, "TransactionInProgressException", ""),
		"one conflict":          cancel("None", "TransactionConflict"),
		"conflict, condition":   cancel("ConditionalCheckFailed", "TransactionConflict"),
		"throttled, condition":  cancel("ThrottlingError", "ConditionalCheckFailed"),
		"throughput, invalid":   cancel("ProvisionedThroughputExceeded", "ValidationError"),
		"only None":             cancel("None", "None"),
		"connection closed":     closeConnection,
		"incomplete response":   sendPart,
		"no response":           neverRespond,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, e := scripted(t, first, first, ok(`{}`))
			b.Timeout = 5 * time.Second
			if name == "no response" {
				b.Timeout = 50 * time.Millisecond
			}
			ctx, usage := table.WithUsage(t.Context())
			if err := write(ctx, b); err != nil {
				t.Fatal(err)
			}
			want := 2 * strings.Count(name, "conflict")
			if n := usage().TransactionConflicts; name != "conflict of replicas" && n != want {
				t.Errorf("%d retries because of conflicts, want %d", n, want)
			}
			sent := e.sent()
			if len(sent) != 3 || usage().Retries != 2 || sent[0] != sent[1] || sent[1] != sent[2] {
				t.Errorf("%d retries; sent:\n%s", usage().Retries, strings.Join(sent, "\n"))
			}
			if token(sent[0]) == "" {
				t.Error("the request has no token")
			}
		})
	}
}

func TestErrorsThatTheSDKRetriesAreTransient(t *testing.T) {
	t.Parallel()
	for _, codes := range []map[string]struct{}{retry.DefaultThrottleErrorCodes, retry.DefaultRetryableErrorCodes} {
		for code := range codes {
			if !isTransient(&smithy.GenericAPIError{Code: code}) {
				t.Errorf("%s is not transient", code)
			}
		}
	}
	for status := range retry.DefaultRetryableHTTPStatusCodes {
		if !isTransientStatus(status) {
			t.Errorf("status %d is not transient", status)
		}
	}
}

func TestEachWriteHasItsOwnToken(t *testing.T) {
	t.Parallel()
	b, e := scripted(t, ok(`{}`))
	if err := errors.Join(write(t.Context(), b), write(t.Context(), b)); err != nil {
		t.Fatal(err)
	}
	sent := e.sent()
	if first, second := token(sent[0]), token(sent[1]); first == second || len(first) < 20 || len(first) > 36 {
		t.Errorf("the tokens of two writes are %q and %q", first, second)
	}
}

func token(body string) string {
	_, rest, _ := strings.Cut(body, `"ClientRequestToken":"`)
	token, _, _ := strings.Cut(rest, `"`)
	return token
}

func TestConditionsCountOnlyWithoutTransientReasons(t *testing.T) {
	t.Parallel()
	const members = `,"CancellationReasons":[
		{"Code":"ConditionalCheckFailed","Item":{"PK":{"S":"p"},"set":{"SS":["b","a"]}}}, {"Code":"None"}]`
	b, e := scripted(t, cancel("ConditionalCheckFailed", "TransactionConflict"),
		fail(400, "TransactionCanceledException", members))
	err := write(t.Context(), b)
	var conditionErr *table.ConditionError
	if !errors.As(err, &conditionErr) || len(conditionErr.Items) != 1 || len(e.sent()) != 2 {
		t.Fatalf("%v after %d attempts", err, len(e.sent()))
	}
	if set := table.StringSetValue(conditionErr.Items[0]["set"]); !slices.Equal(set, []string{"a", "b"}) {
		t.Errorf("the current item has the set %v", set)
	}
}

func TestFinalErrorsAreNotRetried(t *testing.T) {
	t.Parallel()
	kind := func(err error) string {
		var conditionErr *table.ConditionError
		var tooLarge *table.TooLargeError
		var invalid *table.InvalidError
		var transient *table.TransientError
		return fmt.Sprint(errors.As(err, &conditionErr), errors.As(err, &tooLarge), errors.As(err, &invalid),
			errors.As(err, &transient))
	}
	message := func(code, m string) response {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			const body = `{"__type":"x#%s","message":%q,"CancellationReasons":[{"Code":"ValidationError","Message":%q}]}`
			fmt.Fprintf(w, body, code, m, m)
		}
	}
	const (
		condition, tooLarge = "true false false false", "false true false false"
		invalid, other      = "false false true false", "false false false false"
	)
	for name, c := range map[string]struct {
		response response
		want     string
	}{
		"condition":        {cancel("None", "ConditionalCheckFailed"), condition},
		"condition, large": {cancel("ValidationError", "ConditionalCheckFailed"), condition},
		"denied":           {fail(400, "AccessDeniedException", ""), other},
		"no table":         {fail(400, "ResourceNotFoundException", ""), other},
		"other bytes":      {fail(400, "IdempotentParameterMismatchException", ""), other},
		"another reason":   {cancel("ConditionalCheckFailed", "AccessDenied"), other},
		"not found":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, other},
		"item":             {message("ValidationException", "Item size has exceeded the maximum allowed size"), tooLarge},
		"updated item":     {message("TransactionCanceledException", "Item size to update has exceeded the maximum"), tooLarge},
		"transaction":      {message("ValidationException", "Transaction request cannot exceed 4 MB"), tooLarge},
		"form":             {message("ValidationException", "Two document paths overlap with each other"), invalid},
		"expression":       {message("ValidationException", "Expression size has exceeded the maximum allowed size"), invalid},
		"operand":          {message("TransactionCanceledException", "An operand has an incorrect data type"), invalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, e := scripted(t, c.response)
			if err := write(t.Context(), b); err == nil || kind(err) != c.want || len(e.sent()) != 1 {
				t.Errorf("%v after %d attempts", err, len(e.sent()))
			}
			if c.want == condition {
				return // Snapshot has no conditions
			}
			if _, err := b.Snapshot(t.Context(), wideItem.Key()); err == nil || kind(err) != c.want || len(e.sent()) != 2 {
				t.Errorf("Snapshot: %v after %d attempts", err, len(e.sent())-1)
			}
		})
	}
}

func TestCallsEndWithTransientError(t *testing.T) {
	t.Parallel()
	throttled := fail(400, "ThrottlingException", "")
	head, other := table.Key{PK: "p", SK: "s"}, table.Key{PK: "p", SK: "t"}
	calls := map[string]func(context.Context, *Table) error{
		"Write": write,
		"Get":   func(ctx context.Context, b *Table) error { _, err := b.Get(ctx, nil, head); return err },
		"Get many": func(ctx context.Context, b *Table) error {
			_, err := b.Get(ctx, nil, head, other)
			return err
		},
		"Snapshot": func(ctx context.Context, b *Table) error { _, err := b.Snapshot(ctx, head); return err },
		"Query":    func(ctx context.Context, b *Table) error { _, err := b.Query(ctx, table.Range{PK: "p"}); return err },
		"Scan":     func(ctx context.Context, b *Table) error { _, err := b.Scan(ctx, table.Key{}); return err },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var transient *table.TransientError
			b, e := scripted(t, throttled)
			err := call(t.Context(), b)
			if !errors.As(err, &transient) || !strings.Contains(err.Error(), "Throttling") || len(e.sent()) != 4 {
				t.Errorf("without a deadline: %v after %d attempts", err, len(e.sent()))
			}
			b.Attempts = 1
			b.Backoff.Rand = func(n int64) int64 { return n - 1 }
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			if err := call(ctx, b); !errors.As(err, &transient) || len(e.sent()) < 4+2 {
				t.Errorf("with a deadline: %v after %d attempts", err, len(e.sent())-4)
			}
			sent := len(e.sent())
			if err := call(tabletest.SuspendedContext(t.Context()), b); !errors.As(err, &transient) || len(e.sent()) != sent {
				t.Errorf("after the deadline by the wall clock: %v after %d attempts", err, len(e.sent())-sent)
			}
			b, e = scripted(t, neverRespond)
			ctx, cancel = context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			if err := call(ctx, b); !errors.As(err, &transient) || len(e.sent()) != 1 {
				t.Errorf("without a response: %v after %d attempts", err, len(e.sent()))
			}
		})
	}
	b := New(NewClient(ClientConfig{Endpoint: "http://127.0.0.1:1"}), "t", func(o *Options) { o.Attempts = 2 })
	var transient *table.TransientError
	if err := write(t.Context(), b); !errors.As(err, &transient) {
		t.Errorf("without a server: %v", err)
	}
}

func TestGetRepeatsUnprocessedKeys(t *testing.T) {
	t.Parallel()
	it := func(sk string) string { return `{"PK":{"S":"p"},"SK":{"S":"` + sk + `"}}` }
	unprocessed := func(keys ...string) string {
		return `"UnprocessedKeys":{"t":{"Keys":[` + strings.Join(keys, ",") + `]}}`
	}
	b, e := scripted(t,
		ok(`{"Responses":{"t":[`+it("1")+`]},`+unprocessed(it("2"), it("3"))+`}`),
		fail(400, "ThrottlingException", ""),
		ok(`{`+unprocessed(it("2"), it("3"))+`}`),
		ok(`{"Responses":{"t":[`+it("3")+`]},"ConsumedCapacity":[{"TableName":"t","CapacityUnits":2}]}`))
	ctx, usage := table.WithUsage(t.Context())
	keys := []table.Key{{PK: "p", SK: "1"}, {PK: "p", SK: "2"}, {PK: "p", SK: "3"}}
	found, err := b.Get(ctx, []string{"PK", "SK"}, keys...)
	if err != nil || len(found) != 2 || found[0].Key().SK != "1" || found[1].Key().SK != "3" {
		t.Errorf("found %v, %v", found, err)
	}
	if u := usage(); u.Retries != 3 || u.ReadUnits != 2 {
		t.Errorf("usage %+v", u)
	}
	for i, want := range []int{3, 2, 2, 2} {
		var body struct {
			RequestItems map[string]struct {
				Keys                 []any
				ConsistentRead       bool
				ProjectionExpression string
			}
		}
		err := json.Unmarshal([]byte(e.sent()[i]), &body)
		requested := body.RequestItems["t"]
		if err != nil || len(requested.Keys) != want || !requested.ConsistentRead ||
			requested.ProjectionExpression != "#0, #1" {
			t.Errorf("request %d reads %+v, want two attributes of %d keys", i, requested, want)
		}
	}
}

func TestKeysThatStayUnprocessedAreATransientError(t *testing.T) {
	t.Parallel()
	b, e := scripted(t, ok(`{"UnprocessedKeys":{"t":{"Keys":[{"PK":{"S":"p"},"SK":{"S":"1"}}]}}}`))
	var transient *table.TransientError
	_, err := b.Get(t.Context(), nil, table.Key{PK: "p", SK: "1"}, table.Key{PK: "p", SK: "2"})
	if !errors.As(err, &transient) || len(e.sent()) != 4 {
		t.Errorf("%v after %d attempts", err, len(e.sent()))
	}
}

func TestProgressResetsBackoff(t *testing.T) {
	t.Parallel()
	var script []response
	const unprocessed = `"UnprocessedKeys":{"t":{"Keys":[{"PK":{"S":"p"},"SK":{"S":"2"}}]}}`
	for range 3 {
		script = append(script, ok(`{`+unprocessed+`}`), ok(`{`+unprocessed+`}`),
			ok(`{"Responses":{"t":[{"PK":{"S":"p"},"SK":{"S":"1"}}]},`+unprocessed+`}`))
	}
	b, e := scripted(t, append(script, ok(`{}`))...)
	var bounds []int64
	b.Backoff.Rand = func(bound int64) int64 { bounds = append(bounds, bound/int64(25*time.Millisecond)); return 0 }
	_, err := b.Get(t.Context(), nil, table.Key{PK: "p", SK: "1"}, table.Key{PK: "p", SK: "2"})
	if want := "[1 2 1 2 4 1 2 4 1]"; err != nil || len(e.sent()) != 10 || fmt.Sprint(bounds) != want {
		t.Errorf("%v after %d calls with delay bounds of %v times the base, want %s", err, len(e.sent()), bounds, want)
	}
}

func TestReadsAreConsistentAndWritesReturnOldItems(t *testing.T) {
	t.Parallel()
	b, e := scripted(t, ok(`{}`))
	_, getErr := b.Get(t.Context(), nil, table.Key{PK: "p", SK: "s"})
	_, queryErr := b.Query(t.Context(), table.Range{PK: "p"})
	_, scanErr := b.Scan(t.Context(), table.Key{})
	if err := errors.Join(getErr, queryErr, scanErr, write(t.Context(), b)); err != nil {
		t.Fatal(err)
	}
	sent := e.sent()
	for _, body := range sent[:3] {
		if !strings.Contains(body, `"ConsistentRead":true`) {
			t.Error(body)
		}
	}
	if strings.Count(sent[3], `"ReturnValuesOnConditionCheckFailure":"ALL_OLD"`) != 2 {
		t.Error(sent[3])
	}
}
