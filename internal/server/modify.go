package server

import (
	"net/http"

	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
)

// modify is PATCH (RFC 7644 §3.5.2). It answers 200 and the resource, unless the tenant wants none; a large group is not
// read back for nothing.
func modify(r *request) (*response, error) {
	p, err := r.projection()
	if err != nil {
		return nil, err
	}
	body, err := r.body()
	if err != nil {
		return nil, err
	}
	ops, err := patch.Decode(body)
	if err != nil {
		return nil, err
	}
	quiet := r.identity.Tenant.Settings.NoContent && !p.IsExplicit()
	if quiet {
		p = scim.MinimalProjection()
	}
	res, err := r.directory.Modify(r.Context(), r.rt, r.id, ops, r.ifMatch(), p)
	if err != nil {
		return nil, err
	}
	if quiet || res.MembersOmitted {
		return &response{status: http.StatusNoContent, header: map[string]string{"ETag": res.Version}, change: res.Summary}, nil
	}
	return r.resourceResponse(http.StatusOK, res, p)
}
