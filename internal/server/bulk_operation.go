package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
)

// bulkDeadlineReserve is the time before the deadline in which no operation starts, so that no operation is
// interrupted.
const bulkDeadlineReserve = 3 * time.Second

// executeCycle executes one operation, or the POST operations that refer to each other in a cycle (RFC 7644 §3.7.1).
// Each POST of a cycle first creates its resource without the references to resources that do not exist yet. When all
// exist, executeCycle adds the references.
func (j *bulkJob) executeCycle(cycle []int) {
	deferred := map[*bulkOperation]scim.Object{}
	for _, i := range cycle {
		op := &j.operations[i]
		resp, rest, err := j.execute(op)
		j.setResult(op, resp, err)
		if err != nil {
			j.rollBackCycle(cycle, err)
			return
		}
		if len(rest) > 0 {
			deferred[op] = rest
		}
	}
	for _, i := range cycle {
		op := &j.operations[i]
		if err := j.addDeferred(op, deferred[op]); err != nil {
			j.rollBackCycle(cycle, err)
			return
		}
	}
}

// execute executes an operation. deferred holds the attributes that refer to resources that do not exist yet.
func (j *bulkJob) execute(op *bulkOperation) (resp *response, deferred scim.Object, err error) {
	if op.err != nil {
		return nil, nil, op.err
	}
	if deadlineNear(j.Context()) {
		return nil, nil, &scim.Error{Status: http.StatusTooManyRequests, Err: context.DeadlineExceeded,
			Detail: "The bulk request ran out of time before this operation. Send the operation again."}
	}
	for _, bulkID := range op.bulkIDRefs {
		if err := j.checkReference(bulkID); err != nil {
			return nil, nil, err
		}
	}
	op.substitute(j.resolve)
	if op.method == http.MethodPost && op.resourceType != nil {
		deferred = deferReferences(op.resourceType, "", op.data.(scim.Object))
	}
	resp, err = j.dispatchOperation(op.method, op.path, op.version, op.data)
	if err == nil && op.method == http.MethodPost {
		location := resp.header["Location"]
		op.id = location[strings.LastIndexByte(location, '/')+1:]
	}
	return resp, deferred, err
}

// deadlineNear reports whether a context is done or its deadline is too close for another operation.
func deadlineNear(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && time.Until(deadline) < bulkDeadlineReserve
}

// addDeferred adds the deferred attributes to the resource that an operation created. It does nothing if deferred is
// nil.
func (j *bulkJob) addDeferred(op *bulkOperation, deferred scim.Object) error {
	if deferred == nil {
		return nil
	}
	substituter{op.resourceType, j.resolve}.inAttributes("", deferred)
	add := scim.Object{"op": patch.Add, "value": deferred}
	resp, err := j.dispatchOperation(http.MethodPatch, op.path+"/"+op.id, "",
		scim.Object{"schemas": []any{patch.PatchOpSchema}, "Operations": []any{add}})
	if err == nil {
		op.result["version"] = resp.header["ETag"]
	}
	return err
}

// rollBackCycle deletes the resources that the operations of a cycle created. If one operation of a cycle fails, all
// fail, because each depends on all others.
func (j *bulkJob) rollBackCycle(cycle []int, cause error) {
	for _, i := range cycle {
		op := &j.operations[i]
		created := op.id != ""
		if created {
			if _, err := j.dispatchOperation(http.MethodDelete, op.path+"/"+op.id, "", nil); err != nil {
				j.server.Log.ErrorContext(j.Context(), "cannot undo a bulk operation", "id", op.id, "error", err)
			}
		}
		if created || op.result == nil && !j.stopped() {
			j.setResult(op, nil, dependencyError(cause))
		}
	}
}

// checkReference returns an error if the operation with this bulkId does not exist or has failed.
func (j *bulkJob) checkReference(bulkID string) error {
	k, known := j.postByBulkID[bulkID]
	if !known {
		return scim.BadRequest(scim.InvalidValue,
			"The operation refers to bulkId %q, which no POST operation has. Correct the reference.", bulkID)
	}
	if op := &j.operations[k]; op.result != nil && op.err != nil {
		return dependencyError(op.err)
	}
	return nil
}

// dependencyError returns the error of an operation that refers to a failed operation. If the cause is transient, so is
// the error.
func dependencyError(cause error) error {
	if directory.IsTransient(cause) {
		return cause
	}
	return &scim.Error{Status: http.StatusConflict, // RFC 7644 §3.7.1
		Detail: "The operation refers by bulkId to an operation that failed. Correct it and send both again."}
}

// dispatchOperation serves the single request that is equivalent to an operation. The response has no body, because a
// result contains no resource. Its entity tag is that of the single request, so that the operation reads the same
// display names.
func (j *bulkJob) dispatchOperation(method, path, version string, data any) (resp *response, err error) {
	r, target := *j.request, route{}
	r.omitBody = true
	defer func() {
		if p := recover(); p != nil {
			resp, err = nil, &panicError{value: p, stack: stack()}
		}
		if err != nil && errorResponse(err).status >= http.StatusInternalServerError {
			j.server.Log.ErrorContext(j.Context(), "cannot execute a bulk operation",
				"method", r.loggedMethod(), "route", target.loggedPath(), "error", loggableCause(err))
		}
	}()
	body, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	r.Request = (&http.Request{
		Method: method,
		URL:    &url.URL{Path: "/" + path},
		Header: http.Header{},
		Body:   io.NopCloser(bytes.NewReader(body)),
	}).WithContext(j.Context())
	if version != "" {
		r.Header.Set("If-Match", version)
	}
	if strings.ContainsAny(path, "?#") {
		return nil, scim.BadRequest(scim.InvalidSyntax,
			"The path of the operation contains a query or a fragment. Send the path without it.")
	}
	if target, err = j.server.bulkRoutes.find(j.types, method, strings.SplitN(path, "/", 2)); err != nil {
		return nil, err
	}
	return j.server.serve(&r, target)
}

// setResult sets the result of an operation (RFC 7644 §3.7.3). Only the result of a failure contains a response body.
func (j *bulkJob) setResult(op *bulkOperation, resp *response, err error) {
	if err != nil {
		op.err, resp = err, errorResponse(err)
		j.failed++
	}
	location := resp.header["Location"]
	if op.method != http.MethodPost && op.path != "" {
		location = j.operationLocation(op.path)
	}
	op.result = scim.Object{"status": strconv.Itoa(resp.status)}
	for name, v := range map[string]string{
		"method": op.method, "bulkId": op.bulkID, "location": location, "version": resp.header["ETag"],
	} {
		if v != "" {
			op.result[name] = v
		}
	}
	if err != nil {
		op.result["response"] = resp.body
	}
}

// operationLocation returns the URL of an operation's path. It spells the endpoint of a resource type as its definition
// does.
func (j *bulkJob) operationLocation(path string) string {
	endpoint, id, _ := strings.Cut(path, "/")
	if rt := j.types.ByEndpoint(endpoint); rt != nil && id != "" {
		return j.directory.Location(rt, id)
	}
	return j.baseURL + "/" + path
}
