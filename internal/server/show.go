package server

import (
	"serverless-scim/internal/directory"
	"serverless-scim/internal/scim"
)

// resourceResponse is the response that shows one resource, with the attributes that the client asked for.
func (r *request) resourceResponse(status int, res *directory.Resource, p scim.Projection) (*response, error) {
	body, err := res.AppendJSON(nil, p)
	if err != nil {
		return nil, err
	}
	location := res.Location()
	header := map[string]string{"ETag": res.Version, "Location": location, "Content-Location": location}
	return &response{status: status, header: header, body: rawJSON(body), id: res.ID(), change: res.Summary}, nil
}
