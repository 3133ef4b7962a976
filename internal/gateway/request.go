package gateway

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/core"
)

// The library builds a URL by joining strings, so that a "?" in a path becomes a query and a stray "%" an error; it
// splits v2 headers at every comma; and it takes the host from the environment variable GO_API_HOST if there is one. So
// it is given the events without path, query and headers, which are put into its request here. Only a GO_API_HOST that
// is no URL still does harm: every event is an error then.

// restRequest makes the request of a v1 event. A REST API leaves the path as the client encoded it, an HTTP API with
// payload format 1.0 decodes it; either decodes the query. The request's Pattern is the gateway's resource that matched.
func restRequest(ctx context.Context, e events.APIGatewayProxyRequest, encoded bool) (*http.Request, error) {
	header := http.Header{}
	for name, values := range e.MultiValueHeaders {
		key := http.CanonicalHeaderKey(name)
		header[key] = append(header[key], values...)
	}
	if e.MultiValueHeaders == nil {
		header = singleValueHeader(e.Headers)
	}
	query := url.Values(e.MultiValueQueryStringParameters)
	if query == nil {
		query = singleValueQuery(e.QueryStringParameters)
	}
	address := origin(e.RequestContext.DomainName, header)
	setPath(address, publicPath(e), encoded)
	address.RawQuery = query.Encode()

	e.Path, e.Headers, e.MultiValueHeaders = "/", nil, nil
	e.QueryStringParameters, e.MultiValueQueryStringParameters = nil, nil
	r, err := new(core.RequestAccessor).EventToRequestWithContext(ctx, e)
	if err != nil {
		return nil, err
	}
	r.Pattern = e.Resource
	return setAddress(r, address, header), nil
}

// httpRequest makes the request of a v2 event. An HTTP API decodes the path (a "%" in it is a percent sign) and leaves
// the query as the client sent it.
func httpRequest(ctx context.Context, e events.APIGatewayV2HTTPRequest) (*http.Request, error) {
	header := singleValueHeader(e.Headers)
	address := origin(e.RequestContext.DomainName, header)
	path := e.RawPath
	if path == "" {
		path = e.RequestContext.HTTP.Path
	}
	setPath(address, path, false)
	address.RawQuery = e.RawQueryString
	if address.RawQuery == "" {
		address.RawQuery = singleValueQuery(e.QueryStringParameters).Encode()
	}

	e.RawPath, e.RawQueryString, e.Headers, e.QueryStringParameters = "/", "", nil, nil
	r, err := new(core.RequestAccessorV2).EventToRequestWithContext(ctx, e)
	if err != nil {
		return nil, err
	}
	_, r.Pattern, _ = strings.Cut(e.RouteKey, " ")
	return setAddress(r, address, header), nil
}

// setAddress gives the library's request its address and headers, as net/http's own server would: the host is a field,
// and the length is that of the body as it is read here, after base64.
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

// publicPath is the path that the client sees. In path a REST API's own address has lost its stage and a custom domain
// has kept its base path; requestContext.path holds either. "sam local" puts the resource ("/{proxy+}") there instead.
func publicPath(e events.APIGatewayProxyRequest) string {
	public := e.RequestContext.Path
	if strings.HasSuffix(strings.TrimSuffix(public, "/"), strings.TrimSuffix(e.Path, "/")) {
		return public
	}
	return e.Path
}

// setPath takes raw as net/http takes the path of a request line if it is validly percent-encoded, and otherwise, or
// if it is known to be decoded, as it stands.
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

// origin is the scheme and host that the client used. API Gateway speaks https only, and its domain names have neither
// port nor address: those are "sam local start-api", which speaks http. For v2 it says just "localhost", and the port
// in a header that it sets itself; no client of the real one can name it so.
func origin(domain string, header http.Header) *url.URL {
	if domain == "" {
		return &url.URL{} // an event written by hand: no address is better than a wrong one
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

// singleValueHeader is a header of one value for each name. HTTP APIs join what a client repeats with commas; a comma may as well
// belong to the value (dates, User-Agent), and RFC 9110 §5.3 gives the joined form the same meaning.
func singleValueHeader(values map[string]string) http.Header {
	header := make(http.Header, len(values))
	for name, value := range values {
		header.Set(name, value)
	}
	return header
}

func singleValueQuery(single map[string]string) url.Values {
	v := make(url.Values, len(single))
	for name, value := range single {
		v.Set(name, value)
	}
	return v
}
