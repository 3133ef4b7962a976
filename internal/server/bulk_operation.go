package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/server/bulkid"
)

// bulkDeadlineReserve is the time before the deadline in which no operation starts, so that no operation is
// interrupted.
const bulkDeadlineReserve = 3 * time.Second

// executeCycle executes one operation, or the POST operations that refer to each other in a cycle (RFC 7644 §3.7.1).
// Each POST of a cycle first creates its resource without the references to resources that do not exist yet. When all
// exist, executeCycle adds the references. The resources of a cycle are created all or not at all.
func (j *bulkJob) executeCycle(cycle []int) {
	if op := &j.operations[cycle[0]]; len(cycle) == 1 && !slices.Contains(j.dependencies(cycle[0]), cycle[0]) {
		resp, _, err := j.execute(j.request, op)
		j.setResult(op, resp, err)
		return
	}
	set, err := j.beginCycle(cycle)
	if err != nil {
		j.setResult(&j.operations[cycle[0]], nil, err)
	} else if err = j.executeAll(set, cycle); err == nil {
		err = set.Commit(j.Context())
	}
	if err == nil || set != nil && j.undo(set, cycle) {
		return
	}
	for _, i := range cycle { // each depends on all others
		if op := &j.operations[i]; op.id != "" || op.result == nil && !j.stopped() {
			j.setResult(op, nil, dependencyError(err))
		}
	}
}

// beginCycle begins the creation of the resources of a cycle.
func (j *bulkJob) beginCycle(cycle []int) (*directory.CreateSet, error) {
	var types []*scim.ResourceType
	for _, i := range cycle {
		if types = append(types, j.operations[i].resourceType); types[len(types)-1] == nil {
			return nil, noEndpointError()
		}
	}
	if deadlineNear(j.Context()) {
		return nil, outOfTimeError()
	}
	return j.directory.BeginCreates(j.Context(), types)
}

// executeAll creates the resources of a cycle, and then adds the references that had to wait.
func (j *bulkJob) executeAll(set *directory.CreateSet, cycle []int) error {
	deferred := map[*bulkOperation]scim.Object{}
	for n, i := range cycle {
		op, r := &j.operations[i], *j.request
		r.directory = set.Directory(n)
		resp, rest, err := j.execute(&r, op)
		if j.setResult(op, resp, err); err != nil {
			return err
		}
		if len(rest) > 0 {
			deferred[op] = rest
		}
	}
	for _, i := range cycle {
		op := &j.operations[i]
		if err := j.addDeferred(op, deferred[op]); err != nil {
			return err
		}
	}
	return nil
}

// execute executes an operation with the directory of r. deferred holds the attributes that refer to resources that do
// not exist yet.
func (j *bulkJob) execute(r *request, op *bulkOperation) (resp *response, deferred scim.Object, err error) {
	if op.err != nil {
		return nil, nil, op.err
	}
	if deadlineNear(j.Context()) {
		return nil, nil, outOfTimeError()
	}
	for _, bulkID := range op.bulkIDRefs {
		if err := j.checkReference(bulkID); err != nil {
			return nil, nil, err
		}
	}
	op.substitute(j.resolve)
	if op.method == http.MethodPost && op.resourceType != nil {
		deferred = bulkid.Defer(op.resourceType, "", op.data.(scim.Object))
	}
	resp, err = j.dispatchOperation(*r, op.method, op.path, op.version, op.data)
	if err == nil && op.method == http.MethodPost {
		location := resp.header["Location"]
		op.id = location[strings.LastIndexByte(location, '/')+1:]
	}
	return resp, deferred, err
}

func outOfTimeError() error {
	return &scim.Error{Status: http.StatusTooManyRequests, Err: context.DeadlineExceeded,
		Detail: "The bulk request ran out of time before this operation. Send the operation again."}
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
	if deadlineNear(j.Context()) {
		return outOfTimeError()
	}
	bulkid.Substituter{ResourceType: op.resourceType, To: j.resolve}.InAttributes("", deferred)
	var operations []any
	for _, name := range slices.Sorted(maps.Keys(deferred)) { // each with a path, for the profile interop
		operations = append(operations, scim.Object{"op": patch.Add, "path": name, "value": deferred[name]})
	}
	resp, err := j.dispatchOperation(*j.request, http.MethodPatch, op.path+"/"+op.id, "",
		scim.Object{"schemas": []any{patch.PatchOpSchema}, "Operations": operations})
	if err == nil {
		op.result["version"] = resp.header["ETag"]
	}
	return err
}

// undoTimeout is the time to undo the creates of a cycle after the request's deadline, or after its client has left.
const undoTimeout = time.Second

// undo deletes the resources that the operations of a cycle created, and logs each as a delete. What it cannot delete in
// time, the sweep deletes. It reports whether the cycle is committed after all.
func (j *bulkJob) undo(set *directory.CreateSet, cycle []int) (committed bool) {
	committed, err := set.Undo(j.Context())
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(j.Context()), undoTimeout)
		defer cancel()
		committed, err = set.Undo(ctx)
	}
	if err != nil {
		j.server.Log.WarnContext(j.Context(), "cannot undo a bulk operation; the sweep will undo it", "error", err)
	}
	for _, i := range cycle {
		op := &j.operations[i]
		if change, undone := set.Undone()[op.id]; undone {
			r := *j.request
			r.Request = r.WithContext(j.Context())
			r.Method = http.MethodDelete
			j.server.audit(&r, route{resourceType: op.resourceType, id: op.id},
				&response{status: http.StatusNoContent, change: change}, nil)
		}
	}
	return committed
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

// dispatchOperation serves the single request that is equivalent to an operation, with the directory of r. The response
// has no body, because a result contains no resource. Its entity tag is that of the single request, so that the operation
// reads the same display names.
func (j *bulkJob) dispatchOperation(r request, method, path, version string, data any) (resp *response, err error) {
	target := route{}
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
		Header: http.Header{"Content-Type": {mediaType}},
		Body:   io.NopCloser(bytes.NewReader(body)),
	}).WithContext(j.Context())
	if version != "" {
		r.Header.Set("If-Match", version)
	}
	if strings.ContainsAny(path, "?#") {
		return nil, scim.BadRequest(scim.InvalidSyntax, "The path of the operation contains a query or a fragment. Send the path without it.")
	}
	segments := strings.SplitN(path, "/", 2)
	if target, err = j.server.bulkRoutes.find(j.types, method, segments); err != nil {
		return nil, err
	}
	r.recordEndpoint(target, segments)
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
