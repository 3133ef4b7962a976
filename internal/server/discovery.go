package server

import (
	"encoding/json"
	"net/http"
	"strings"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/scim"
)

// serviceProviderConfig is GET /ServiceProviderConfig (RFC 7643 §5).
func serviceProviderConfig(r *request) (*response, error) {
	supported := func(yes bool) scim.Object { return scim.Object{"supported": yes} }
	return &response{status: http.StatusOK, body: scim.Object{
		"schemas":          []string{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"},
		"documentationUri": "https://www.rfc-editor.org/rfc/rfc7644",
		"patch":            supported(true),
		"bulk":             scim.Object{"supported": true, "maxOperations": maxBulkOperations, "maxPayloadSize": maxBodyBytes},
		"filter":           scim.Object{"supported": true, "maxResults": maxCount},
		"changePassword":   supported(false),
		"sort":             supported(true),
		"etag":             supported(true),
		"pagination": scim.Object{ // RFC 9865 §4
			"cursor": true, "index": true, "defaultPaginationMethod": "index",
			"defaultPageSize": defaultCount, "maxPageSize": maxCount, "cursorTimeout": int(directory.PageTimeout.Seconds()),
		},
		"authenticationSchemes": []any{scim.Object{
			"type":        "oauthbearertoken",
			"name":        "Bearer token",
			"description": "A token from the operator, as Authorization: Bearer TOKEN.",
			"specUri":     "https://www.rfc-editor.org/info/rfc6750",
			"primary":     true,
		}},
		"meta": r.meta("ServiceProviderConfig", "/ServiceProviderConfig"),
	}}, nil
}

// resourceTypes is GET /ResourceTypes and /ResourceTypes/{name} (RFC 7643 §6).
func resourceTypes(r *request) (*response, error) {
	var all []discoveryItem
	for _, rt := range r.types.ResourceTypes {
		all = append(all, discoveryItem{rt.ID, "ResourceType", "/ResourceTypes/", rt})
	}
	return r.discoveryResponse(all)
}

// schemas is GET /Schemas and /Schemas/{URN} (RFC 7643 §7).
func schemas(r *request) (*response, error) {
	var all []discoveryItem
	for _, s := range r.types.Schemas {
		all = append(all, discoveryItem{s.ID, "Schema", "/Schemas/", s})
	}
	return r.discoveryResponse(all)
}

// discoveryItem is something that a service provider tells of itself.
type discoveryItem struct {
	id, resourceType, endpoint string
	value                      any
}

// discoveryResponse answers with the one that is asked for, or all.
func (r *request) discoveryResponse(all []discoveryItem) (*response, error) {
	p, err := r.queryParameters()
	if err != nil {
		return nil, err
	}
	if _, ok := p["filter"]; ok { // RFC 7644 §4
		return nil, &scim.Error{Status: http.StatusForbidden, Detail: "What the service provider is cannot be filtered. Leave filter out."}
	}
	var list []any
	for _, one := range all {
		o, err := r.discoveryObject(one)
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(r.id, one.id) {
			return &response{status: http.StatusOK, body: o}, nil
		}
		list = append(list, o)
	}
	if r.id != "" {
		return nil, scim.NotFound("There is no %s with the id %q.", all[0].resourceType, r.id)
	}
	b, err := scim.EncodeJSON(list)
	if err != nil {
		return nil, err
	}
	b = append(beginList(len(b), len(list), &directory.ListResult{TotalResults: len(list), StartIndex: 1}), b[len("["):]...)
	return &response{status: http.StatusOK, body: rawJSON(append(b, '}'))}, nil
}

func (r *request) discoveryObject(d discoveryItem) (o map[string]any, err error) {
	b, err := json.Marshal(d.value)
	if err == nil {
		err = json.Unmarshal(b, &o)
	}
	if err != nil {
		return nil, err
	}
	o["schemas"] = []string{"urn:ietf:params:scim:schemas:core:2.0:" + d.resourceType}
	o["meta"] = r.meta(d.resourceType, d.endpoint+d.id)
	return o, nil
}

func (r *request) meta(resourceType, path string) scim.Object {
	return scim.Object{"resourceType": resourceType, "location": r.baseURL + path}
}
