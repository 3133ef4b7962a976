package server

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"serverless-scim/internal/directory"
)

// withAudit makes a handler that changes a resource say so in the log, whatever comes of it: who, what and which
// attributes, but no value.
func (s *server) withAudit(h handler) handler {
	return func(r *request) (resp *response, err error) {
		defer func() { s.audit(r, resp, err) }()
		return h(r)
	}
}

func (s *server) audit(r *request, resp *response, err error) {
	status, outcome, change, id := http.StatusInternalServerError, "failed", directory.ChangeSummary{}, r.id
	switch {
	case err != nil:
		if status = errorResponse(err).status; status < http.StatusInternalServerError {
			outcome = "refused"
		}
	case resp != nil: // nil: a panic
		status, outcome, change = resp.status, "done", resp.change
		if change.VersionBefore == change.VersionAfter {
			outcome = "unchanged"
		}
		if id == "" {
			id = resp.id
		}
	}
	if !r.rt.IsID(id) {
		id = "" // it may be anything
	}
	s.Log.LogAttrs(r.Context(), slog.LevelInfo, "audit", slog.String("requestId", r.requestID),
		slog.String("tenant", r.identity.Tenant.Name), slog.String("token", r.identity.ID), slog.String("label", r.identity.Label),
		slog.String("verb", r.loggedMethod()), slog.String("resourceType", r.rt.Name), slog.String("id", id),
		slog.Any("attributes", change.Attributes), slog.String("before", change.VersionBefore), slog.String("after", change.VersionAfter),
		slog.Bool("deprovisions", change.Deprovisions), slog.Int("status", status), slog.String("outcome", outcome))
}

// loggedRoute is the path of a request as a log may have it: what a client can make up is left out.
func (r *request) loggedRoute() string {
	switch {
	case len(r.segments) == 0:
		return "/"
	case r.rt == nil:
		return "/" + strings.ToLower(r.segments[0])
	case r.id == "" || r.id == searchSegment:
		return strings.TrimSuffix(r.rt.Endpoint+"/"+r.id, "/")
	case r.rt.IsID(r.id):
		return r.rt.Endpoint + "/" + r.id
	}
	return r.rt.Endpoint + "/{id}"
}

// loggedMethod is the method of a request, if it is one that we know.
func (r *request) loggedMethod() string {
	known := []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	if slices.Contains(known, r.Method) {
		return r.Method
	}
	return "other"
}
