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

// search is POST on /.search, below a resource type's endpoint or the root (RFC 7644 §3.4.3): a list whose parameters
// stand in the body.
func search(r *request) (*response, error) {
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
			return nil, scim.BadRequest(scim.InvalidValue, "The value of %s has the wrong type.", name)
		}
		if v != nil {
			p[name] = text
		}
	}
	return r.list(p)
}

// parameterText is a value of a SearchRequest as it would stand in a query string.
func parameterText(v any) (string, bool) {
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

// parseListParameters reads the parameters of a list (RFC 7644 §3.4.2), by their names in lower case.
func (r *request) parseListParameters(p map[string]string) (q directory.Params, err error) {
	q.Types, q.Client = r.targetTypes(), r.identity.Label
	if q.Projection, err = scim.NewProjection(q.Types, p["attributes"], p["excludedattributes"]); err != nil {
		return q, err
	}
	if q.StartIndex, err = parseInteger(p, "startindex", "startIndex", 1); err != nil {
		return q, err
	}
	if q.Count, err = parseCount(p); err != nil {
		return q, err
	}
	q.StartIndex = max(q.StartIndex, 1) // RFC 7644 §3.4.2.4: below 1 it is 1
	if cursor, ok := p["cursor"]; ok {  // RFC 9865 §2: the first one is empty; it goes before startIndex
		q.StartIndex, q.Cursor = 0, cursor
	}
	if text, ok := p["filter"]; ok {
		if q.Filter, err = filter.Parse(text); err != nil {
			return q, scim.BadRequest(scim.InvalidFilter, "The filter cannot be read: %v", err)
		}
	}
	q.SortBy, q.Descending, err = parseSort(p["sortby"], p["sortorder"])
	return q, err
}

// parseCount reads how many resources a page has at most.
func parseCount(p map[string]string) (int, error) {
	n, err := parseInteger(p, "count", "count", defaultCount)
	if _, paged := p["cursor"]; paged && (err != nil || n < 1) { // RFC 9865 §2.1; a page of none would lead to itself
		return 0, scim.BadRequest(scim.InvalidCount, "With cursor, count is a positive integer, and more than %d counts as "+
			"%[1]d. Send one, or leave it out.", maxCount)
	}
	return min(max(n, 0), maxCount), err // RFC 7644 §3.4.2.4: a negative count is 0
}

// parseSort reads sortBy and sortOrder (RFC 7644 §3.4.2.3).
func parseSort(by, direction string) (a filter.Attr, descending bool, err error) {
	switch strings.ToLower(direction) {
	case "", "ascending":
	case "descending":
		descending = true
	default:
		return a, false, scim.BadRequest(scim.InvalidValue, "sortOrder is ascending or descending.")
	}
	if by == "" {
		return a, false, nil // RFC 7644 §3.4.2.3: without sortBy, sortOrder means nothing
	}
	if a, err = filter.ParseAttr(by); err != nil {
		return a, false, scim.BadRequest(scim.InvalidPath, "sortBy names no attribute: %v", err)
	}
	return a, descending, nil
}

func parseInteger(p map[string]string, name, shown string, otherwise int) (int, error) {
	text, ok := p[name]
	if !ok || text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 32) // what is out of its range becomes the nearest
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, scim.BadRequest(scim.InvalidValue, "The parameter %s is not an integer. Send one.", shown)
	}
	return int(n), nil
}
