package server

import (
	"log/slog"
	"net/http"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/oauth"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/token"
)

// Config holds the parts and settings of a server.
type Config struct {
	Directory directory.Config
	Tokens    *token.Store
	Limiter   *token.Limiter
	// OAuth answers the token endpoint and serves its metadata. If it is nil, both paths have no endpoint.
	OAuth *oauth.Endpoint
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

// A server is the handler that New returns. It does not change afterwards.
type server struct {
	Config
	types      *scim.Types // of all tenants
	routes     routeTable
	bulkRoutes routeTable // for the operations of bulk requests
}
