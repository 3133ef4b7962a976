package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"serverless-scim/internal/gateway"
)

var _ lambda.Handler = (*gateway.Handler)(nil)

const domain = "abc123.execute-api.eu-central-1.amazonaws.com"

// restEvent returns the event that a REST API sends for a request to its stage "prod".
func restEvent(method, path string) events.APIGatewayProxyRequest {
	return events.APIGatewayProxyRequest{
		Resource: "/{proxy+}", HTTPMethod: method, Path: path,
		MultiValueHeaders: map[string][]string{},
		RequestContext: events.APIGatewayProxyRequestContext{
			DomainName: domain, Stage: "prod", Path: "/prod" + path,
		},
	}
}

// httpEvent returns the event that an HTTP API sends for a request to its stage $default.
func httpEvent(method, rawPath string) events.APIGatewayV2HTTPRequest {
	return events.APIGatewayV2HTTPRequest{
		Version: "2.0", RawPath: rawPath, Headers: map[string]string{},
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			DomainName: domain, Stage: "$default",
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: method, Path: rawPath},
		},
	}
}

// receive returns the request that the handler gets for an event, and its body.
func receive(t testing.TB, event any) (*http.Request, string) {
	t.Helper()
	var request *http.Request
	var body []byte
	invoke(t, event, func(w http.ResponseWriter, r *http.Request) {
		request = r
		body, _ = io.ReadAll(r.Body)
	})
	return request, string(body)
}

// invoke serves an event with h and returns the proxy response.
func invoke(t testing.TB, event any, h http.HandlerFunc) []byte {
	t.Helper()
	payload, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	out, err := gateway.New(h).Invoke(t.Context(), payload)
	if err != nil {
		t.Fatalf("Invoke: %v", err)
	}
	return out
}

func TestOtherPayloadsAreRejected(t *testing.T) {
	t.Parallel()
	badBase64 := restEvent("POST", "/Users")
	badBase64.Body, badBase64.IsBase64Encoded = "}{", true
	bad, _ := json.Marshal(badBase64)
	for _, payload := range []string{
		`{}`, `null`, `[]`, `"x"`, ``, `{`, `{"Records":[{"eventSource":"aws:sqs"}]}`, `{"version":"2.0"}`,
		`{"version":"2.0","requestContext":{"http":{"method":"GET"}},"headers":[]}`,
		`{"httpMethod":"GET","path":3,"requestContext":{}}`,
		`{"httpMethod":"GET","path":"/Users","requestContext":{"elb":{"targetGroupArn":"arn"}}}`,
		`{"httpMethod":"GET /","path":"/Users","requestContext":{}}`,
		string(bad),
	} {
		h := gateway.New(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			t.Errorf("%s reached the handler", payload)
		}))
		if out, err := h.Invoke(t.Context(), []byte(payload)); !errors.Is(err, gateway.ErrEvent) || out != nil {
			t.Errorf("%s: %s, %v; want ErrEvent", payload, out, err)
		}
	}
	_, err := gateway.New(http.NotFoundHandler()).Invoke(t.Context(), []byte(`{}`))
	for _, word := range []string{"REST API", "httpMethod", "HTTP API", "rawPath"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not mention %s", err, word)
		}
	}
}

// A handler's response is the same through API Gateway as through net/http's server.
func TestResponsesEqualThoseOfNetHTTP(t *testing.T) {
	t.Parallel()
	handlers := map[string]http.HandlerFunc{
		"nothing":       func(http.ResponseWriter, *http.Request) {},
		"headers alone": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("ETag", `W/"1.0"`) },
		"two statuses":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); w.WriteHeader(200) },
		"early hints":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(404) },
		"late status": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			io.WriteString(w, "x")
			w.WriteHeader(500)
		},
		"204": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204); io.WriteString(w, "x") },
		"JSON": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/scim+json")
			const body = `{"a":"<&é 世 \u2028"}`
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			w.Header()["Www-Authenticate"] = []string{`Bearer realm="a"`, "Basic"}
			w.WriteHeader(401)
			io.WriteString(w, body)
		},
	}
	for name, h := range handlers {
		for _, method := range []string{"GET", "HEAD"} {
			server := httptest.NewUnstartedServer(h)
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.Start()
			defer server.Close()
			r, _ := http.NewRequest(method, server.URL, nil)
			want, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(want.Body)
			want.Body.Close()

			var v1 events.APIGatewayProxyResponse
			var v2 events.APIGatewayV2HTTPResponse
			unmarshal(t, invoke(t, restEvent(method, "/"), h), &v1)
			unmarshal(t, invoke(t, httpEvent(method, "/"), h), &v2)
			if v1.StatusCode != want.StatusCode || v2.StatusCode != want.StatusCode {
				t.Errorf("%s %s: status %d and %d, want %d", method, name, v1.StatusCode, v2.StatusCode, want.StatusCode)
			}
			if v1.Body != string(body) || v2.Body != string(body) || v1.IsBase64Encoded || v2.IsBase64Encoded {
				t.Errorf("%s %s: body %q and %q, want %q", method, name, v1.Body, v2.Body, body)
			}
			if v1.MultiValueHeaders["Content-Length"] != nil || v2.Headers["Content-Length"] != "" {
				t.Errorf("%s %s: the response has a Content-Length, but API Gateway may compress", method, name)
			}
			for _, key := range []string{"ETag", "Content-Type", "WWW-Authenticate"} {
				values := want.Header.Values(key)
				got := v1.MultiValueHeaders[http.CanonicalHeaderKey(key)]
				if fmt.Sprint(got) != fmt.Sprint(values) || v2.Headers[http.CanonicalHeaderKey(key)] != strings.Join(values, ",") {
					t.Errorf("%s %s: %s %q and %q, want %q", method, name, key, got, v2.Headers[key], values)
				}
			}
		}
	}
}

func unmarshal(t *testing.T, b []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
}

func TestHTTPAPICookiesAreConvertedBothWays(t *testing.T) {
	t.Parallel()
	event := httpEvent("GET", "/")
	event.Cookies = []string{"a=1", "b=2"}
	var v2 events.APIGatewayV2HTTPResponse
	unmarshal(t, invoke(t, event, func(w http.ResponseWriter, r *http.Request) {
		for _, c := range r.Cookies() {
			http.SetCookie(w, c)
		}
	}), &v2)
	if fmt.Sprint(v2.Cookies) != "[a=1 b=2]" {
		t.Errorf("cookies came back as %q", v2.Cookies)
	}
}

func TestPanicAndBinaryBodyReturnErrors(t *testing.T) {
	t.Parallel()
	for _, event := range []any{restEvent("GET", "/Users"), httpEvent("GET", "/Users")} {
		payload, _ := json.Marshal(event)
		h := gateway.New(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }))
		if out, err := h.Invoke(t.Context(), payload); out != nil || err == nil || !strings.Contains(err.Error(), "boom") {
			t.Errorf("panic: %s, %v; want an error that names it", out, err)
		}
		h = gateway.New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte{0xff}) }))
		if out, err := h.Invoke(t.Context(), payload); out != nil || !errors.Is(err, gateway.ErrBinary) {
			t.Errorf("binary body: %s, %v; want ErrBinary", out, err)
		}
	}
}

func TestRequestHasTheInvocationsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(time.Hour))
	defer cancel()
	deadline, _ := ctx.Deadline()
	for _, event := range []any{restEvent("GET", "/"), httpEvent("GET", "/")} {
		payload, _ := json.Marshal(event)
		h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if got, ok := r.Context().Deadline(); !ok || !got.Equal(deadline) {
				t.Errorf("%T: deadline %v, want the invocation's", event, got)
			}
		})
		if _, err := gateway.New(h).Invoke(ctx, payload); err != nil {
			t.Error(err)
		}
	}
}

// A response may have exactly the size that Lambda accepts. Characters that HTML escapes count as one byte.
func TestResponseSizeIsLimited(t *testing.T) {
	t.Parallel()
	const limit = 6_291_556
	for _, event := range []any{restEvent("GET", "/Users"), httpEvent("GET", "/Users")} {
		size := 1
		h := gateway.New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, strings.Repeat("&", size))
		}))
		payload, _ := json.Marshal(event)
		small, err := h.Invoke(t.Context(), payload)
		if err != nil {
			t.Fatal(err)
		}
		size += limit - len(small)
		if out, err := h.Invoke(t.Context(), payload); err != nil || len(out) != limit {
			t.Errorf("%T: %d bytes and %v, want %d bytes", event, len(out), err, limit)
		}
		size++
		if out, err := h.Invoke(t.Context(), payload); !errors.Is(err, gateway.ErrTooLarge) || out != nil {
			t.Errorf("%T: %d bytes and %v, want ErrTooLarge", event, len(out), err)
		}
	}
}
