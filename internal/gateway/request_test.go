package gateway_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"pgregory.net/rapid"
)

func TestHeaderValuesArriveAsSent(t *testing.T) {
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
	v1, v2 := rest("GET", "/Users"), httpAPI("GET", "/Users")
	for name, value := range sent {
		v1.MultiValueHeaders[name] = []string{value}
		v2.Headers[name] = value
	}
	for kind, event := range map[string]any{"REST": v1, "HTTP": v2} {
		r, _ := seen(t, event)
		for name, value := range sent {
			if got := r.Header.Values(name); len(got) != 1 || got[0] != value {
				t.Errorf("%s API: %s arrived as %q, want %q in one piece", kind, name, got, value)
			}
		}
	}
}

func TestRepeatedHeadersOfRESTAPIsStayApart(t *testing.T) {
	t.Parallel()
	event := rest("GET", "/Users")
	event.Headers = map[string]string{"x-a": "2"} // API Gateway puts the last one here
	event.MultiValueHeaders["x-a"] = []string{"1", "2"}
	r, _ := seen(t, event)
	if got := fmt.Sprint(r.Header.Values("X-A")); got != "[1 2]" {
		t.Errorf("X-A arrived as %s", got)
	}
	event.MultiValueHeaders = nil
	if r, _ := seen(t, event); r.Header.Get("X-A") != "2" {
		t.Error("an event with headers only: they must arrive")
	}
}

// The paths of a REST API come as the client encoded them; those of an HTTP API, and of "sam local" for either, decoded.
func TestPathIsWhatTheClientMeant(t *testing.T) {
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
		event := rest("GET", path)
		event.MultiValueQueryStringParameters = map[string][]string{"count": {"1"}}
		checkPath(t, "REST API, "+path, event, want)
	}
	v2 := map[string]string{
		"/Users/100%":    "/Users/100%",
		"/Users/100%25":  "/Users/100%25", // decoded already: the client sent %2525
		"/Users/a?b=c":   "/Users/a?b=c",
		"/Users/a#b":     "/Users/a#b",
		"/Users/é 世":     "/Users/é 世",
		"//Users":        "//Users",
		"/prod/Users/x":  "/prod/Users/x", // a stage with a name, or an API mapping, is part of rawPath
		"":               "/",
		"Users":          "/Users",
		"https://x.test": "/https://x.test",
	}
	bare := httpAPI("GET", "")
	bare.RequestContext.HTTP.Path, bare.RawQueryString = "/Users", "count=1"
	checkPath(t, "HTTP API, no rawPath", bare, "/Users")
	for path, want := range v2 {
		event := httpAPI("GET", path)
		event.RawQueryString = "count=1"
		checkPath(t, "HTTP API, "+path, event, want)
	}
}

func checkPath(t *testing.T, what string, event any, want string) {
	t.Helper()
	r, _ := seen(t, event)
	if r.URL.Path != want {
		t.Errorf("%s: path %q, want %q", what, r.URL.Path, want)
	}
	if r.URL.RawQuery != "count=1" {
		t.Errorf("%s: query %q, want count=1", what, r.URL.RawQuery)
	}
	// The request must be one that net/http could have read off a wire, with the same path and query.
	if u, err := url.ParseRequestURI("https://host" + r.RequestURI); err != nil || u.Path != want || u.RawQuery != "count=1" {
		t.Errorf("%s: request URI %q reads as %v (%v)", what, r.RequestURI, u, err)
	}
}

func TestPathOfAnHTTPAPIWithPayloadFormat1IsDecoded(t *testing.T) {
	t.Parallel()
	var event map[string]any
	b, _ := json.Marshal(rest("GET", "/Users/a%2Fb"))
	if err := json.Unmarshal(b, &event); err != nil {
		t.Fatal(err)
	}
	event["version"] = "1.0"
	if r, _ := seen(t, event); r.URL.Path != "/prod/Users/a%2Fb" {
		t.Errorf("path %q: what the gateway decoded was decoded again", r.URL.Path)
	}
}

func TestAnEncodedSlashStaysVisible(t *testing.T) {
	t.Parallel()
	if r, _ := seen(t, rest("GET", "/Users/a%2Fb")); r.URL.EscapedPath() != "/prod/Users/a%2Fb" {
		t.Errorf("escaped path %q, want the %%2F that the client sent", r.URL.EscapedPath())
	}
}

// API Gateway's own account of the request is the address, whatever the client puts into its headers.
func TestPublicAddress(t *testing.T) {
	t.Parallel()
	address := func(domain, path, public string) events.APIGatewayProxyRequest {
		event := rest("GET", path)
		event.RequestContext.DomainName, event.RequestContext.Path = domain, public
		for _, name := range []string{"Host", "X-Forwarded-Host", "Forwarded", "X-Original-Host"} {
			event.MultiValueHeaders[name] = []string{"evil.example"}
		}
		event.MultiValueHeaders["X-Forwarded-Proto"] = []string{"http"}
		event.MultiValueHeaders["X-Forwarded-Port"] = []string{"666"}
		return event
	}
	for _, c := range []struct {
		what  string
		event any
		want  string
	}{
		{"a stage", address(domain, "/Users", "/prod/Users"), "https://" + domain + "/prod/Users"},
		{"the root of a stage", address(domain, "/", "/prod"), "https://" + domain + "/prod"},
		{"a custom domain", address("scim.example.com", "/Users", "/Users"), "https://scim.example.com/Users"},
		{"a base path", address("scim.example.com", "/a/b/Users", "/a/b/Users"), "https://scim.example.com/a/b/Users"},
		{"no requestContext.path", address("scim.example.com", "/Users", ""), "https://scim.example.com/Users"},
		{"sam local, v1", address("127.0.0.1:3000", "/Users", "/{proxy+}"), "http://127.0.0.1:3000/Users"},
		{"sam local on an IPv6 address", address("[::1]:3000", "/Users", "/{proxy+}"), "http://[::1]:3000/Users"},
		{"an address", address("127.0.0.1", "/Users", "/Users"), "http://127.0.0.1/Users"},
		{"no domain name", address("", "/Users", ""), "/Users"},
	} {
		checkAddress(t, c.what, c.event, c.want)
	}
	v2 := httpAPI("GET", "/prod/Users")
	v2.Headers = map[string]string{"host": "evil.example", "x-forwarded-port": "666", "x-forwarded-proto": "http"}
	checkAddress(t, "HTTP API", v2, "https://"+domain+"/prod/Users")
	v2.RequestContext.DomainName = "localhost"
	v2.Headers["x-forwarded-port"] = "3000"
	checkAddress(t, "sam local, v2", v2, "http://localhost:3000/prod/Users")
	v2.Headers["x-forwarded-port"] = "3000@evil.example"
	checkAddress(t, "sam local, v2, no port", v2, "http://localhost/prod/Users")
}

func checkAddress(t *testing.T, what string, event any, want string) {
	t.Helper()
	r, _ := seen(t, event)
	if r.URL.String() != want || r.Host != r.URL.Host {
		t.Errorf("%s: address %s, host %s, want %s", what, r.URL, r.Host, want)
	}
	if r.Header.Get("Host") != "" {
		t.Errorf("%s: the Host header %q is left for a handler to trust", what, r.Header.Get("Host"))
	}
}

// The library would take the address from GO_API_HOST. Not parallel: it sets that variable.
func TestEnvironmentDoesNotChangeTheAddress(t *testing.T) {
	t.Setenv("GO_API_HOST", "https://evil.example/x")
	checkAddress(t, "REST API", rest("GET", "/Users"), "https://"+domain+"/prod/Users")
	checkAddress(t, "HTTP API", httpAPI("GET", "/Users"), "https://"+domain+"/Users")
}

// url.Query drops pairs that it cannot read. A filter that got lost would be a list of everybody.
func TestNoQueryIsLost(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"filter=a%zz", "filter=a;b", "%", "a=1&a=2&&b", "filter=userName+eq+%22x%22", "?"} {
		event := httpAPI("GET", "/Users")
		event.RawQueryString = raw
		if r, _ := seen(t, event); r.URL.RawQuery != raw {
			t.Errorf("HTTP API: %q became %q", raw, r.URL.RawQuery)
		}
	}
	event := httpAPI("GET", "/Users")
	event.QueryStringParameters = map[string]string{"filter": "a+b &c"} // an event written by hand
	if r, _ := seen(t, event); r.URL.Query().Get("filter") != "a+b &c" {
		t.Errorf("HTTP API: queryStringParameters became %q", r.URL.RawQuery)
	}
}

// A REST API hands over decoded names and values: whatever they hold, a strict reader must get them back.
func TestDecodedQueriesAreEncodedFaithfully(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		values := rapid.SliceOfN(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
			"a%zz", "a;b", "a&b=c", "a+b", `userName eq "x"`, "#", "", "%", "é"})), 1, 3)
		sent := rapid.MapOfN(rapid.String(), values, 1, 4).Draw(rt, "query")
		event := rest("GET", "/Users")
		event.MultiValueQueryStringParameters = sent
		event.QueryStringParameters = map[string]string{}
		for name, v := range sent {
			event.QueryStringParameters[name] = v[len(v)-1]
		}
		r, _ := seen(t, event)
		if got, err := url.ParseQuery(r.URL.RawQuery); err != nil || !reflect.DeepEqual(got, url.Values(sent)) {
			rt.Fatalf("%q became %q, read as %q (%v)", sent, r.URL.RawQuery, got, err)
		}
		event.MultiValueQueryStringParameters = nil
		r, _ = seen(t, event)
		for name, v := range event.QueryStringParameters {
			if got, err := url.ParseQuery(r.URL.RawQuery); err != nil || got.Get(name) != v {
				rt.Fatalf("%q became %q (%v)", event.QueryStringParameters, r.URL.RawQuery, err)
			}
		}
	})
}

func TestBodies(t *testing.T) {
	t.Parallel()
	const text = `{"userName":"jürgen"}`
	encoded := base64.StdEncoding.EncodeToString([]byte(text))
	for _, c := range []struct {
		body   string
		base64 bool
		want   string
	}{{text, false, text}, {encoded, true, text}, {"", false, ""}, {"", true, ""}, {encoded, false, encoded}} {
		v1, v2 := rest("POST", "/Users"), httpAPI("POST", "/Users")
		v1.Body, v1.IsBase64Encoded, v2.Body, v2.IsBase64Encoded = c.body, c.base64, c.body, c.base64
		v1.MultiValueHeaders["Content-Length"] = []string{"9999"}
		v2.Headers["content-length"] = "9999"
		for kind, event := range map[string]any{"REST": v1, "HTTP": v2} {
			r, body := seen(t, event)
			if body != c.want || r.ContentLength != int64(len(c.want)) {
				t.Errorf("%s API, %q: body %q of length %d, want %q", kind, c.body, body, r.ContentLength, c.want)
			}
			header := r.Header.Get("Content-Length")
			if (c.want == "") != (header == "") || c.want != "" && header != fmt.Sprint(len(c.want)) {
				t.Errorf("%s API, %q: Content-Length %q does not fit", kind, c.body, header)
			}
		}
	}
}

func TestPatternIsTheResourceThatMatched(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"/", "/{proxy+}"} {
		v1, v2 := rest("GET", "/x"), httpAPI("GET", "/x")
		v1.Resource, v2.RouteKey = pattern, "ANY "+pattern
		for _, event := range []any{v1, v2} {
			if r, _ := seen(t, event); r.Pattern != pattern {
				t.Errorf("%T: Pattern is %q, want %q", event, r.Pattern, pattern)
			}
		}
	}
}
