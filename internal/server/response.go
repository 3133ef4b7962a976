package server

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/leniency"
	"serverless-scim/internal/oauth"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/token"
)

// A response is the result of a handler. Only this file writes responses to the connection.
type response struct {
	status   int
	header   map[string]string
	body     any    // nil for no body; rawJSON is sent unchanged, any other value is encoded as JSON
	readOnly bool   // the request changed nothing, whatever its method
	id       string // of the resource in the body, if there is exactly one
	change   directory.ChangeSummary
}

// rawJSON is an encoded JSON body.
type rawJSON []byte

const mediaType = "application/scim+json"

// resourceResponse returns a response that contains one resource, with the attributes that p selects.
func (r *request) resourceResponse(status int, res *directory.Resource, p scim.Projection) (*response, error) {
	location := res.Location()
	header := map[string]string{"ETag": res.EntityTag(p), "Location": location, "Content-Location": location}
	resp := &response{status: status, header: header, id: res.ID(), change: res.Summary}
	if r.omitBody {
		return resp, nil
	}
	body, err := res.AppendJSON(nil, p)
	if err != nil {
		return nil, err
	}
	resp.body = rawJSON(body)
	return resp, nil
}

// write sends the response and returns the status that it sent. If the body is too large, write sends an error instead.
// After a change, it sends 204 without a body, because an error would say that the request changed nothing.
func (resp *response) write(w http.ResponseWriter, r *http.Request) int {
	body, err := resp.encode()
	if err == nil && !fitsLambdaResponse(body) {
		if err = tooLargeError(resp.id); !resp.readOnly && r.Method != http.MethodGet && r.Method != http.MethodHead {
			resp, body, err = &response{status: http.StatusNoContent}, nil, nil
		}
	}
	if err != nil {
		resp = errorResponse(err)
		body, _ = resp.encode()
	}
	resp.setHeader(w.Header(), r, body)
	w.WriteHeader(resp.status)
	if r.Method != http.MethodHead {
		w.Write(body) // an error means that the client closed the connection, which changes nothing here
	}
	return resp.status
}

// setHeader sets the header fields of the response. Their values share one array.
func (resp *response) setHeader(h http.Header, r *http.Request, body []byte) {
	values := make([]string, 0, len(resp.header)+2)
	set := func(name, v string) {
		values = append(values, v)
		n := len(values)
		h[http.CanonicalHeaderKey(name)] = values[n-1 : n : n] // an append by another handler copies it
	}
	if body != nil {
		set("Content-Type", mediaType)
		// RFC 9110 §8.6: HEAD has the Content-Length of GET or none. Compression changes that of GET.
		if r.Method != http.MethodHead {
			set("Content-Length", strconv.Itoa(len(body)))
		}
	}
	for name, v := range resp.header {
		set(name, v)
	}
}

// maxResponseBytes is the largest body with its quotes and backslashes escaped. A Lambda function returns the body as a
// JSON string, in a response of at most 6 MB.
const maxResponseBytes = 6<<20 - 16<<10

func fitsLambdaResponse(body []byte) bool {
	return len(body)+bytes.Count(body, []byte{'"'})+bytes.Count(body, []byte{'\\'}) <= maxResponseBytes
}

// tooLargeError returns the error for a response that does not fit. group is the ID of a group, or "" if it is unknown.
func tooLargeError(group string) error {
	group = cmp.Or(group, "ID")
	return scim.BadRequest(scim.TooMany,
		"The response is larger than 6 MB. Request less: use excludedAttributes=members, "+
			"attributes, or a smaller count. To read the members of a group in pages, use "+
			"/Users?filter=groups.value eq \"%s\".", group)
}

func (resp *response) encode() ([]byte, error) {
	switch body := resp.body.(type) {
	case nil:
		return nil, nil
	case rawJSON:
		return body, nil
	default:
		return scim.EncodeJSON(body)
	}
}

// A methodNotAllowedError says that an endpoint has only the allowed methods.
type methodNotAllowedError struct{ allowed []string }

func (e *methodNotAllowedError) Error() string { return "method not allowed" }

// A panicError is a recovered panic.
type panicError struct {
	value any
	stack string
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

func stack() string { return string(debug.Stack()) }

// tooManyRequests returns a 429 error with the header Retry-After.
func tooManyRequests(seconds int, format string, args ...any) error {
	err := &scim.Error{Status: http.StatusTooManyRequests, Detail: fmt.Sprintf(format, args...)}
	return &errorWithHeader{err: err, name: "Retry-After", value: strconv.Itoa(seconds)}
}

// errorResponse returns the response to an error (RFC 7644 §3.12). A transient error is 429, because that is the only
// failure after which Okta repeats a request by itself. Okta requires Retry-After in whole seconds.
func errorResponse(err error) *response {
	var known *scim.Error
	var refused *leniency.RefusedError
	var method *methodNotAllowedError
	var extended *errorWithHeader
	switch {
	case errors.As(err, &extended):
		return newErrorResponse(extended.err, map[string]string{extended.name: extended.value})
	case errors.As(err, &known):
		return newErrorResponse(known, nil)
	case errors.As(err, &refused):
		return newErrorResponse(scim.BadRequest(scim.InvalidSyntax, "%s", refused.Detail), nil)
	case errors.Is(err, token.ErrUnauthorized):
		known = &scim.Error{Status: http.StatusUnauthorized,
			Detail: "Send a valid token, as Authorization: Bearer TOKEN. If it has expired, get a new one."}
		return newErrorResponse(known, map[string]string{"WWW-Authenticate": "Bearer"})
	case directory.IsTransient(err):
		return errorResponse(tooManyRequests(2, "The service is busy. Repeat the request in a few seconds."))
	case errors.As(err, &method):
		allowed := strings.Join(method.allowed, ", ")
		known = &scim.Error{Status: http.StatusMethodNotAllowed,
			Detail: "The endpoint does not support this method. Use one of " + allowed + "."}
		return newErrorResponse(known, map[string]string{"Allow": allowed})
	}
	return newErrorResponse(&scim.Error{Status: http.StatusInternalServerError,
		Detail: "An internal error occurred. Contact the operator, who finds the cause in the log."}, nil)
}

// errorResponse returns the response to an error of the route, in the form that its clients expect.
func (target *route) errorResponse(err error) *response {
	if target.oauth {
		return oauthResponse(oauth.ErrorResponse(err))
	}
	return errorResponse(err)
}

func oauthResponse(resp oauth.Response) *response {
	return &response{status: resp.Status, header: resp.Header, body: resp.Body}
}

func newErrorResponse(e *scim.Error, header map[string]string) *response {
	body := scim.Object{
		"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:Error"},
		"status":  strconv.Itoa(e.Status),
		"detail":  e.Detail,
	}
	if e.Type != "" {
		body["scimType"] = e.Type
	}
	return &response{status: e.Status, header: header, body: body}
}

// loggableCause returns the part of an error that the log may contain, or nil. The detail of a SCIM error is not part
// of it, because a detail can quote the request.
func loggableCause(err error) error {
	if err == nil {
		return nil
	}
	if known := (*scim.Error)(nil); errors.As(err, &known) {
		return known.Err
	}
	return err
}
