package server

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/token"
)

// Config holds the parts and settings of a server.
type Config struct {
	Directory directory.Config
	Tokens    *token.Store
	Limiter   *token.Limiter
	// RateLimit is the number of requests a second that each token may send, unless its tenant has a limit of its own.
	// Zero means no limit.
	RateLimit int
	// RequestID returns the ID of a request in the log.
	RequestID func(*http.Request) string
	// BaseURL is the URL of the service without a trailing slash. If it is empty, the server derives the base URL from
	// each request whose URL is absolute.
	BaseURL string
	// Timeout is the time limit of a request.
	Timeout time.Duration
	Log     *slog.Logger
}

// maxBodyBytes is the largest request body. A payload of Lambda is at most 6 MB and contains the body as an escaped
// string.
const maxBodyBytes = 4 << 20

// New returns the handler of a SCIM service provider. The handler serves requests under any base path.
func New(c Config) http.Handler {
	s := &server{Config: c, types: c.Directory.Types}
	s.routes = s.newRouteTable()
	s.bulkRoutes = s.routes.resourceWrites()
	return s
}

type server struct {
	Config
	types      *scim.Types // of all tenants
	routes     routeTable
	bulkRoutes routeTable // for the operations of bulk requests
}

// ServeHTTP serves a request and logs it. Every response is a SCIM message or empty, even after a panic.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(r.Context(), s.Timeout)
	defer cancel()
	ctx, cost := directory.MeasureUsage(ctx)
	q := &request{Request: r.WithContext(ctx), requestID: s.RequestID(r)}
	resp, target, err := s.handle(q)
	if err != nil {
		resp = errorResponse(err)
	}
	status := resp.write(w, r)
	attrs := []slog.Attr{slog.String("requestId", q.requestID), slog.String("tenant", q.identity.Tenant.Hash()),
		slog.String("token", q.identity.ID), slog.String("method", q.loggedMethod()),
		slog.String("route", target.loggedPath()), slog.Int("status", status),
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

// handle authenticates, routes, and serves a request. It returns a panic as an error. The route is for the log.
func (s *server) handle(r *request) (resp *response, target route, err error) {
	defer func() {
		if p := recover(); p != nil {
			resp, err = nil, &panicError{value: p, stack: stack()}
		}
	}()
	if r.identity, err = s.Tokens.Authenticate(r.Context(), r.Header.Values("Authorization")); err != nil {
		return nil, target, err
	}
	if err = s.checkRateLimit(r); err != nil {
		return nil, target, err
	}
	segments, ok := s.openDirectory(r)
	if !ok {
		return nil, target, noEndpointError()
	}
	if target, err = s.routes.find(r.types, r.Method, segments); err != nil {
		return nil, target, err
	}
	resp, err = s.serve(r, target)
	return resp, target, err
}

// serve calls the handler of a route. It logs every attempt to change a resource, even if the handler fails or panics.
func (s *server) serve(r *request, target route) (resp *response, err error) {
	if target.writes && target.resourceType != nil {
		defer func() { s.audit(r, target, resp, err) }()
	}
	return target.handler(r, target)
}

// openDirectory completes an authenticated request with what depends on its tenant and its base path. It returns the
// path segments from the endpoint on, which are nil for the root. If the path is neither, ok is false.
func (s *server) openDirectory(r *request) (segments []string, ok bool) {
	tenant := r.identity.Tenant
	r.types = s.types
	if names := tenant.Settings.ResourceTypes; len(names) > 0 {
		r.types = s.types.Subset(names)
	}
	base, segments, ok := s.routes.splitPath(r.types, r.URL.Path)
	if r.baseURL = s.BaseURL; r.baseURL == "" && r.URL.IsAbs() {
		r.baseURL = r.URL.Scheme + "://" + r.URL.Host + base
	}
	c := s.Directory
	c.StrictMembers = tenant.Settings.StrictMembers
	c.AllowDeprovisioning = func(ctx context.Context) error { return s.guardDeprovisioning(ctx, r) }
	r.directory = directory.New(c, tenant.Name, r.baseURL)
	return segments, ok || s.isRoot(r)
}

// isRoot reports whether the path of a request without an endpoint is the base path of the service.
func (s *server) isRoot(r *request) bool {
	if s.BaseURL == "" {
		return r.Pattern == "/" // package gateway sets it: API Gateway has a resource of its own for the root
	}
	u, err := url.Parse(s.BaseURL)
	return err == nil && strings.Trim(r.URL.Path, "/") == strings.Trim(u.Path, "/")
}
