package server

import (
	"net/http"

	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
)

// modify serves PATCH on a resource (RFC 7644 §3.5.2). The response contains the resource, with two exceptions. The
// tenant can disable it by the setting NoContent, unless the request selects attributes. A large group is not read back
// unless the request selects attributes.
func modify(r *request, target route) (*response, error) {
	p, err := r.projection(target.resourceType)
	if err != nil {
		return nil, err
	}
	body, err := r.body()
	if err != nil {
		return nil, err
	}
	operations, err := patch.Decode(body, r.leniency)
	if err != nil {
		return nil, err
	}
	noContent := r.identity.Tenant.Settings.NoContent && !p.IsExplicit()
	if noContent {
		p = scim.MinimalProjection()
	}
	res, err := r.directory.Modify(r.Context(), target.resourceType, target.id, operations, r.writePrecondition(), p)
	if err != nil {
		return nil, err
	}
	if (noContent || res.MembersOmitted) && !r.omitBody {
		header := map[string]string{"ETag": res.EntityTag(p)}
		return &response{status: http.StatusNoContent, header: header, change: res.Summary}, nil
	}
	return r.resourceResponse(http.StatusOK, res, p)
}
