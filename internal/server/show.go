package server

import (
	"serverless-scim/internal/directory"
	"serverless-scim/internal/scim"
)

// resource is the response that shows one resource.
func (r *request) resource(status int, res *directory.Resource, p scim.Projection) *response {
	header := map[string]string{"ETag": res.Version, "Location": r.location(res.Type, res.Object["id"].(string))}
	return &response{status: status, header: header, body: r.show(res, p)}
}

// show is a resource as the client is to see it: with the addresses, and the attributes that it asked for.
func (r *request) show(res *directory.Resource, p scim.Projection) scim.Object {
	o := res.Object
	o["meta"].(scim.Object)["location"] = r.location(res.Type, o["id"].(string))
	for _, attribute := range []string{"members", "groups"} {
		list, _ := o[attribute].([]any)
		for _, e := range list {
			e := e.(scim.Object)
			id := e["value"].(string)
			e["$ref"] = r.location(r.types.ByID(id), id)
		}
	}
	return res.Type.Project(o, p)
}

// location is the address of a resource.
func (r *request) location(rt *scim.ResourceType, id string) string {
	return r.base + rt.Endpoint + "/" + id
}
