package server

import (
	"fmt"
	"log/slog"
	"net/http"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/leniency"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/token"
)

// serve calls the handler of a route, unless the scope of the token does not permit it. It logs every attempt to change
// a resource, even if the attempt is not permitted, or the handler fails or panics.
func (s *server) serve(r *request, target route) (resp *response, err error) {
	if target.writes && target.resourceType != nil {
		defer func() { s.audit(r, target, resp, err) }()
	}
	if target.writes && !r.identity.Scope.AllowsWrites() {
		return nil, readOnlyTokenError(r.identity.Scope)
	}
	if r.leniency.IsInterop() && r.Method != http.MethodGet && r.Method != http.MethodHead && r.URL.Query().Has("filter") {
		return nil, scim.BadRequest(scim.InvalidFilter, "The URL of a %s request has a filter. Send filters with GET only%s",
			r.Method, leniency.InteropReason)
	}
	return target.handler(r, target)
}

// readOnlyTokenError returns the error for a request that writes, with a token of a scope that does not permit it.
func readOnlyTokenError(scope token.Scope) error {
	return &scim.Error{Status: http.StatusForbidden, Detail: fmt.Sprintf(
		"The scope of the token is %s, which does not permit requests that write. Send the request with a token of scope "+
			"%s, which the operator creates with create-token.", scope, token.ScopeAll)}
}

// audit logs an attempt to change a resource: the token, the resource, the names of the changed attributes, and the
// outcome. It logs no attribute values. If the handler panicked, resp and err are nil.
func (s *server) audit(r *request, target route, resp *response, err error) {
	rt, id := target.resourceType, target.id
	status, outcome, change := http.StatusInternalServerError, "failed", directory.ChangeSummary{}
	switch {
	case err != nil:
		if status = errorResponse(err).status; status < http.StatusInternalServerError {
			outcome = "refused"
		}
	case resp != nil:
		status, outcome, change = resp.status, "done", resp.change
		if change.VersionBefore == change.VersionAfter {
			outcome = "unchanged"
		}
		if id == "" {
			id = resp.id
		}
	}
	if !rt.IsID(id) {
		id = "" // the client chose the text
	}
	attrs := append(make([]slog.Attr, 0, 14), slog.String("requestId", r.requestID),
		slog.String("tenant", r.identity.Tenant.Name), slog.String("token", r.identity.ID),
		slog.String("label", r.identity.Label), slog.String("verb", r.loggedMethod()),
		slog.String("resourceType", rt.Name), slog.String("id", id), slog.Any("attributes", change.Attributes),
		slog.String("before", change.VersionBefore), slog.String("after", change.VersionAfter),
		slog.Bool("deprovisions", change.Deprovisions), slog.Int("status", status), slog.String("outcome", outcome))
	s.log(r.Context(), slog.LevelInfo, "audit", r.identity.AppendClient(attrs))
}
