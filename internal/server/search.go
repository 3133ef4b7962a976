package server

import (
	"encoding/json"
	"strings"

	"serverless-scim/internal/scim"
)

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
	p := map[string]string{}
	for name, v := range o {
		text, ok := parameterText(v)
		if name = strings.ToLower(name); !ok && name != "schemas" {
			return nil, scim.BadRequest(scim.InvalidValue,
				"The value of %s has the wrong type. Send a string, an integer, or an array of strings.", name)
		}
		if v != nil {
			p[name] = text
		}
	}
	return r.list(target, p)
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
