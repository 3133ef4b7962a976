package gateway

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/core"
	"github.com/go-json-experiment/json/jsontext"
)

// An event has the fields of both payload formats that this package uses. Fields of one format are empty in the other. The
// types of package events have many more fields, and take twice as long to decode.
type event struct {
	Version           string              `json:"version"` // 2.0 or 1.0 from an HTTP API, absent from a REST API
	Headers           map[string]string   `json:"headers"`
	Query             map[string]string   `json:"queryStringParameters"`
	Body              string              `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
	Method            string              `json:"httpMethod"` // this and the next four: v1
	Path              string              `json:"path"`
	Resource          string              `json:"resource"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	MultiValueQuery   map[string][]string `json:"multiValueQueryStringParameters"`
	RawPath           string              `json:"rawPath"` // this and the next three: v2
	RawQuery          string              `json:"rawQueryString"`
	RouteKey          string              `json:"routeKey"`
	Cookies           []string            `json:"cookies"`
	RequestContext    struct {
		RequestID  string         `json:"requestId"`
		DomainName string         `json:"domainName"`
		Path       string         `json:"path"`
		ELB        jsontext.Value `json:"elb"` // a load balancer's event otherwise has the form of a v1 event
		Identity   struct {
			SourceIP string `json:"sourceIp"`
		} `json:"identity"`
		HTTP struct {
			Method   string `json:"method"`
			Path     string `json:"path"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
	} `json:"requestContext"`
}

// isHTTP reports whether the event is one of an HTTP API in its own payload format (v2).
func (e *event) isHTTP() bool { return e.Version == "2.0" && e.RequestContext.HTTP.Method != "" }

// isREST reports whether the event is one of a REST API, or of an HTTP API with payload format 1.0 (v1).
func (e *event) isREST() bool { return e.Method != "" && e.RequestContext.ELB == nil }

// The proxy library converts an event in three ways that are wrong here. It concatenates strings to a URL, so a "?" in
// a path begins a query and a stray "%" is an error. It splits v2 headers at every comma. It takes the host from the
// environment variable GO_API_HOST if that is set. Therefore the library gets each event without path, query, and
// headers, and this file sets them on the request that the library returns. One fault remains: if GO_API_HOST is not a
// valid URL, every event fails.

// restRequest returns the request of a v1 event. A REST API leaves the path percent-encoded, as the client sent it. An
// HTTP API with payload format 1.0 decodes it. Both decode the query. The request's Pattern is the API Gateway resource
// that matched.
func (e *event) restRequest(ctx context.Context) (*http.Request, error) {
	header := make(http.Header, len(e.MultiValueHeaders))
	for name, values := range e.MultiValueHeaders {
		key := http.CanonicalHeaderKey(name)
		header[key] = append(header[key], values...)
	}
	if e.MultiValueHeaders == nil {
		header = singleValueHeader(e.Headers)
	}
	query := url.Values(e.MultiValueQuery)
	if query == nil {
		query = singleValueQuery(e.Query)
	}
	address := origin(e.RequestContext.DomainName, header)
	setPath(address, e.publicPath(), e.Version == "")
	address.RawQuery = query.Encode()

	bare := events.APIGatewayProxyRequest{Path: "/", HTTPMethod: e.Method, Body: e.Body, IsBase64Encoded: e.IsBase64Encoded}
	bare.RequestContext.RequestID = e.RequestContext.RequestID
	bare.RequestContext.Identity.SourceIP = e.RequestContext.Identity.SourceIP
	r, err := new(core.RequestAccessor).EventToRequestWithContext(ctx, bare)
	if err != nil {
		return nil, err
	}
	r.Pattern = e.Resource
	return setAddress(r, address, header), nil
}

// httpRequest returns the request of a v2 event. An HTTP API decodes the path, so a "%" in it is a literal percent
// sign. It leaves the query as the client sent it.
func (e *event) httpRequest(ctx context.Context) (*http.Request, error) {
	header, call := singleValueHeader(e.Headers), e.RequestContext.HTTP
	address := origin(e.RequestContext.DomainName, header)
	setPath(address, cmp.Or(e.RawPath, call.Path), false)
	if address.RawQuery = e.RawQuery; e.RawQuery == "" {
		address.RawQuery = singleValueQuery(e.Query).Encode()
	}

	bare := events.APIGatewayV2HTTPRequest{RawPath: "/", Cookies: e.Cookies, Body: e.Body, IsBase64Encoded: e.IsBase64Encoded}
	bare.RequestContext.RequestID = e.RequestContext.RequestID
	bare.RequestContext.HTTP.Method, bare.RequestContext.HTTP.SourceIP = call.Method, call.SourceIP
	r, err := new(core.RequestAccessorV2).EventToRequestWithContext(ctx, bare)
	if err != nil {
		return nil, err
	}
	_, r.Pattern, _ = strings.Cut(e.RouteKey, " ")
	return setAddress(r, address, header), nil
}

// setAddress sets the address and the headers of a request as net/http's server does: the host is a field and not a
// header. Content-Length is the length of the decoded body and not the length that the client's header states.
func setAddress(r *http.Request, address *url.URL, header http.Header) *http.Request {
	header.Del("Host")
	header.Del("Content-Length")
	if r.ContentLength > 0 {
		header.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	for name, values := range header {
		r.Header[name] = values
	}
	r.URL, r.Host, r.RequestURI = address, address.Host, address.RequestURI()
	return r
}

// publicPath returns the path that the client used. At a REST API's own address, e.Path lacks the stage, and
// requestContext.path has it. At a custom domain whose base path mapping names a stage, both have the base path and
// lack the stage. "sam local" sets requestContext.path to the resource ("/v2/{proxy+}"), so e.Path is used if it is not
// the end of requestContext.path.
func (e *event) publicPath() string {
	public := e.RequestContext.Path
	if strings.HasSuffix(strings.TrimSuffix(public, "/"), strings.TrimSuffix(e.Path, "/")) {
		return public
	}
	return e.Path
}

// setPath sets the path of u. If encoded is true and raw is validly percent-encoded, setPath decodes raw as net/http
// decodes the path of a request line. Otherwise raw is the decoded path.
func setPath(u *url.URL, raw string, encoded bool) {
	if !strings.HasPrefix(raw, "/") {
		raw = "/" + raw
	}
	u.Path = raw
	if path, err := url.PathUnescape(raw); encoded && err == nil {
		u.Path = path
		if u.EscapedPath() != raw {
			u.RawPath = raw
		}
	}
}

// origin returns the scheme and host that the client used. API Gateway accepts only https, and its domain names have no
// port and are not IP addresses. A domain with a port, an IP address, or "localhost" is "sam local start-api", which
// accepts only http. For a v2 event, "sam local" sets the domain to "localhost" and states the port in
// X-Forwarded-Port. On AWS the domain is never "localhost", so no client can set the port.
func origin(domain string, header http.Header) *url.URL {
	if domain == "" {
		return &url.URL{} // an event that was written by hand: no origin is better than a wrong one
	}
	if port := header.Get("X-Forwarded-Port"); domain == "localhost" && isPort(port) {
		domain += ":" + port
	}
	if domain == "localhost" || strings.Contains(domain, ":") || net.ParseIP(domain) != nil {
		return &url.URL{Scheme: "http", Host: domain}
	}
	return &url.URL{Scheme: "https", Host: domain}
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// singleValueHeader returns a header with one value for each name. HTTP APIs join the values of a repeated header with
// commas. The values are not split again, because a comma may belong to a value (dates, User-Agent), and by RFC 9110
// §5.3 the joined form has the same meaning.
func singleValueHeader(values map[string]string) http.Header {
	header := make(http.Header, len(values))
	for name, value := range values {
		header.Set(name, value)
	}
	return header
}

func singleValueQuery(values map[string]string) url.Values {
	query := make(url.Values, len(values))
	for name, value := range values {
		query.Set(name, value)
	}
	return query
}
