package server

import (
	"net/http"
	"strconv"

	"serverless-scim/internal/directory"
)

// query is GET on a resource type's endpoint, or on the root: all resource types (RFC 7644 §3.4.2).
func query(r *request) (*response, error) {
	p, err := r.parameters()
	if err != nil {
		return nil, err
	}
	return r.list(p)
}

// list answers with the resources that parameters ask for.
func (r *request) list(p map[string]string) (*response, error) {
	q, err := r.listing(p)
	if err != nil {
		return nil, err
	}
	list, err := r.directory.Query(r.Context(), q)
	if err != nil {
		return nil, err
	}
	size, id := 0, ""
	for _, res := range list.Resources {
		size, id = size+res.Size(q.Projection), res.ID()
	}
	b := beginList(size, len(list.Resources), list)
	for i, res := range list.Resources {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = res.Append(b, q.Projection); err != nil {
			return nil, err
		}
	}
	if len(list.Resources) > 1 {
		id = ""
	}
	return &response{status: http.StatusOK, body: text(append(b, "]}"...)), found: true, id: id}, nil
}

// beginList begins a ListResponse (RFC 7644 §3.4.2), up to its resources; itemsPerPage is what is really there. One that
// goes by cursors has no index, and a total only if that is known (RFC 9865 §2).
func beginList(size, items int, l *directory.List) []byte {
	b := append(make([]byte, 0, 1024+size), `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"]`...)
	if l.Total >= 0 {
		b = strconv.AppendInt(append(b, `,"totalResults":`...), int64(l.Total), 10)
	}
	if l.StartIndex > 0 {
		b = strconv.AppendInt(append(b, `,"startIndex":`...), int64(l.StartIndex), 10)
	}
	if l.Next != "" { // cursors have nothing to escape
		b = append(append(append(b, `,"nextCursor":"`...), l.Next...), '"')
	}
	if l.Previous != "" {
		b = append(append(append(b, `,"previousCursor":"`...), l.Previous...), '"')
	}
	b = strconv.AppendInt(append(b, `,"itemsPerPage":`...), int64(items), 10)
	return append(b, `,"Resources":[`...)
}
