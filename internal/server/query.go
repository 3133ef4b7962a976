package server

import (
	"net/http"
	"strconv"

	"serverless-scim/internal/directory"
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
