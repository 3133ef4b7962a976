package capture

import (
	"context"
	"net/http"
	"strings"
	"time"

	"serverless-scim/internal/console/traffic"
	"serverless-scim/internal/leniency"
	"serverless-scim/internal/replay"
	"serverless-scim/internal/replay/record"
)

// Traffic keeps the exchanges of a SCIM server. It is safe for concurrent use.
type Traffic struct {
	Faults    Faults
	Recording Recording

	now       func() time.Time
	basePath  string
	exchanges exchanges
}

// New returns a Traffic without exchanges, for a server with a base path such as /scim/v2.
func New(now func() time.Time, basePath string) *Traffic {
	return &Traffic{now: now, basePath: basePath}
}

// Handler returns a handler that keeps each exchange of the SCIM handler h.
func (t *Traffic) Handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := t.serve(h, w, r); c.fault != nil && c.fault.Action.closes {
			panic(http.ErrAbortHandler) // closes the connection
		}
	})
}

// Send serves a request of the console itself, keeps the exchange, and returns it.
func (t *Traffic) Send(h http.Handler, w http.ResponseWriter, r *http.Request) *traffic.Exchange {
	return t.serve(h, w, r).exchange()
}

// serve serves a request and keeps what was captured of it.
func (t *Traffic) serve(h http.Handler, w http.ResponseWriter, r *http.Request) *captured {
	c := &captured{begin: t.now(), method: r.Method, host: r.Host, query: r.URL.RawQuery,
		path: strings.TrimPrefix(r.URL.Path, t.basePath), header: r.Header}
	ctx, rules := leniency.Collect(context.WithValue(r.Context(), contextKey{}, c))
	recorder, limit := t.Recording.active(), MaxBodyBytes
	if recorder != nil {
		limit = maxRecordedBodyBytes
	}
	c.sent, c.got = keptBody{ReadCloser: r.Body, limit: limit}, keptResponse{ResponseWriter: w, limit: limit}
	r = r.WithContext(ctx)
	r.Body = &c.sent
	if c.fault = t.Faults.take(c); c.fault == nil {
		h.ServeHTTP(&c.got, r)
	} else {
		c.fault.inject(&c.got, r, h)
	}
	c.duration, c.rules, c.reply = t.now().Sub(c.begin), rules(), c.got.Header()
	if recorder != nil && c.fault == nil {
		c.record(recorder, r)
	}
	c.release()
	t.exchanges.add(c)
	return c
}

// MaxBodyBytes is the part of a body that is kept.
const MaxBodyBytes = 256 << 10

// maxRecordedBodyBytes is the size of the largest body that is recorded. The server neither accepts nor sends larger ones.
const maxRecordedBodyBytes = 8 << 20

// record adds an exchange to a recording, unless a part of it is missing. A recording has no requests for tokens, because the
// server that plays it has other clients.
func (c *captured) record(to *record.Recorder, r *http.Request) {
	if c.path == traffic.TokenPath || len(c.sent.kept) < c.sent.size || len(c.got.kept) < c.got.size {
		return
	}
	to.Add(record.Exchange{Request: r, RequestBody: c.sent.kept, Time: c.begin, Duration: c.duration,
		Response: replay.Response{Status: c.got.finalStatus(), Header: c.reply.Clone(), Body: c.got.kept}})
}

// release drops what the request needed and its exchange does not.
func (c *captured) release() {
	c.sent.ReadCloser, c.got.ResponseWriter = nil, nil
	c.sent.kept, c.got.kept = cut(c.sent.kept), cut(c.got.kept)
}

// cut returns the part of a body that is kept. It copies the part of a larger body, so that the rest can be freed.
func cut(b []byte) []byte {
	if len(b) <= MaxBodyBytes {
		return b
	}
	return append([]byte(nil), b[:MaxBodyBytes]...)
}
