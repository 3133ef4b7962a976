package gateway_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"pgregory.net/rapid"

	"serverless-scim/internal/gateway"
)

func TestHeaderValuesAreNotSplit(t *testing.T) {
	t.Parallel()
	sent := map[string]string{
		"if-match":            `W/"1.0", W/"2.0"`,
		"user-agent":          "Okta SCIM Client 1.0.0 (a, b)",
		"date":                "Mon, 23 Nov 2026 14:00:00 GMT",
		"if-modified-since":   "Mon, 23 Nov 2026 14:00:00 GMT",
		"x-forwarded-for":     "203.0.113.7, 198.51.100.9",
		"authorization":       "Bearer a,b",
		"accept":              "application/scim+json,application/json;q=0.5",
		"x-scim-filter-parts": " a ,b",
	}
	v1, v2 := restEvent("GET", "/Users"), httpEvent("GET", "/Users")
	for name, value := range sent {
		v1.MultiValueHeaders[name] = []string{value}
		v2.Headers[name] = value
	}
	for kind, event := range map[string]any{"REST": v1, "HTTP": v2} {
		r, _ := receive(t, event)
		for name, value := range sent {
			if got := r.Header.Values(name); len(got) != 1 || got[0] != value {
				t.Errorf("%s API: %s is %q, want the one value %q", kind, name, got, value)
			}
		}
	}
}

func TestRepeatedHeadersOfRESTAPIsAreNotJoined(t *testing.T) {
	t.Parallel()
	event := restEvent("GET", "/Users")
	event.Headers = map[string]string{"x-a": "2"} // API Gateway puts the last value here
	event.MultiValueHeaders["x-a"] = []string{"1", "2"}
	r, _ := receive(t, event)
	if got := fmt.Sprint(r.Header.Values("X-A")); got != "[1 2]" {
		t.Errorf("X-A is %s", got)
	}
	event.MultiValueHeaders = nil
	if r, _ := receive(t, event); r.Header.Get("X-A") != "2" {
		t.Error("the request lacks the headers of an event without multiValueHeaders")
	}
}

// A REST API leaves the path as the client encoded it. An HTTP API, and "sam local" for both, decode it.
func TestPathIsDecodedOnce(t *testing.T) {
	t.Parallel()
	v1 := map[string]string{
		"/Users":             "/prod/Users",
		"/Users/":            "/prod/Users/",
		"/Users/100%25":      "/prod/Users/100%",
		"/Users/100%":        "/prod/Users/100%",
		"/Users/a%zz":        "/prod/Users/a%zz",
		"/Users/a%3Fb":       "/prod/Users/a?b",
		"/Users/a?b=c":       "/prod/Users/a?b=c",
		"/Users/a#b":         "/prod/Users/a#b",
		"/Users/a%2Fb":       "/prod/Users/a/b",
		"/Users/a%252Fb":     "/prod/Users/a%2Fb",
		"/Users/a b":         "/prod/Users/a b",
		"/Users/a+b":         "/prod/Users/a+b",
		"//Users":            "/prod//Users",
		"/Users/../Groups":   "/prod/Users/../Groups",
		"/Users/%C3%A9t%E2%": "/prod/Users/%C3%A9t%E2%",
		"/Users/%C3%A9":      "/prod/Users/é",
		"/Users/é\x00":       "/prod/Users/é\x00",
	}
	for path, want := range v1 {
		event := restEvent("GET", path)
		event.MultiValueQueryStringParameters = map[string][]string{"count": {"1"}}
		checkPath(t, "REST API, "+path, event, want)
	}
	v2 := map[string]string{
		"/Users/100%":    "/Users/100%",
		"/Users/100%25":  "/Users/100%25", // already decoded: the client sent %2525
		"/Users/a?b=c":   "/Users/a?b=c",
		"/Users/a#b":     "/Users/a#b",
		"/Users/é 世":     "/Users/é 世",
		"//Users":        "//Users",
		"/prod/Users/x":  "/prod/Users/x", // rawPath contains a named stage or an API mapping
		"":               "/",
		"Users":          "/Users",
		"https://x.test": "/https://x.test",
	}
	bare := httpEvent("GET", "")
	bare.RequestContext.HTTP.Path, bare.RawQueryString = "/Users", "count=1"
	checkPath(t, "HTTP API, no rawPath", bare, "/Users")
	for path, want := range v2 {
		event := httpEvent("GET", path)
		event.RawQueryString = "count=1"
		checkPath(t, "HTTP API, "+path, event, want)
	}
}

func checkPath(t *testing.T, name string, event any, want string) {
	t.Helper()
	r, _ := receive(t, event)
	if r.URL.Path != want {
		t.Errorf("%s: path %q, want %q", name, r.URL.Path, want)
	}
	if r.URL.RawQuery != "count=1" {
		t.Errorf("%s: query %q, want count=1", name, r.URL.RawQuery)
	}
	// net/http must be able to parse the request URI, with the same path and query.
	u, err := url.ParseRequestURI("https://host" + r.RequestURI)
	if err != nil || u.Path != want || u.RawQuery != "count=1" {
		t.Errorf("%s: request URI %q is parsed as %v (%v)", name, r.RequestURI, u, err)
	}
}

func TestPathOfPayloadFormat1IsNotDecodedAgain(t *testing.T) {
	t.Parallel()
	var event map[string]any
	b, _ := json.Marshal(restEvent("GET", "/Users/a%2Fb"))
	if err := json.Unmarshal(b, &event); err != nil {
		t.Fatal(err)
	}
	event["version"] = "1.0"
	if r, _ := receive(t, event); r.URL.Path != "/prod/Users/a%2Fb" {
		t.Errorf("path %q was decoded twice", r.URL.Path)
	}
}

func TestEscapedPathKeepsEncodedSlash(t *testing.T) {
	t.Parallel()
	if r, _ := receive(t, restEvent("GET", "/Users/a%2Fb")); r.URL.EscapedPath() != "/prod/Users/a%2Fb" {
		t.Errorf("escaped path %q, want the %%2F that the client sent", r.URL.EscapedPath())
	}
}

// The address comes from the event's request context and never from headers of the client.
func TestAddressComesFromRequestContext(t *testing.T) {
	t.Parallel()
	address := func(domain, path, public string) events.APIGatewayProxyRequest {
		event := restEvent("GET", path)
		event.RequestContext.DomainName, event.RequestContext.Path = domain, public
		for _, name := range []string{"Host", "X-Forwarded-Host", "Forwarded", "X-Original-Host"} {
			event.MultiValueHeaders[name] = []string{"evil.example"}
		}
		event.MultiValueHeaders["X-Forwarded-Proto"] = []string{"http"}
		event.MultiValueHeaders["X-Forwarded-Port"] = []string{"666"}
		return event
	}
	for _, c := range []struct {
		name  string
		event any
		want  string
	}{
		{"a stage", address(domain, "/Users", "/prod/Users"), "https://" + domain + "/prod/Users"},
		{"the root of a stage", address(domain, "/", "/prod"), "https://" + domain + "/prod"},
		{"a custom domain", address("scim.example.com", "/Users", "/Users"), "https://scim.example.com/Users"},
		{"a stage and a resource", address(domain, "/v2/Users", "/scim/v2/Users"), "https://" + domain + "/scim/v2/Users"},
		{"a base path that maps to a stage", address("scim.example.com", "/scim/v2/Users", "/scim/v2/Users"),
			"https://scim.example.com/scim/v2/Users"},
		{"a resource in sam local", address("127.0.0.1:3000", "/v2/Users", "/v2/{proxy+}"), "http://127.0.0.1:3000/v2/Users"},
		{"a base path", address("scim.example.com", "/a/b/Users", "/a/b/Users"), "https://scim.example.com/a/b/Users"},
		{"no requestContext.path", address("scim.example.com", "/Users", ""), "https://scim.example.com/Users"},
		{"sam local, v1", address("127.0.0.1:3000", "/Users", "/{proxy+}"), "http://127.0.0.1:3000/Users"},
		{"sam local on an IPv6 address", address("[::1]:3000", "/Users", "/{proxy+}"), "http://[::1]:3000/Users"},
		{"an address", address("127.0.0.1", "/Users", "/Users"), "http://127.0.0.1/Users"},
		{"no domain name", address("", "/Users", ""), "/Users"},
	} {
		checkAddress(t, c.name, c.event, c.want)
	}
	v2 := httpEvent("GET", "/prod/Users")
	v2.Headers = map[string]string{"host": "evil.example", "x-forwarded-port": "666", "x-forwarded-proto": "http"}
	checkAddress(t, "HTTP API", v2, "https://"+domain+"/prod/Users")
	v2.RequestContext.DomainName = "localhost"
	v2.Headers["x-forwarded-port"] = "3000"
	checkAddress(t, "sam local, v2", v2, "http://localhost:3000/prod/Users")
	v2.Headers["x-forwarded-port"] = "3000@evil.example"
	checkAddress(t, "sam local, v2, no port", v2, "http://localhost/prod/Users")
}

func checkAddress(t *testing.T, name string, event any, want string) {
	t.Helper()
	r, _ := receive(t, event)
	if r.URL.String() != want || r.Host != r.URL.Host {
		t.Errorf("%s: address %s, host %s, want %s", name, r.URL, r.Host, want)
	}
	if r.Header.Get("Host") != "" {
		t.Errorf("%s: the request has a Host header, %q, which a client can set", name, r.Header.Get("Host"))
	}
}

// The proxy library takes the host from GO_API_HOST. The test is not parallel, because it sets that variable.
func TestEnvironmentDoesNotChangeTheAddress(t *testing.T) {
	t.Setenv("GO_API_HOST", "https://evil.example/x")
	checkAddress(t, "REST API", restEvent("GET", "/Users"), "https://"+domain+"/prod/Users")
	checkAddress(t, "HTTP API", httpEvent("GET", "/Users"), "https://"+domain+"/Users")
}

// url.Query drops pairs that it cannot parse. Without its filter, a request would list all resources.
func TestMalformedQueriesAreKept(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"filter=a%zz", "filter=a;b", "%", "a=1&a=2&&b", "filter=userName+eq+%22x%22", "?"} {
		event := httpEvent("GET", "/Users")
		event.RawQueryString = raw
		if r, _ := receive(t, event); r.URL.RawQuery != raw {
			t.Errorf("HTTP API: %q became %q", raw, r.URL.RawQuery)
		}
	}
	event := httpEvent("GET", "/Users")
	event.QueryStringParameters = map[string]string{"filter": "a+b &c"} // an event that was written by hand
	if r, _ := receive(t, event); r.URL.Query().Get("filter") != "a+b &c" {
		t.Errorf("HTTP API: queryStringParameters became %q", r.URL.RawQuery)
	}
}

// A REST API decodes names and values of the query. Encoding and parsing them again must return the same.
func TestDecodedQueriesAreEncodedAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		values := rapid.SliceOfN(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
			"a%zz", "a;b", "a&b=c", "a+b", `userName eq "x"`, "#", "", "%", "é"})), 1, 3)
		sent := rapid.MapOfN(rapid.String(), values, 1, 4).Draw(rt, "query")
		event := restEvent("GET", "/Users")
		event.MultiValueQueryStringParameters = sent
		event.QueryStringParameters = map[string]string{}
		for name, v := range sent {
			event.QueryStringParameters[name] = v[len(v)-1]
		}
		r, _ := receive(t, event)
		if got, err := url.ParseQuery(r.URL.RawQuery); err != nil || !reflect.DeepEqual(got, url.Values(sent)) {
			rt.Fatalf("%q became %q, parsed as %q (%v)", sent, r.URL.RawQuery, got, err)
		}
		event.MultiValueQueryStringParameters = nil
		r, _ = receive(t, event)
		for name, v := range event.QueryStringParameters {
			if got, err := url.ParseQuery(r.URL.RawQuery); err != nil || got.Get(name) != v {
				rt.Fatalf("%q became %q (%v)", event.QueryStringParameters, r.URL.RawQuery, err)
			}
		}
	})
}

func TestBodiesAreDecoded(t *testing.T) {
	t.Parallel()
	const text = `{"userName":"jürgen"}`
	encoded := base64.StdEncoding.EncodeToString([]byte(text))
	for _, c := range []struct {
		body   string
		base64 bool
		want   string
	}{{text, false, text}, {encoded, true, text}, {"", false, ""}, {"", true, ""}, {encoded, false, encoded}} {
		v1, v2 := restEvent("POST", "/Users"), httpEvent("POST", "/Users")
		v1.Body, v1.IsBase64Encoded, v2.Body, v2.IsBase64Encoded = c.body, c.base64, c.body, c.base64
		v1.MultiValueHeaders["Content-Length"] = []string{"9999"}
		v2.Headers["content-length"] = "9999"
		for kind, event := range map[string]any{"REST": v1, "HTTP": v2} {
			r, body := receive(t, event)
			if body != c.want || r.ContentLength != int64(len(c.want)) {
				t.Errorf("%s API, %q: body %q of length %d, want %q", kind, c.body, body, r.ContentLength, c.want)
			}
			header := r.Header.Get("Content-Length")
			if (c.want == "") != (header == "") || c.want != "" && header != fmt.Sprint(len(c.want)) {
				t.Errorf("%s API, %q: Content-Length is %q", kind, c.body, header)
			}
		}
	}
}

func TestPatternIsTheMatchedResource(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"/", "/{proxy+}"} {
		v1, v2 := restEvent("GET", "/x"), httpEvent("GET", "/x")
		v1.Resource, v2.RouteKey = pattern, "ANY "+pattern
		for _, event := range []any{v1, v2} {
			if r, _ := receive(t, event); r.Pattern != pattern {
				t.Errorf("%T: Pattern is %q, want %q", event, r.Pattern, pattern)
			}
		}
	}
}

// API Gateway states the ID of the request and the address of the client in the request context.
func TestRequestHasItsIDAndSource(t *testing.T) {
	t.Parallel()
	v1, v2 := restEvent("GET", "/Users"), httpEvent("GET", "/Users")
	v1.RequestContext.RequestID, v2.RequestContext.RequestID = "id", "id"
	v1.RequestContext.Identity.SourceIP, v2.RequestContext.HTTP.SourceIP = "203.0.113.7", "203.0.113.7"
	for _, event := range []any{v1, v2} {
		if r, _ := receive(t, event); gateway.RequestID(r) != "id" || r.RemoteAddr != "203.0.113.7" {
			t.Errorf("%T: ID %q, source %q", event, gateway.RequestID(r), r.RemoteAddr)
		}
	}
	if r := httptest.NewRequest("GET", "/", nil); gateway.RequestID(r) != "" {
		t.Error("a request without an event has an ID")
	}
}

// A client can send what is not UTF-8, and API Gateway passes it on.
func TestTextThatIsNotUTF8IsReplaced(t *testing.T) {
	t.Parallel()
	const payload = `{"httpMethod":"GET","path":"/","multiValueHeaders":{"X-A":["a` + "\xff" + `"]},"headers":null,"path":"/Users"}`
	h := gateway.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-B", "b\xff")
		if r.URL.Path != "/Users" || r.Header.Get("X-A") != "a\uFFFD" {
			t.Errorf("path %q, header %q", r.URL.Path, r.Header.Get("X-A"))
		}
	}))
	if out, err := h.Invoke(t.Context(), []byte(payload)); err != nil || !strings.Contains(string(out), "b\uFFFD") {
		t.Errorf("%s, %v", out, err)
	}
}
