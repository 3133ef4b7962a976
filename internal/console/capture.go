package console

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"

	"serverless-scim/internal/console/traffic"
	"serverless-scim/internal/leniency"
	"serverless-scim/internal/replay"
	"serverless-scim/internal/replay/record"
)

// Capture returns a handler that keeps each exchange of the SCIM handler h.
func (c *Console) Capture(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, fault := c.serve(h, w, r); fault != nil && fault.Action.closes {
			panic(http.ErrAbortHandler) // closes the connection
		}
	})
}

// serve serves a request and returns the exchange, and the fault that was injected into it, or nil.
func (c *Console) serve(h http.Handler, w http.ResponseWriter, r *http.Request) (*traffic.Exchange, *fault) {
	e := &traffic.Exchange{Begin: c.Now(), Method: r.Method, Host: r.Host, Path: strings.TrimPrefix(r.URL.Path, c.BasePath), Query: r.URL.RawQuery}
	own := &capture{}
	ctx, rules := leniency.Collect(context.WithValue(r.Context(), captureKey{}, own))
	m := newMasker(r.Header)
	e.Header = m.header(r.Header)
	e.Client = traffic.RecognizeClient(e) // a fault may select by it; the body is not read yet
	recorder, limit := c.recording.active(), maxBodyBytes
	if recorder != nil {
		limit = maxRecordedBodyBytes
	}
	sent := &keptBody{ReadCloser: r.Body, limit: limit}
	got := &keptResponse{ResponseWriter: w, limit: limit}
	r = r.WithContext(ctx)
	r.Body = sent
	fault := c.faults.take(e)
	if fault == nil {
		h.ServeHTTP(got, r)
	} else {
		e.Fault = fault.Action.Label
		fault.inject(got, r, h)
	}
	e.Duration = c.Now().Sub(e.Begin)
	complete(e, m, own, sent, got)
	e.Rules = rules()
	c.exchanges.add(e)
	if recorder != nil && fault == nil {
		recordExchange(recorder, e, r, sent, got)
	}
	return e, fault
}

// complete adds to an exchange what was captured, without secrets.
func complete(e *traffic.Exchange, m masker, own *capture, sent *keptBody, got *keptResponse) {
	e.Body = m.body(sent.kept.Bytes(), sent.size)
	e.Client = traffic.RecognizeClient(e)
	e.Reply, e.Content, e.Status = m.header(got.Header()), m.body(got.kept.Bytes(), got.size), max(got.status, http.StatusOK)
	e.Path, e.Query = m.text(e.Path), m.text(e.Query)
	own.mu.Lock()
	defer own.mu.Unlock()
	e.Log, e.Items = own.log, own.items
	e.Tenant, e.RequestID = own.request["tenant"], own.request["requestId"]
	e.Cost = costOf(own.request)
}

// A keptBody is the body of a request of which a part is kept.
type keptBody struct {
	io.ReadCloser
	limit int
	kept  bytes.Buffer
	size  int
}

func (b *keptBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	keep(&b.kept, p[:n], b.limit)
	b.size += n
	return n, err
}

// A keptResponse is a response of which a part is kept.
type keptResponse struct {
	http.ResponseWriter
	limit  int
	kept   bytes.Buffer
	size   int
	status int
}

func (w *keptResponse) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *keptResponse) Write(p []byte) (int, error) {
	keep(&w.kept, p, w.limit)
	w.size += len(p)
	return w.ResponseWriter.Write(p)
}

// Unwrap returns the wrapped writer to http.ResponseController.
func (w *keptResponse) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func keep(b *bytes.Buffer, p []byte, limit int) {
	b.Write(p[:min(len(p), limit-b.Len())])
}

// costOf returns the cost in the line "request" of the log.
func costOf(request map[string]string) (c traffic.Cost) {
	c.Calls, _ = strconv.Atoi(request["table.calls"])
	c.RoundTrips, _ = strconv.Atoi(request["table.waits"])
	c.ReadUnits, _ = strconv.ParseFloat(cmp.Or(request["table.readUnits"], "0"), 64)
	c.WriteUnits, _ = strconv.ParseFloat(cmp.Or(request["table.writeUnits"], "0"), 64)
	return c
}

// maxRecordedBodyBytes is the size of the largest body that is recorded. The server neither accepts nor sends larger ones.
const maxRecordedBodyBytes = 8 << 20

// recordExchange adds an exchange to a recording, unless a part of it is missing.
func recordExchange(to *record.Recorder, e *traffic.Exchange, r *http.Request, sent *keptBody, got *keptResponse) {
	if sent.kept.Len() < sent.size || got.kept.Len() < got.size {
		return
	}
	to.Add(record.Exchange{Request: r, RequestBody: sent.kept.Bytes(), Time: e.Begin, Duration: e.Duration,
		Response: replay.Response{Status: max(got.status, http.StatusOK), Header: got.Header().Clone(), Body: got.kept.Bytes()}})
}
