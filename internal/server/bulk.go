package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"serverless-scim/internal/leniency"
	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/server/bulkid"
)

const (
	bulkRequest  = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
	bulkResponse = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"

	maxBulkOperations = 1000
)

// bulk serves POST on /Bulk (RFC 7644 §3.7). Each operation has the same effect as the single request. Operations run
// in the order of the request, except that an operation runs after those that it refers to.
func (s *server) bulk(r *request, _ route) (*response, error) {
	j := &bulkJob{request: r, server: s, postByBulkID: map[string]int{}}
	if err := j.decode(); err != nil {
		return nil, err
	}
	for _, cycle := range dependencyOrder(len(j.operations), j.dependencies) {
		if j.stopped() {
			break
		}
		j.executeCycle(cycle)
	}
	results := []any{}
	for _, op := range j.operations {
		if op.result != nil {
			results = append(results, op.result)
		}
	}
	body := scim.Object{"schemas": []string{bulkResponse}, "Operations": results}
	return &response{status: http.StatusOK, body: body}, nil
}

// decode reads the operations from the request body. An error of a single operation is stored in the operation.
func (j *bulkJob) decode() error {
	body, err := j.body()
	if known := (*scim.Error)(nil); errors.As(err, &known) && known.Status == http.StatusRequestEntityTooLarge {
		return bulkTooLargeError("maxPayloadSize", maxBodyBytes)
	}
	if err != nil {
		return err
	}
	o, err := scim.ParseObject(body)
	if err != nil {
		return err
	}
	urns, _ := o.Get("schemas").([]any)
	if !slices.ContainsFunc(urns, isBulkRequest) { // RFC 7644 §3.7
		return scim.BadRequest(scim.InvalidSyntax, "schemas does not contain %s. Add it to the request.", bulkRequest)
	}
	if err := leniency.RecordMessage(j.leniency, o, bulkRequest, "schemas", "failOnErrors", "Operations"); err != nil {
		return err
	}
	list, _ := o.Get("Operations").([]any)
	if len(list) == 0 {
		return scim.BadRequest(scim.InvalidSyntax, "The bulk request contains no Operations. Send an array of at least one operation.")
	}
	if len(list) > maxBulkOperations {
		return bulkTooLargeError("maxOperations", maxBulkOperations)
	}
	if j.failOnErrors, err = parseFailOnErrors(o.Get("failOnErrors")); err != nil {
		return err
	}
	for _, raw := range list {
		j.operations = append(j.operations, j.parseOperation(raw))
	}
	return nil
}

func isBulkRequest(urn any) bool {
	s, _ := urn.(string)
	return strings.EqualFold(s, bulkRequest)
}

// bulkTooLargeError returns the error for a bulk request that exceeds a limit in ServiceProviderConfig
// (RFC 7644 §3.7.4).
func bulkTooLargeError(name string, limit int) error {
	return &scim.Error{Status: http.StatusRequestEntityTooLarge,
		Detail: fmt.Sprintf("The bulk request exceeds %s (%d). Send several smaller bulk requests.", name, limit)}
}

// parseFailOnErrors returns the number of failures that stops a job. Clients send null or 0 for no limit.
func parseFailOnErrors(raw any) (int, error) {
	if raw == nil {
		return 0, nil
	}
	number, _ := raw.(json.Number)
	limit, err := strconv.Atoi(number.String())
	if err != nil || limit < 0 {
		return 0, scim.BadRequest(scim.InvalidSyntax,
			"failOnErrors is not a number of errors. Send an integer that is not negative.")
	}
	return limit, nil
}

// parseOperation reads the next operation. It stores an error in the operation.
func (j *bulkJob) parseOperation(raw any) (op bulkOperation) {
	o, ok := raw.(scim.Object)
	if !ok {
		op.err = scim.BadRequest(scim.InvalidSyntax, "The operation is not an object. Send an object with a method and a path.")
		return op
	}
	text := func(name string) string {
		s, ok := o.Get(name).(string)
		if !ok && o.Get(name) != nil {
			op.err = scim.BadRequest(scim.InvalidSyntax, "The %s of the operation is not a string. Send a string.", name)
		}
		return s
	}
	op.err = leniency.RecordUnknownNames(j.leniency, o, "method", "path", "bulkId", "version", "data")
	method, path := text("method"), text("path")
	op.method, op.path = strings.ToUpper(method), strings.Trim(path, "/")
	if op.method != method {
		j.leniency.Add(leniency.BulkMethodCase)
	}
	if path != "/"+op.path {
		j.leniency.Add(leniency.BulkPathSlashes)
	}
	op.bulkID, op.version = text("bulkId"), text("version")
	endpoint, _, _ := strings.Cut(op.path, "/")
	op.resourceType = j.types.ByEndpoint(endpoint)
	if op.err == nil {
		op.err = j.check(&op, o.Get("data"))
	}
	if op.err == nil {
		op.substitute(func(bulkID string) string {
			op.bulkIDRefs = append(op.bulkIDRefs, bulkID)
			return bulkid.Prefix + bulkID
		})
	}
	return op
}

// check checks the requirements of RFC 7644 §3.7 and sets the data of an operation. It records the bulkId of a POST.
func (j *bulkJob) check(op *bulkOperation, data any) (err error) {
	if op.method == "" || op.path == "" {
		return scim.BadRequest(scim.InvalidSyntax, "The operation has no method or no path. Send both.")
	}
	if op.method == http.MethodPost {
		if op.bulkID == "" {
			return scim.BadRequest(scim.InvalidSyntax, "The POST operation has no bulkId. Send one that is unique in the bulk request.")
		}
		if _, taken := j.postByBulkID[op.bulkID]; taken {
			return scim.BadRequest(scim.InvalidSyntax,
				"An earlier POST operation has the same bulkId. Send a unique bulkId with each POST.")
		}
		j.postByBulkID[op.bulkID] = len(j.operations)
	}
	if slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch}, op.method) {
		op.data, err = j.bulkData(op.method, data)
	}
	return err
}

// bulkData returns the body of the single request that is equivalent to an operation.
func (j *bulkJob) bulkData(method string, raw any) (_ any, err error) {
	if text, ok := raw.(string); ok { // Java clients send JSON in a string
		j.leniency.Add(leniency.BulkDataAsString)
		if raw, err = scim.Parse([]byte(text)); err != nil {
			return nil, err
		}
	}
	if list, ok := raw.([]any); ok && method == http.MethodPatch { // an example of RFC 7644 §3.7.3 sends only the array
		raw = scim.Object{"schemas": []any{patch.PatchOpSchema}, "Operations": list}
	}
	if _, ok := raw.(scim.Object); !ok {
		return nil, scim.BadRequest(scim.InvalidSyntax,
			"The data of the operation is not an object. Send the body of the %s request.", method)
	}
	return raw, nil
}
