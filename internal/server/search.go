package server

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/filter"
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

const defaultCount, maxCount = 100, 1000

// parseListParameters returns the query that the parameters describe (RFC 7644 §3.4.2). Parameter names are in lower
// case.
func (r *request) parseListParameters(target route, p map[string]string) (q directory.Params, err error) {
	q.Types, q.Client = r.targetTypes(target), r.identity.Label
	if q.Projection, err = scim.NewProjection(q.Types, p["attributes"], p["excludedattributes"]); err != nil {
		return q, err
	}
	if q.StartIndex, err = parseInteger(p, "startIndex", 1); err != nil {
		return q, err
	}
	if q.Count, err = parseCount(p); err != nil {
		return q, err
	}
	q.StartIndex = max(q.StartIndex, 1) // RFC 7644 §3.4.2.4: a value less than 1 is interpreted as 1
	// RFC 9865 §2: an empty cursor requests the first page. A cursor takes precedence over startIndex.
	if cursor, ok := p["cursor"]; ok {
		q.StartIndex, q.Cursor = 0, cursor
	}
	if text, ok := p["filter"]; ok {
		if q.Filter, err = filter.Parse(text); err != nil {
			return q, scim.BadRequest(scim.InvalidFilter, "The filter is not valid: %v", err)
		}
	}
	q.SortBy, q.Descending, err = parseSort(p["sortby"], p["sortorder"])
	return q, err
}

// parseCount returns the largest number of resources on a page.
func parseCount(p map[string]string) (int, error) {
	n, err := parseInteger(p, "count", defaultCount)
	// RFC 9865 §2.1 requires a positive count with a cursor: the next cursor of an empty page would lead to the same
	// page.
	if _, byCursor := p["cursor"]; byCursor && (err != nil || n < 1) {
		return 0, scim.BadRequest(scim.InvalidCount,
			"With a cursor, count must be a positive integer. Send an integer from 1 to %d, "+
				"or omit count.", maxCount)
	}
	return min(max(n, 0), maxCount), err // RFC 7644 §3.4.2.4: a negative value is interpreted as 0
}

// parseSort returns the attribute and the direction of sortBy and sortOrder (RFC 7644 §3.4.2.3). Without sortBy, the
// attribute is the zero value and sortOrder has no effect.
func parseSort(by, direction string) (a filter.Attr, descending bool, err error) {
	switch strings.ToLower(direction) {
	case "", "ascending":
	case "descending":
		descending = true
	default:
		return a, false, scim.BadRequest(scim.InvalidValue,
			"The value of sortOrder is not valid. Send ascending or descending.")
	}
	if by == "" {
		return a, false, nil
	}
	if a, err = filter.ParseAttr(by); err != nil {
		return a, false, scim.BadRequest(scim.InvalidPath, "The value of sortBy is not an attribute: %v", err)
	}
	return a, descending, nil
}

// parseInteger returns the value of a parameter, or defaultValue if it is missing or empty. A value outside of 32 bits
// is replaced by the nearest integer of 32 bits.
func parseInteger(p map[string]string, name string, defaultValue int) (int, error) {
	text := p[strings.ToLower(name)]
	if text == "" {
		return defaultValue, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, scim.BadRequest(scim.InvalidValue, "The parameter %s is not an integer. Send an integer.", name)
	}
	return int(n), nil
}
