package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// An Answer is what a server answered.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// A Target answers events: a server, or a function. An error means that there was no answer.
type Target func(context.Context, events.APIGatewayProxyRequest) (Response, error)

// FunctionTarget sends events as they are to a function, such as Handler.Invoke.
func FunctionTarget(invoke func(context.Context, []byte) ([]byte, error)) Target {
	return func(ctx context.Context, e events.APIGatewayProxyRequest) (Response, error) {
		payload, err := json.Marshal(e)
		if err != nil {
			return Response{}, err
		}
		out, err := invoke(ctx, payload)
		if err != nil {
			return Response{}, err
		}
		var res events.APIGatewayProxyResponse
		err = json.Unmarshal(out, &res)
		return Response{res.StatusCode, http.Header(res.MultiValueHeaders), []byte(res.Body)}, err
	}
}

// HTTPTarget sends events to a server as the requests that they were made from; base is the address that their paths follow.
// A redirection is an answer like any other.
func HTTPTarget(client *http.Client, base string) Target {
	direct := *client
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return func(ctx context.Context, e events.APIGatewayProxyRequest) (Response, error) {
		address := strings.TrimSuffix(base, "/") + e.Path
		if len(e.MultiValueQueryStringParameters) > 0 {
			query := url.Values(e.MultiValueQueryStringParameters).Encode()
			address += "?" + strings.ReplaceAll(query, "+", "%20") // as Okta does
		}
		sent, err := decodedBody(e)
		if err != nil {
			return Response{}, err
		}
		r, err := http.NewRequestWithContext(ctx, e.HTTPMethod, address, bytes.NewReader(sent))
		if err != nil {
			return Response{}, err
		}
		for name, values := range e.MultiValueHeaders {
			if !isTransportHeader(name) {
				r.Header[http.CanonicalHeaderKey(name)] = values
			}
		}
		res, err := direct.Do(r)
		if err != nil {
			return Response{}, err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return Response{res.StatusCode, res.Header, body}, err
	}
}

// isTransportHeader tells whether a header belongs to the connection on which a request was recorded, or was added by API
// Gateway. Accept-Encoding is the client library's, so that it decompresses.
func isTransportHeader(name string) bool {
	name = strings.ToLower(name)
	for _, prefix := range []string{"x-forwarded-", "x-amzn-", "cloudfront-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains([]string{"host", "content-length", "connection", "accept-encoding", "via"}, name)
}
