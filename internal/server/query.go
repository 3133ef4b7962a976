package server

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/filter"
	"serverless-scim/internal/leniency"
	"serverless-scim/internal/scim"
)

// listResources serves GET on the endpoint of a resource type, and GET on the root, which lists all resource types
// (RFC 7644 §3.4.2).
func listResources(r *request, target route) (*response, error) {
	p, err := r.queryParameters()
	if err != nil {
		return nil, err
	}
	return r.list(target, p)
}

// list returns a response with the resources that the parameters select. Parameter names are in lower case.
func (r *request) list(target route, p map[string]string) (*response, error) {
	q, err := r.parseListParameters(target, p)
	if err != nil {
		return nil, err
	}
	list, err := r.directory.List(r.Context(), q)
	if err != nil {
		return nil, err
	}
	size, id := 0, ""
	for _, res := range list.Resources {
		size, id = size+res.EstimatedSize(q.Projection), res.ID()
	}
	b := beginList(size, len(list.Resources), list)
	for i, res := range list.Resources {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = res.AppendJSON(b, q.Projection); err != nil {
			return nil, err
		}
	}
	if len(list.Resources) > 1 {
		id = ""
	}
	return &response{status: http.StatusOK, body: rawJSON(append(b, "]}"...)), readOnly: true, id: id}, nil
}

// beginList returns a ListResponse up to its resources (RFC 7644 §3.4.2). size is the estimated size of the resources,
// items is their number. A page by cursor has no startIndex, and has totalResults only if it is known (RFC 9865 §2).
func beginList(size, items int, l *directory.ListResult) []byte {
	b := append(make([]byte, 0, 1024+size), `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"]`...)
	if l.TotalResults >= 0 {
		b = strconv.AppendInt(append(b, `,"totalResults":`...), int64(l.TotalResults), 10)
	}
	if l.StartIndex > 0 {
		b = strconv.AppendInt(append(b, `,"startIndex":`...), int64(l.StartIndex), 10)
	}
	if l.NextCursor != "" { // a cursor contains no characters that JSON escapes
		b = append(append(append(b, `,"nextCursor":"`...), l.NextCursor...), '"')
	}
	if l.PreviousCursor != "" {
		b = append(append(append(b, `,"previousCursor":"`...), l.PreviousCursor...), '"')
	}
	b = strconv.AppendInt(append(b, `,"itemsPerPage":`...), int64(items), 10)
	return append(b, `,"Resources":[`...)
}

const defaultCount, maxCount = 100, 1000

// parseListParameters returns the query that the parameters describe (RFC 7644 §3.4.2). Parameter names are in lower
// case.
func (r *request) parseListParameters(target route, p map[string]string) (q directory.ListParams, err error) {
	q.Types, q.Client = r.targetTypes(target), r.identity.Label
	if q.Projection, err = scim.NewProjection(q.Types, p["attributes"], p["excludedattributes"], r.leniency); err != nil {
		return q, err
	}
	if q.StartIndex, err = r.parseInteger(p, "startIndex", 1); err != nil {
		return q, err
	}
	if q.Count, err = r.parseCount(p); err != nil {
		return q, err
	}
	q.StartIndex = max(q.StartIndex, 1) // RFC 7644 §3.4.2.4: a value less than 1 is interpreted as 1
	// RFC 9865 §2: an empty cursor requests the first page. A cursor takes precedence over startIndex.
	if cursor, ok := p["cursor"]; ok {
		q.StartIndex, q.Cursor = 0, cursor
	}
	if text, ok := p["filter"]; ok {
		if q.Filter, err = filter.Parse(text, r.leniency); err != nil {
			return q, scim.BadRequest(scim.InvalidFilter, "The filter is not valid: %v", err)
		}
	}
	q.SortBy, q.Descending, err = r.parseSort(p["sortby"], p["sortorder"])
	return q, err
}

// targetTypes returns the resource type of a route, or all enabled resource types if the route has none.
func (r *request) targetTypes(target route) []*scim.ResourceType {
	if target.resourceType == nil {
		return r.types.ResourceTypes
	}
	return []*scim.ResourceType{target.resourceType}
}

// parseCount returns the largest number of resources on a page.
func (r *request) parseCount(p map[string]string) (int, error) {
	n, err := r.parseInteger(p, "count", defaultCount)
	// RFC 9865 §2.1 requires a positive count with a cursor: the next cursor of an empty page would lead to the same
	// page.
	if _, byCursor := p["cursor"]; byCursor && (err != nil || n < 1) {
		return 0, scim.BadRequest(scim.InvalidCount,
			"With a cursor, count must be a positive integer. Send an integer from 1 to %d, or omit count.", maxCount)
	}
	return min(max(n, 0), maxCount), err // RFC 7644 §3.4.2.4: a negative value is interpreted as 0
}

// parseSort returns the attribute and the direction of sortBy and sortOrder (RFC 7644 §3.4.2.3). Without sortBy, the
// attribute is the zero value and sortOrder has no effect.
func (r *request) parseSort(by, direction string) (a filter.Attr, descending bool, err error) {
	lower := strings.ToLower(direction)
	if lower != direction {
		r.leniency.Add(leniency.SortOrderCase)
	}
	switch lower {
	case "", "ascending":
	case "descending":
		descending = true
	default:
		return a, false, scim.BadRequest(scim.InvalidValue, "The value of sortOrder is not valid. Send ascending or descending.")
	}
	if by == "" {
		return a, false, nil
	}
	if a, err = filter.ParseAttr(by, r.leniency); err != nil {
		return a, false, scim.BadRequest(scim.InvalidPath, "The value of sortBy is not an attribute: %v", err)
	}
	return a, descending, nil
}

// parseInteger returns the value of a parameter, or defaultValue if it is missing or empty. A value outside of 32 bits
// is replaced by the nearest integer of 32 bits.
func (r *request) parseInteger(p map[string]string, name string, defaultValue int) (int, error) {
	text, sent := p[strings.ToLower(name)]
	if text == "" {
		if sent {
			r.leniency.Add(leniency.ParameterEmpty)
		}
		return defaultValue, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, scim.BadRequest(scim.InvalidValue, "The parameter %s is not an integer. Send an integer.", name)
	}
	return int(n), nil
}
