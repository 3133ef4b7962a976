// Package server is RFC 7644 §3 over net/http: one file for each verb, one that reads requests, one that writes
// responses. A handler parses, checks, calls the directory and returns a response or an error; none writes to the
// connection itself. The package stores nothing and reads no environment.
package server

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/token"
)

// Config is what a server is made of.
type Config struct {
	Directory directory.Config
	Tokens    *token.Store
	Limiter   *token.Limiter
	RateLimit int                        // requests a second for each token whose tenant has no limit of its own; 0: none
	RequestID func(*http.Request) string // names a request in the log
	BaseURL   string                     // address of the service, without a slash at the end; "": as the request's URL has it, if absolute
	Timeout   time.Duration              // of one request
	Log       *slog.Logger
}

// maxBodyBytes is the largest request body: Lambda's 6 MB hold it escaped.
const maxBodyBytes = 4 << 20

// New is the handler of a service provider. It serves under any base path: what stands before the first segment that
// names an endpoint.
func New(c Config) http.Handler { return &server{Config: c, types: c.Directory.Types} }

type server struct {
	Config
	types *scim.Types
}

// ServeHTTP answers one request; whatever happens, in SCIM form.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(r.Context(), s.Timeout)
	defer cancel()
	ctx, cost := directory.MeasureUsage(ctx)
	q := &request{Request: r.WithContext(ctx), types: s.types, baseURL: s.BaseURL, requestID: s.RequestID(r)}
	resp, err := s.handle(q)
	if err != nil {
		resp = errorResponse(err)
	}
	status := resp.write(w, r)
	attrs := []slog.Attr{slog.String("requestId", q.requestID), slog.String("tenant", q.identity.Tenant.Hash()),
		slog.String("token", q.identity.ID), slog.String("method", q.loggedMethod()),
		slog.String("route", q.loggedRoute()), slog.Int("status", status),
		slog.Float64("milliseconds", float64(time.Since(begin).Microseconds())/1e3), slog.Any("table", cost())}
	level, cause := slog.LevelInfo, loggableCause(err)
	if status == http.StatusInternalServerError {
		level = slog.LevelError
	}
	if cause != nil {
		attrs = append(attrs, slog.String("error", cause.Error()))
	}
	s.Log.LogAttrs(ctx, level, "request", attrs...)
}

// handle authenticates and dispatches a request. A panic is the fault of the code, and is told as any other.
func (s *server) handle(r *request) (resp *response, err error) {
	defer func() {
		if p := recover(); p != nil {
			resp, err = nil, &panicError{value: p, stack: stack()}
		}
	}()
	if r.identity, err = s.Tokens.Authenticate(r.Context(), r.Header.Values("Authorization")); err != nil {
		return nil, err
	}
	if err := s.checkRateLimit(r); err != nil {
		return nil, err
	}
	return s.dispatch(r)
}
