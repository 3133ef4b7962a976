package replay

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// A Response is an HTTP response with its body.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// A Target sends the request of an event to a server or a function and returns the response. It returns an error if
// there is no response; an error status is not an error.
type Target func(context.Context, events.APIGatewayProxyRequest) (Response, error)

// FunctionTarget returns a Target that sends events unchanged to a function, such as Handler.Invoke of package gateway.
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

// HTTPTarget returns a Target that sends the requests of events over HTTP. The path of each event is appended to base.
// A redirect is returned as the response and not followed.
func HTTPTarget(client *http.Client, base string) Target {
	direct := *client
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return func(ctx context.Context, e events.APIGatewayProxyRequest) (Response, error) {
		address := strings.TrimSuffix(base, "/") + e.Path
		if len(e.MultiValueQueryStringParameters) > 0 {
			query := url.Values(e.MultiValueQueryStringParameters).Encode()
			address += "?" + strings.ReplaceAll(query, "+", "%20") // Okta sends a space as %20
		}
		requestBody, err := decodedBody(e)
		if err != nil {
			return Response{}, err
		}
		r, err := http.NewRequestWithContext(ctx, e.HTTPMethod, address, bytes.NewReader(requestBody))
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

// decodedBody returns the body of an event. API Gateway encodes the body in base64 if the API has binary media types.
func decodedBody(e events.APIGatewayProxyRequest) ([]byte, error) {
	if e.IsBase64Encoded {
		return base64.StdEncoding.DecodeString(e.Body)
	}
	return []byte(e.Body), nil
}

// isTransportHeader reports whether a header belongs to the connection of the recording or was added by API Gateway.
// Such headers are not sent. Accept-Encoding is among them, so that the HTTP client sets it and decompresses the
// response.
func isTransportHeader(name string) bool {
	name = strings.ToLower(name)
	for _, prefix := range []string{"x-forwarded-", "x-amzn-", "cloudfront-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains([]string{"host", "content-length", "connection", "accept-encoding", "via"}, name)
}
