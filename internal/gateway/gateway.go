// Package gateway serves API Gateway events with an http.Handler. It converts REST API (v1) and HTTP API (v2) events to
// requests, and the handler's responses to the form that API Gateway expects. It does not route, read the environment, or
// depend on SCIM or storage.
package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/core"
)

// ErrEvent is wrapped by what Invoke returns for a payload that no API Gateway sends.
var ErrEvent = errors.New("gateway: not an API Gateway event")

// ErrBinary is returned by Invoke when the handler's body is not UTF-8 text: API Gateway would hand it out as base64.
var ErrBinary = errors.New("gateway: the answer is not UTF-8 text")

// ErrTooLarge is wrapped by what Invoke returns when the answer is more than Lambda takes from a function: the runtime
// would refuse it, and aws-lambda-go end the process.
var ErrTooLarge = errors.New("gateway: the answer is too large for Lambda")

// maxPayloadBytes is Lambda's limit for an answer, in bytes of JSON.
const maxPayloadBytes = 6_291_556

// Handler answers API Gateway proxy events. It is a lambda.Handler, so that lambda.Start(handler) serves it.
type Handler struct{ http http.Handler }

// New makes a Handler that answers with h. The requests that h sees have an absolute URL, the address that the client
// used: what made it is the gateway's account of the request, never a header, which a client could set.
func New(h http.Handler) *Handler { return &Handler{http: h} }

// Invoke answers one event, given and returned as JSON. The request's context is ctx. An error means that there is no
// answer: the payload is of another kind (ErrEvent; a body that is not the base64 it claims to be, too, since the
// gateway encodes it and not the client), the handler panicked, or its answer is not text (ErrBinary) or too large
// (ErrTooLarge).
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var kind struct {
		Version        string `json:"version"`
		HTTPMethod     string `json:"httpMethod"`
		RequestContext struct {
			ELB  json.RawMessage `json:"elb"`
			HTTP struct {
				Method string `json:"method"`
			} `json:"http"`
		} `json:"requestContext"`
	}
	if err := json.Unmarshal(payload, &kind); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrEvent, err)
	}
	switch {
	case kind.Version == "2.0" && kind.RequestContext.HTTP.Method != "":
		return h.invokeHTTP(ctx, payload)
	case kind.HTTPMethod != "" && kind.RequestContext.ELB == nil:
		return h.invokeREST(ctx, payload)
	}
	return nil, fmt.Errorf("%w: expected a proxy event of a REST API (httpMethod, path, requestContext) "+
		"or of an HTTP API (version 2.0, rawPath, requestContext.http)", ErrEvent)
}

// RequestID is the id that API Gateway has given a request, and its own log names, too; "" where it has none.
func RequestID(r *http.Request) string {
	if c, ok := core.GetAPIGatewayContextFromContext(r.Context()); ok {
		return c.RequestID
	}
	c, _ := core.GetAPIGatewayV2ContextFromContext(r.Context())
	return c.RequestID
}

func (h *Handler) invokeREST(ctx context.Context, payload []byte) ([]byte, error) {
	var event struct {
		Version string `json:"version"` // "1.0" from an HTTP API with payload format 1.0, absent from a REST API
		events.APIGatewayProxyRequest
	}
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrEvent, err)
	}
	r, err := restRequest(ctx, event.APIGatewayProxyRequest, event.Version == "")
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrEvent, err)
	}
	w := core.NewProxyResponseWriter()
	if err := h.serve(w, r); err != nil {
		return nil, err
	}
	answer, err := w.GetProxyResponse()
	return encodeResponse(answer, answer.IsBase64Encoded, err)
}

func (h *Handler) invokeHTTP(ctx context.Context, payload []byte) ([]byte, error) {
	var event events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrEvent, err)
	}
	r, err := httpRequest(ctx, event)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrEvent, err)
	}
	w := core.NewProxyResponseWriterV2()
	if err := h.serve(w, r); err != nil {
		return nil, err
	}
	answer, err := w.GetProxyResponse()
	return encodeResponse(answer, answer.IsBase64Encoded, err)
}

func encodeResponse(answer any, binary bool, err error) ([]byte, error) {
	if err == nil && binary {
		err = ErrBinary
	}
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // six bytes for each & would count
	if err := e.Encode(answer); err != nil {
		return nil, err
	}
	out := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(out) > maxPayloadBytes {
		return nil, fmt.Errorf("%w: %d bytes of JSON, the limit is %d", ErrTooLarge, len(out), maxPayloadBytes)
	}
	return out, nil
}

// serve lets no panic through: aws-lambda-go would end the process, and with it whatever the instance has cached.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("gateway: the handler panicked: %v", v)
		}
	}()
	rw := &responseWriter{ResponseWriter: w, bodiless: r.Method == http.MethodHead}
	h.http.ServeHTTP(rw, r)
	rw.WriteHeader(http.StatusOK)
	w.Header().Del("Content-Length") // API Gateway counts what it sends, which it may have compressed
	return nil
}

// responseWriter adds net/http's rules, which the library's writers lack: the first status stands, a handler that writes
// nothing answers 200, and HEAD, 204 and 304 have no body.
type responseWriter struct {
	http.ResponseWriter
	bodiless bool
	wrote    bool
}

func (w *responseWriter) WriteHeader(status int) {
	if w.wrote || status < http.StatusOK {
		return
	}
	w.wrote = true
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
