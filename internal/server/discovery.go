package server

import (
	"encoding/json"
	"net/http"
	"strings"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/feed"
	"serverless-scim/internal/leniency"
	"serverless-scim/internal/oauth"
	"serverless-scim/internal/scim"
)

// serviceProviderConfig serves GET on /ServiceProviderConfig (RFC 7643 §5).
func (s *server) serviceProviderConfig(r *request, _ route) (*response, error) {
	supported := func(v bool) scim.Object { return scim.Object{"supported": v} }
	bulk := scim.Object{"supported": true, "maxOperations": maxBulkOperations, "maxPayloadSize": maxBodyBytes}
	config := scim.Object{
		"schemas":          []string{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"},
		"documentationUri": "https://www.rfc-editor.org/rfc/rfc7644",
		"patch":            supported(true),
		"bulk":             bulk,
		"filter":           scim.Object{"supported": true, "maxResults": maxCount},
		"changePassword":   supported(false),
		"sort":             supported(true),
		"etag":             supported(true),
		"pagination": scim.Object{ // RFC 9865 §4
			"cursor": true, "index": true, "defaultPaginationMethod": "index",
			"defaultPageSize": defaultCount, "maxPageSize": maxCount,
			"cursorTimeout": int(directory.PageTimeout.Seconds()),
		},
		"authenticationSchemes": s.authenticationSchemes(r),
		"securityEvents":        scim.Object{"asyncRequest": "none", "eventUris": feed.EventURIs()}, // RFC 9967
		"meta":                  r.meta("ServiceProviderConfig", "/ServiceProviderConfig"),
	}
	if r.leniency.IsInterop() {
		config["interopProfileConformant"] = true
	}
	return &response{status: http.StatusOK, body: config}, nil
}

// authenticationSchemes returns how a client can authenticate: by a token, or by an access token of package oauth.
func (s *server) authenticationSchemes(r *request) []any {
	schemes := []any{scim.Object{
		"type": "oauthbearertoken",
		"name": "Bearer token",
		"description": "A token from the operator of the service, sent as Authorization: Bearer TOKEN. " +
			"A token of scope scim may read and write, and a token of scope scim.read may only read.",
		"specUri": "https://www.rfc-editor.org/info/rfc6750",
		"primary": true,
	}}
	if s.OAuth != nil {
		schemes = append(schemes, scim.Object{
			"type": "oauth2",
			"name": "OAuth 2.0 client credentials",
			"description": "An access token from " + r.baseURL + oauth.TokenPath + ", for a client that the operator " +
				"creates. It is sent as a bearer token.",
			"specUri": "https://www.rfc-editor.org/info/rfc6749",
			"primary": false,
		})
	}
	return schemes
}

// resourceTypes serves GET on /ResourceTypes and /ResourceTypes/{name} (RFC 7643 §6).
func resourceTypes(r *request, target route) (*response, error) {
	var items []discoveryItem
	for _, rt := range r.types.ResourceTypes {
		items = append(items, discoveryItem{rt.ID, rt})
	}
	return r.discoveryResponse(target, "ResourceType", items)
}

// schemas serves GET on /Schemas and /Schemas/{URN} (RFC 7643 §7).
func schemas(r *request, target route) (*response, error) {
	var items []discoveryItem
	for _, s := range r.types.Schemas {
		items = append(items, discoveryItem{s.ID, s.ForProfile(r.leniency)})
	}
	return r.discoveryResponse(target, "Schema", items)
}

// A discoveryItem is a resource type or a schema, with its ID.
type discoveryItem struct {
	id    string
	value any
}

// discoveryResponse returns a response with the item that the path names, or with all items.
func (r *request) discoveryResponse(target route, resourceType string, items []discoveryItem) (*response, error) {
	p, err := r.queryParameters()
	if err != nil {
		return nil, err
	}
	if _, ok := p["filter"]; ok { // RFC 7644 §4
		return nil, &scim.Error{Status: http.StatusForbidden, Detail: "This endpoint does not support filters. Omit filter."}
	}
	list := []any{}
	for _, item := range items {
		o, err := r.discoveryObject(resourceType, item)
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(target.id, item.id) {
			if target.id != item.id {
				r.leniency.Add(leniency.PathCase)
			}
			return &response{status: http.StatusOK, body: o}, nil
		}
		list = append(list, o)
	}
	if target.id != "" {
		return nil, scim.NotFound("The %s %q does not exist. GET /%[1]ss returns the list of all.", resourceType, target.id)
	}
	b, err := scim.EncodeJSON(list)
	if err != nil {
		return nil, err
	}
	begin := beginList(len(b), len(list), &directory.ListResult{TotalResults: len(list), StartIndex: 1})
	b = append(append(begin, b[len("["):]...), '}')
	return &response{status: http.StatusOK, body: rawJSON(b)}, nil
}

// discoveryObject returns an item as a JSON object with schemas and meta.
func (r *request) discoveryObject(resourceType string, item discoveryItem) (o map[string]any, err error) {
	b, err := json.Marshal(item.value)
	if err == nil {
		err = json.Unmarshal(b, &o)
	}
	if err != nil {
		return nil, err
	}
	o["schemas"] = []string{"urn:ietf:params:scim:schemas:core:2.0:" + resourceType}
	o["meta"] = r.meta(resourceType, "/"+resourceType+"s/"+item.id)
	return o, nil
}

func (r *request) meta(resourceType, path string) scim.Object {
	return scim.Object{"resourceType": resourceType, "location": r.baseURL + path}
}
