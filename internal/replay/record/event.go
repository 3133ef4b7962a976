package record

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"serverless-scim/internal/replay"
)

// The recorded API has this address and these names. They are invented.
const (
	publicHost = "abc123.execute-api.eu-central-1.amazonaws.com"
	publicURL  = "https://" + publicHost + "/prod"
	publicIP   = "203.0.113.10"
)

// A recordedEvent is the event of a REST API, with its members in the order in which API Gateway sends them.
type recordedEvent struct {
	Resource          string            `json:"resource"`
	Path              string            `json:"path"`
	HTTPMethod        string            `json:"httpMethod"`
	Headers           map[string]string `json:"headers"`
	MultiValueHeaders http.Header       `json:"multiValueHeaders"`
	Query             map[string]string `json:"queryStringParameters"`
	MultiValueQuery   url.Values        `json:"multiValueQueryStringParameters"`
	PathParameters    map[string]string `json:"pathParameters"`
	StageVariables    map[string]string `json:"stageVariables"`
	RequestContext    recordedContext   `json:"requestContext"`
	Body              *string           `json:"body"`
	IsBase64Encoded   bool              `json:"isBase64Encoded"`
}

type recordedContext struct {
	AccountID         string           `json:"accountId"`
	APIID             string           `json:"apiId"`
	DomainName        string           `json:"domainName"`
	DomainPrefix      string           `json:"domainPrefix"`
	ExtendedRequestID string           `json:"extendedRequestId"`
	HTTPMethod        string           `json:"httpMethod"`
	Identity          recordedIdentity `json:"identity"`
	Path              string           `json:"path"`
	Protocol          string           `json:"protocol"`
	RequestID         string           `json:"requestId"`
	RequestTime       string           `json:"requestTime"`
	RequestTimeEpoch  int64            `json:"requestTimeEpoch"`
	ResourceID        string           `json:"resourceId"`
	ResourcePath      string           `json:"resourcePath"`
	Stage             string           `json:"stage"`
}

type recordedIdentity struct {
	SourceIP  string  `json:"sourceIp"`
	UserAgent *string `json:"userAgent"`
}

// newEvent returns the event of a request. The header, the query, and the body are scrubbed. n makes the request IDs
// differ, and sinceStart is the time since the first request.
func newEvent(n int, method, target string, header http.Header, query url.Values, body []byte,
	sinceStart time.Duration) recordedEvent {
	noise := sha256.Sum256(fmt.Append(nil, n))
	id := fmt.Sprintf("%x", noise[:16])
	at := time.Date(2026, 1, 1, 0, 0, 1, 0, time.UTC).Add(sinceStart)
	e := recordedEvent{
		Resource: "/{proxy+}", Path: target, HTTPMethod: method, MultiValueHeaders: header, MultiValueQuery: query,
		PathParameters: map[string]string{"proxy": strings.TrimPrefix(target, "/")},
		RequestContext: recordedContext{
			AccountID: "123456789012", APIID: "abc123", DomainName: publicHost, DomainPrefix: "abc123",
			ExtendedRequestID: base64.StdEncoding.EncodeToString(noise[16:27]), HTTPMethod: method,
			Identity: recordedIdentity{SourceIP: publicIP}, Path: "/prod" + target, Protocol: "HTTP/1.1",
			RequestID:   strings.Join([]string{id[:8], id[8:12], id[12:16], id[16:20], id[20:]}, "-"),
			RequestTime: at.Format("02/Jan/2006:15:04:05 -0700"), RequestTimeEpoch: at.UnixMilli(),
			ResourceID: "d4e5f6", ResourcePath: "/{proxy+}", Stage: "prod",
		},
	}
	header.Set("Host", publicHost)
	header.Set("X-Amzn-Trace-Id", fmt.Sprintf("Root=1-%x-%s", at.Unix(), id[:24]))
	header.Set("X-Forwarded-For", publicIP)
	header.Set("X-Forwarded-Port", "443")
	header.Set("X-Forwarded-Proto", "https")
	e.Headers = lastValues(header)
	if agent := header.Get("User-Agent"); agent != "" {
		e.RequestContext.Identity.UserAgent = &agent
	}
	if e.Query = lastValues(query); len(query) == 0 {
		e.Query, e.MultiValueQuery = nil, nil
	}
	if len(body) > 0 {
		text := string(body)
		if e.IsBase64Encoded = !utf8.Valid(body); e.IsBase64Encoded {
			text = base64.StdEncoding.EncodeToString(body)
		}
		e.Body = &text
	}
	return e
}

// lastValues returns the last value of each name, as API Gateway does.
func lastValues(values map[string][]string) map[string]string {
	last := map[string]string{}
	for name, v := range values {
		last[name] = v[len(v)-1]
	}
	return last
}

// stepName describes a request in the form of a file's name. It contains nothing that the client chose freely.
func stepName(x *exchange) string {
	name := map[string]string{
		"users": "user", "groups": "group", "schemas": "schema", "resourcetypes": "resource-type", "roles": "role",
		"entitlements": "entitlement", "serviceproviderconfig": "configuration",
	}[strings.ToLower(x.endpoint)]
	if name == "" {
		name = "resource"
	}
	switch {
	case x.setup:
		return "existing-" + name
	case x.id == ".search":
		return "search-" + name + "s"
	case x.method == http.MethodGet && x.id == "" && x.query.Has("filter"):
		return "find-" + name
	case x.method == http.MethodGet && x.id == "":
		return "list-" + name + "s"
	}
	verb := map[string]string{
		http.MethodGet: "read", http.MethodPost: "create", http.MethodPut: "replace", http.MethodPatch: "update",
		http.MethodDelete: "delete", http.MethodHead: "head",
	}[x.method]
	if verb == "" {
		verb = "other"
	}
	return verb + "-" + name
}

// newExpectation returns the expected response of a step. The body is scrubbed.
func newExpectation(x *exchange, header map[string]string, body []byte) replay.Expectation {
	want := replay.Expectation{Provenance: "recorded", Status: x.Response.Status, Headers: header}
	if x.setup {
		return replay.Expectation{Provenance: "derived", Setup: true, Status: http.StatusCreated, Body: body,
			Note: "The resource existed before the recording."}
	}
	if len(body) > 0 {
		want.Body = timestampPattern().ReplaceAll(body, []byte(`"$1":"2026-01-01T00:00:00Z"`))
	}
	return want
}

// splitTarget returns the endpoint and the segment after it of a path below base. ok is false if the path has another
// form.
func splitTarget(base, escapedPath string) (endpoint, id string, ok bool) {
	target, ok := strings.CutPrefix(escapedPath, strings.TrimSuffix(base, "/")+"/")
	target = strings.TrimSuffix(target, "/")
	endpoint, id, _ = strings.Cut(target, "/")
	return endpoint, id, ok && target == strings.TrimPrefix(path.Clean("/"+target), "/") && !strings.Contains(id, "/")
}

// indentedJSON returns a value as an indented JSON text.
func indentedJSON(v any) ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return []byte(b.String()), err
}

var timestampPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`"(created|lastModified)":\s*"[^"]*"`)
})
