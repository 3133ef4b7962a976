package server

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/token"
)

// response is what a handler answers. This file alone writes to the connection.
type response struct {
	status   int
	header   map[string]string
	body     any    // nil: none; text: as it is; anything else: as JSON
	readOnly bool   // the body is what the request is for, whatever its method: nothing was done
	id       string // of the one resource that the body is about, if it is
	change   directory.ChangeSummary
}

// rawJSON is a body that is JSON already.
type rawJSON []byte

const mediaType = "application/scim+json"

// write sends the response and tells its status.
func (resp *response) write(w http.ResponseWriter, r *http.Request) int {
	body, err := resp.encode()
	if err == nil && !fitsLambdaResponse(body) {
		if err = tooLargeError(resp.id); !resp.readOnly && r.Method != http.MethodGet && r.Method != http.MethodHead {
			resp, body, err = &response{status: http.StatusNoContent}, nil, nil // what is done is done, and told without a body
		}
	}
	if err != nil {
		resp = errorResponse(err)
		body, _ = resp.encode()
	}
	if body != nil {
		w.Header().Set("Content-Type", mediaType)
		if r.Method != http.MethodHead { // RFC 9110 §8.6: it would have to be that of GET, which whoever compresses changes
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		}
	}
	for name, v := range resp.header {
		w.Header().Set(name, v)
	}
	w.WriteHeader(resp.status)
	if r.Method != http.MethodHead {
		w.Write(body) // whether the client still listens changes nothing
	}
	return resp.status
}

// maxResponseBytes is the largest body, with its quotes escaped as they are within an answer of a Lambda function, of which
// 6 MB are taken.
const maxResponseBytes = 6<<20 - 16<<10

func fitsLambdaResponse(body []byte) bool {
	return len(body)+bytes.Count(body, []byte{'"'})+bytes.Count(body, []byte{'\\'}) <= maxResponseBytes
}

// tooLargeError is the answer in place of one that is too large. The members of a group are also found page by page.
func tooLargeError(group string) error {
	group = cmp.Or(group, "ID")
	return scim.BadRequest(scim.TooMany, "The answer is larger than 6 MB. Ask for less: excludedAttributes=members, attributes "+
		"or a smaller count. The members of a group are also found page by page: /Users?filter=groups.value eq \"%s\".", group)
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

// methodNotAllowedError says that the endpoint has other methods.
type methodNotAllowedError struct{ methods methods }

func (e *methodNotAllowedError) Error() string { return "method not allowed" }

// panicError is a recovered panic.
type panicError struct {
	value any
	stack string
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

func stack() string { return string(debug.Stack()) }

// errorResponse is the response to an error (RFC 7644 §3.12). What is no fault of the request and passes is 429: the one
// failure that Okta repeats by itself, if Retry-After is in whole seconds.
func errorResponse(err error) *response {
	var known *scim.Error
	var method *methodNotAllowedError
	var waits *retryAfterError
	switch {
	case errors.As(err, &waits):
		return newErrorResponse(waits.err, map[string]string{"Retry-After": strconv.Itoa(waits.seconds)})
	case errors.As(err, &known):
		return newErrorResponse(known, nil)
	case errors.Is(err, token.ErrUnauthorized):
		return newErrorResponse(&scim.Error{Status: http.StatusUnauthorized,
			Detail: "Send a valid token, as Authorization: Bearer TOKEN."}, map[string]string{"WWW-Authenticate": "Bearer"})
	case directory.IsTransient(err):
		return newErrorResponse(&scim.Error{Status: http.StatusTooManyRequests,
			Detail: "The service is busy. Repeat the request in a few seconds."}, map[string]string{"Retry-After": "2"})
	case errors.As(err, &method):
		allowed := strings.Join(slices.Sorted(maps.Keys(method.methods)), ", ")
		return newErrorResponse(&scim.Error{Status: http.StatusMethodNotAllowed,
			Detail: "This endpoint takes only " + allowed + "."}, map[string]string{"Allow": allowed})
	}
	return newErrorResponse(&scim.Error{Status: http.StatusInternalServerError,
		Detail: "The request failed for a reason that is not its own. Tell the operator; the log has the cause."}, nil)
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

// loggableCause is what of an error belongs in the log. What the client is told stays between us: it may quote the request.
func loggableCause(err error) error {
	if known := (*scim.Error)(nil); errors.As(err, &known) {
		return known.Err
	}
	return err
}
