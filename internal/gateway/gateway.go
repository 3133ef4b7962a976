// Package gateway serves API Gateway events with an http.Handler. It converts REST API (v1) and HTTP API (v2) events to
// requests, and the handler's responses to the form that API Gateway expects. It does not route, read the environment, or
// depend on SCIM or storage. Begin with [New]: lambda.Start serves the Handler that it returns.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/awslabs/aws-lambda-go-api-proxy/core"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ErrEvent is wrapped by the error that Invoke returns for a payload that is not a well-formed API Gateway event.
var ErrEvent = errors.New("gateway: not an API Gateway event")

// ErrBinary is returned by Invoke if the handler's response body is not UTF-8 text. API Gateway would send such a body
// to the client as base64.
var ErrBinary = errors.New("gateway: response body is not UTF-8 text")

// ErrTooLarge is wrapped by the error that Invoke returns if the response exceeds Lambda's limit. Lambda's runtime API
// rejects a larger response, and aws-lambda-go then ends the process.
var ErrTooLarge = errors.New("gateway: response is too large for Lambda")

// maxPayloadBytes is Lambda's limit for the JSON of a synchronous response.
const maxPayloadBytes = 6_291_556

// Handler serves API Gateway proxy events. It implements lambda.Handler, so lambda.Start(handler) serves it. It is safe
// for concurrent use if its http.Handler is.
type Handler struct{ http http.Handler }

// New returns a Handler that serves events with h. The URL of every request is absolute: it is the address that the
// client used. Scheme and host come from the event's request context and never from a header that a client can set. The
// URL has no scheme and host if the event has no domain name.
func New(h http.Handler) *Handler { return &Handler{http: h} }

// Invoke serves one event and returns the proxy response, both as JSON. The request's context is ctx. Invoke returns an
// error and no response in these cases:
//
//   - the payload is not an API Gateway event, or its body is not valid base64 although the event says so (ErrEvent);
//   - the handler panicked;
//   - the response body is not text (ErrBinary);
//   - the response is too large (ErrTooLarge).
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var e event
	if err := json.Unmarshal(payload, &e, lenient()); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrEvent, err)
	}
	switch {
	case e.isHTTP():
		return h.invokeHTTP(ctx, &e)
	case e.isREST():
		return h.invokeREST(ctx, &e)
	}
	return nil, fmt.Errorf("%w: expected a proxy event of a REST API (httpMethod, path, requestContext) "+
		"or of an HTTP API (version 2.0, rawPath, requestContext.http)", ErrEvent)
}

// RequestID returns the ID that API Gateway assigned to the request, which its access log contains too. It returns ""
// if r was not made by a Handler or the event has no ID.
func RequestID(r *http.Request) string {
	if c, ok := core.GetAPIGatewayContextFromContext(r.Context()); ok {
		return c.RequestID
	}
	c, _ := core.GetAPIGatewayV2ContextFromContext(r.Context())
	return c.RequestID
}

// lenient returns options that read and write what is not UTF-8 as U+FFFD, and read the later of two fields with the same
// name.
func lenient() json.Options {
	return json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
}

func (h *Handler) invokeREST(ctx context.Context, e *event) ([]byte, error) {
	r, err := e.restRequest(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrEvent, err)
	}
	w := core.NewProxyResponseWriter()
	if err := h.serve(w, r); err != nil {
		return nil, err
	}
	response, err := w.GetProxyResponse()
	return encodeResponse(response, response.IsBase64Encoded, err)
}

func (h *Handler) invokeHTTP(ctx context.Context, e *event) ([]byte, error) {
	r, err := e.httpRequest(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrEvent, err)
	}
	w := core.NewProxyResponseWriterV2()
	if err := h.serve(w, r); err != nil {
		return nil, err
	}
	response, err := w.GetProxyResponse()
	return encodeResponse(response, response.IsBase64Encoded, err)
}

// encodeResponse returns the JSON of a proxy response. It returns err if that is not nil, ErrBinary if binary is true,
// and ErrTooLarge if the JSON exceeds maxPayloadBytes.
func encodeResponse(response any, binary bool, err error) ([]byte, error) {
	if err == nil && binary {
		err = ErrBinary
	}
	if err != nil {
		return nil, err
	}
	out, err := json.Marshal(response, lenient()) // HTML is not escaped: an escaped & would count as six bytes
	if err != nil {
		return nil, err
	}
	if len(out) > maxPayloadBytes {
		return nil, fmt.Errorf("%w: %d bytes of JSON, the limit is %d", ErrTooLarge, len(out), maxPayloadBytes)
	}
	return out, nil
}

// serve calls the http.Handler and returns an error if it panics. Otherwise aws-lambda-go would end the process, and
// the instance would lose its caches.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("gateway: the handler panicked: %v", v)
		}
	}()
	rw := &responseWriter{ResponseWriter: w, bodiless: r.Method == http.MethodHead}
	h.http.ServeHTTP(rw, r)
	rw.WriteHeader(http.StatusOK)
	w.Header().Del("Content-Length") // API Gateway may compress the body, and sets the length itself
	return nil
}

// responseWriter adds rules of net/http's server that the proxy library's writers lack. The first status is the one
// that is sent. A handler that writes nothing sends 200. HEAD, 204, and 304 have no body.
type responseWriter struct {
	http.ResponseWriter
	bodiless    bool
	wroteHeader bool
}

func (w *responseWriter) WriteHeader(status int) {
	if w.wroteHeader || status < http.StatusOK {
		return
	}
	w.wroteHeader = true
	w.bodiless = w.bodiless || status == http.StatusNoContent || status == http.StatusNotModified
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.bodiless {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}
