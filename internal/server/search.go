package server

import (
	"encoding/json"
	"strings"

	"serverless-scim/internal/leniency"
	"serverless-scim/internal/scim"
)

const searchRequest = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"

// search serves POST on /.search and on /.search below the endpoint of a resource type (RFC 7644 §3.4.3). It lists
// resources as listResources does, with the parameters in the body.
func search(r *request, target route) (*response, error) {
	body, err := r.body()
	if err != nil {
		return nil, err
	}
	o, err := scim.ParseObject(body)
	if err != nil {
		return nil, err
	}
	if err := leniency.RecordMessage(r.leniency, o, searchRequest, searchNames[:]...); err != nil {
		return nil, err
	}
	p := map[string]string{}
	for name, v := range o {
		text, ok := parameterText(v)
		if name = strings.ToLower(name); !ok && name != "schemas" {
			return nil, scim.BadRequest(scim.InvalidValue,
				"The value of %s has the wrong type. Send a string, an integer, or an array of strings.", name)
		}
		if !hasParameterType(name, v) {
			r.leniency.Add(leniency.ParameterType)
		}
		if v != nil {
			p[name] = text
		}
	}
	return r.list(target, p)
}

// hasParameterType reports whether v has the type of a name in a SearchRequest (RFC 7644 §3.4.3), or the name is unknown.
func hasParameterType(name string, v any) (ok bool) {
	switch name {
	case "startindex", "count":
		_, ok = v.(json.Number)
	case "attributes", "excludedattributes":
		_, ok = v.([]any)
	case "filter", "cursor", "sortby", "sortorder":
		_, ok = v.(string)
	default:
		return true
	}
	return ok || v == nil
}

// parameterText returns a value of a SearchRequest as a query string would contain it. If v has another type than the
// parameters of a SearchRequest, ok is false.
func parameterText(v any) (text string, ok bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case []any:
		var list []string
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return "", false
			}
			list = append(list, s)
		}
		return strings.Join(list, ","), true
	}
	return "", false
}
