package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
)

// bulkDeadlineReserve is how long before the deadline no operation begins any more, lest it be cut off.
const bulkDeadlineReserve = 3 * time.Second

// executeCycle performs an operation, or several POSTs that refer to each other in a circle: each is created without what
// it says of those that are not there yet, and that is added once all are (RFC 7644 §3.7.1).
func (j *bulkJob) executeCycle(circle []int) {
	late := map[*bulkOperation]scim.Object{}
	for _, i := range circle {
		op := &j.operations[i]
		resp, rest, err := j.execute(op)
		j.setResult(op, resp, err)
		if err != nil {
			j.rollBackCycle(circle, err)
			return
		}
		if len(rest) > 0 {
			late[op] = rest
		}
	}
	for _, i := range circle {
		op := &j.operations[i]
		if err := j.addDeferred(op, late[op]); err != nil {
			j.rollBackCycle(circle, err)
			return
		}
	}
}

// execute performs an operation and gives what of it had to be left out.
func (j *bulkJob) execute(op *bulkOperation) (resp *response, late scim.Object, err error) {
	if op.err != nil {
		return nil, nil, op.err
	}
	if end, limited := j.Context().Deadline(); j.Context().Err() != nil || limited && time.Until(end) < bulkDeadlineReserve {
		return nil, nil, &scim.Error{Status: http.StatusTooManyRequests, Err: context.DeadlineExceeded,
			Detail: "The time of the bulk request ran out before this operation. Send it again."}
	}
	for _, bulkID := range op.bulkIDRefs {
		if err := j.checkReference(bulkID); err != nil {
			return nil, nil, err
		}
	}
	op.substitute(j.resolve)
	if op.method == http.MethodPost {
		late = deferReferences(op.data.(scim.Object))
	}
	if resp, err = j.dispatchOperation(op.method, op.path, op.version, op.data); err == nil && op.method == http.MethodPost {
		location := resp.header["Location"]
		op.id = location[strings.LastIndexByte(location, '/')+1:]
	}
	return resp, late, err
}

// addDeferred adds to a resource what was left out when it was created.
func (j *bulkJob) addDeferred(op *bulkOperation, late scim.Object) error {
	if late == nil {
		return nil
	}
	resp, err := j.dispatchOperation(http.MethodPatch, op.path+"/"+op.id, "", scim.Object{"schemas": []any{patch.PatchOpSchema},
		"Operations": []any{scim.Object{"op": patch.Add, "value": substitute(late, j.resolve)}}})
	if err == nil {
		op.result["version"] = resp.header["ETag"]
	}
	return err
}

// rollBackCycle is for a circle of which one operation failed: since the others refer to it, by others perhaps, they fail, too,
// and what they created is deleted.
func (j *bulkJob) rollBackCycle(circle []int, cause error) {
	for _, i := range circle {
		op := &j.operations[i]
		created := op.id != ""
		if created {
			if _, err := j.dispatchOperation(http.MethodDelete, op.path+"/"+op.id, "", nil); err != nil {
				j.server.Log.ErrorContext(j.Context(), "bulk operation not undone", "id", op.id, "error", err)
			}
		}
		if created || op.result == nil && !j.stopped() {
			j.setResult(op, nil, dependencyError(cause))
		}
	}
}

// checkReference is why a reference cannot be resolved, nil if it can or if its resource is yet to come.
func (j *bulkJob) checkReference(bulkID string) error {
	k, known := j.postByBulkID[bulkID]
	if !known {
		return scim.BadRequest(scim.InvalidValue, "The operation refers to a bulkId that no POST of this request has.")
	}
	if op := &j.operations[k]; op.result != nil && op.err != nil {
		return dependencyError(op.err)
	}
	return nil
}

// dependencyError is the failure of an operation that refers to one that failed. What passes for that one passes for this.
func dependencyError(cause error) error {
	if directory.IsTransient(cause) {
		return cause
	}
	return &scim.Error{Status: http.StatusConflict, // RFC 7644 §3.7.1
		Detail: "The operation refers by bulkId to one of this request that failed. Correct that one and repeat both."}
}

// dispatchOperation answers the request that an operation stands for, as if it had come alone. Its body is not shown, so nothing is
// read for it.
func (j *bulkJob) dispatchOperation(method, path, version string, data any) (resp *response, err error) {
	r := *j.request
	defer func() {
		if p := recover(); p != nil {
			resp, err = nil, &panicError{value: p, stack: stack()}
		}
		if err != nil && errorResponse(err).status >= http.StatusInternalServerError {
			j.server.Log.ErrorContext(j.Context(), "bulk operation", "method", r.loggedMethod(), "route", r.loggedRoute(), "error", loggableCause(err))
		}
	}()
	body, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	r.Request = (&http.Request{
		Method: method,
		URL:    &url.URL{Path: "/" + path, RawQuery: "attributes=id"},
		Header: http.Header{},
		Body:   io.NopCloser(bytes.NewReader(body)),
	}).WithContext(j.Context())
	if version != "" {
		r.Header.Set("If-Match", version)
	}
	m, err := j.server.bulkMethods(&r, path)
	if err != nil {
		return nil, err
	}
	if h := m[method]; h != nil {
		return h(&r)
	}
	return nil, &methodNotAllowedError{m}
}

// bulkMethods is the methods that a path of an operation has: those of resource types and resources, but GET.
func (s *server) bulkMethods(r *request, path string) (methods, error) {
	if strings.ContainsAny(path, "?#") {
		return nil, scim.BadRequest(scim.InvalidSyntax, "The path of an operation ends with the resource. Leave out the query.")
	}
	segments := strings.SplitN(path, "/", 2)
	if len(segments) > 1 {
		r.id = segments[1]
	}
	m := s.resourceMethods(r, segments)
	if m == nil || r.id == searchSegment {
		return nil, noEndpointError()
	}
	delete(m, http.MethodGet)
	return m, nil
}
