package oauth

import (
	"errors"
	"net/http"
	"strconv"

	"serverless-scim/internal/table"
)

// A Response is the response to a request of an OAuth client.
type Response struct {
	Status int
	Header map[string]string
	Body   any // encoded as JSON

	// Tenant and Client name the client for the log. They are empty unless the client exists, because a request can contain
	// any text.
	Tenant, Client string
}

// A requestError reports a request that is not valid, with an error code of RFC 6749 §5.2. The description is for the
// client. It contains nothing of the request.
type requestError struct{ code, description string }

func (e *requestError) Error() string { return "oauth: " + e.code + ": " + e.description }

// A clientError reports that a client did not authenticate. The reason is for the log only.
type clientError struct{ reason string }

func (e *clientError) Error() string { return "oauth: invalid_client: " + e.reason }

// A limitError reports too many requests.
type limitError struct {
	seconds     int // until the next request
	description string
}

func (e *limitError) Error() string { return "oauth: " + e.description }

// A methodError reports an HTTP method that an endpoint does not have.
type methodError struct{ allowed string }

func (e *methodError) Error() string { return "oauth: method not allowed" }

// An errorBody is the body of an error response (RFC 6749 §5.2).
type errorBody struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

// busySeconds is the Retry-After of a response to a transient error.
const busySeconds = 2

// ErrorResponse returns the response to an error. RFC 6749 has no error code for limits and failures of the token endpoint.
// The codes are those of the authorization endpoint (§4.1.2.1), with the status that §4.1.2.1 says they stand for.
func ErrorResponse(err error) Response {
	var request *requestError
	var client *clientError
	var limit *limitError
	var method *methodError
	switch {
	case errors.As(err, &request):
		return errorResponse(http.StatusBadRequest, request.code, request.description)
	case errors.As(err, &client):
		return errorResponse(http.StatusUnauthorized, "invalid_client", "The client did not authenticate. Check the ID "+
			"of the client, and that its secret or its assertion is valid, or ask the operator for a new secret.",
			"WWW-Authenticate", `Basic realm="SCIM"`)
	case errors.As(err, &limit):
		return errorResponse(http.StatusTooManyRequests, "temporarily_unavailable", limit.description,
			"Retry-After", strconv.Itoa(limit.seconds))
	case errors.As(err, &method):
		return errorResponse(http.StatusMethodNotAllowed, "invalid_request",
			"The endpoint does not support this method. Use "+method.allowed+".", "Allow", method.allowed)
	case errors.Is(err, errFetch):
		return errorResponse(http.StatusServiceUnavailable, "temporarily_unavailable", "The issuer of the assertion cannot be "+
			"reached. Repeat the request in a minute.", "Retry-After", strconv.Itoa(int(refetchInterval.Seconds())))
	case table.IsTransient(err):
		return errorResponse(http.StatusServiceUnavailable, "temporarily_unavailable",
			"The service is busy. Repeat the request in a few seconds.", "Retry-After", strconv.Itoa(busySeconds))
	}
	return errorResponse(http.StatusInternalServerError, "server_error",
		"An internal error occurred. Contact the operator, who finds the cause in the log.")
}

// errorResponse returns an error response. header holds pairs of names and values.
func errorResponse(status int, code, description string, header ...string) Response {
	resp := Response{Status: status, Header: uncachedHeader(), Body: errorBody{code, description}}
	for i := 0; i+1 < len(header); i += 2 {
		resp.Header[header[i]] = header[i+1]
	}
	return resp
}

// uncachedHeader returns the header of a response that no cache may keep (RFC 6749 §5.1).
func uncachedHeader() map[string]string {
	return map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache"}
}
