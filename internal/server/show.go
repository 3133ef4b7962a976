package server

import (
	"serverless-scim/internal/directory"
	"serverless-scim/internal/scim"
)

// resource is the response that shows one resource, with the attributes that the client asked for.
func (r *request) resource(status int, res *directory.Resource, p scim.Projection) (*response, error) {
	body, err := res.Append(nil, p)
	if err != nil {
		return nil, err
	}
	location := res.Location()
	header := map[string]string{"ETag": res.Version, "Location": location, "Content-Location": location}
	return &response{status: status, header: header, body: text(body), id: res.ID(), change: res.Change}, nil
}
