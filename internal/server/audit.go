package server

import (
	"log/slog"
	"net/http"

	"serverless-scim/internal/directory"
)

// serve calls the handler of a route. It logs every attempt to change a resource, even if the handler fails or panics.
func (s *server) serve(r *request, target route) (resp *response, err error) {
	if target.writes && target.resourceType != nil {
		defer func() { s.audit(r, target, resp, err) }()
	}
	return target.handler(r, target)
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
	s.Log.LogAttrs(r.Context(), slog.LevelInfo, "audit", slog.String("requestId", r.requestID),
		slog.String("tenant", r.identity.Tenant.Name), slog.String("token", r.identity.ID),
		slog.String("label", r.identity.Label), slog.String("verb", r.loggedMethod()),
		slog.String("resourceType", rt.Name), slog.String("id", id), slog.Any("attributes", change.Attributes),
		slog.String("before", change.VersionBefore), slog.String("after", change.VersionAfter),
		slog.Bool("deprovisions", change.Deprovisions), slog.Int("status", status), slog.String("outcome", outcome))
}
