package server

import (
	"net/http"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/scim"
)

// query is GET on a resource type's endpoint, or on the root: all resource types (RFC 7644 §3.4.2).
func query(r *request) (*response, error) {
	p, err := r.parameters()
	if err != nil {
		return nil, err
	}
	return r.list(p)
}

// list answers with the resources that parameters ask for.
func (r *request) list(p map[string]string) (*response, error) {
	q, err := r.listing(p)
	if err != nil {
		return nil, err
	}
	list, err := r.directory.Query(r.Context(), q)
	if err != nil {
		return nil, err
	}
	resources := make([]any, 0, len(list.Resources))
	for _, res := range list.Resources {
		resources = append(resources, res.Type.Project(res.Object, q.Projection))
	}
	if q.StartIndex > 0 {
		return listResponse(list.Total, list.StartIndex, resources), nil
	}
	return cursorResponse(list, resources), nil
}

// cursorResponse is a ListResponse of a query that pages by cursors (RFC 9865 §2): it has no index, and a total only where
// that is known.
func cursorResponse(list *directory.List, resources []any) *response {
	resp := listResponse(list.Total, 0, resources)
	body := resp.body.(scim.Object)
	delete(body, "startIndex")
	if list.Total < 0 {
		delete(body, "totalResults")
	}
	for name, cursor := range map[string]string{"nextCursor": list.Next, "previousCursor": list.Previous} {
		if cursor != "" {
			body[name] = cursor
		}
	}
	return resp
}

// listResponse is a ListResponse (RFC 7644 §3.4.2); itemsPerPage is what is really there.
func listResponse(total, startIndex int, resources []any) *response {
	return &response{status: http.StatusOK, body: scim.Object{
		"schemas":      []string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"},
		"totalResults": total,
		"startIndex":   startIndex,
		"itemsPerPage": len(resources),
		"Resources":    resources,
	}}
}
