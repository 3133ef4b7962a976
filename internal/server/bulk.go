package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"serverless-scim/internal/scim"
)

const (
	bulkRequest  = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
	bulkResponse = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"

	maxBulkOperations = 1000
)

// bulkJob is the work of one bulk request.
type bulkJob struct {
	*request
	server       *server
	operations   []bulkOperation
	postByBulkID map[string]int // the operations that create resources, by bulkId
	failOnErrors int            // errors after which it stops; 0: whatever fails, it goes on
	failed       int
}

// bulkOperation is one operation of a bulk request, and what became of it.
type bulkOperation struct {
	method, path, bulkID, version string // path without slashes around it
	data                          any
	bulkIDRefs                    []string    // the bulkIds in path and data
	err                           error       // why it failed, or must
	result                        scim.Object // nil until it was its turn
	id                            string      // of the resource that it created
}

// bulk is POST on /Bulk (RFC 7644 §3.7): each operation does what the request that it stands for would do, in the
// request's order, but what others refer to comes before them.
func (s *server) bulk(r *request) (*response, error) {
	j := &bulkJob{request: r, server: s, postByBulkID: map[string]int{}}
	if err := j.decode(); err != nil {
		return nil, err
	}
	for _, circle := range dependencyOrder(len(j.operations), j.dependencies) {
		if j.stopped() {
			break
		}
		j.executeCycle(circle)
	}
	results := []any{}
	for _, op := range j.operations {
		if op.result != nil {
			results = append(results, op.result)
		}
	}
	return &response{status: http.StatusOK, body: scim.Object{"schemas": []string{bulkResponse}, "Operations": results}}, nil
}

// decode reads the message. What is wrong with one operation is noted there.
func (j *bulkJob) decode() error {
	body, err := j.body()
	if known := (*scim.Error)(nil); errors.As(err, &known) && known.Status == http.StatusRequestEntityTooLarge {
		return bulkTooLarge("maxPayloadSize", maxBodyBytes) // RFC 7644 §3.7.4
	}
	if err != nil {
		return err
	}
	o, err := scim.ParseObject(body)
	if err != nil {
		return err
	}
	urns, _ := o.Get("schemas").([]any)
	if o.Get("schemas") != nil && !slices.ContainsFunc(urns, isBulkRequest) {
		return scim.BadRequest(scim.InvalidSyntax, "schemas does not name %s. Send a bulk message.", bulkRequest)
	}
	list, _ := o.Get("Operations").([]any)
	if len(list) == 0 {
		return scim.BadRequest(scim.InvalidSyntax, "Operations must be an array of at least one operation.")
	}
	if len(list) > maxBulkOperations {
		return bulkTooLarge("maxOperations", maxBulkOperations)
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

func bulkTooLarge(limit string, most int) error {
	return &scim.Error{Status: http.StatusRequestEntityTooLarge,
		Detail: fmt.Sprintf("The bulk request exceeds %s (%d). Send several smaller ones.", limit, most)}
}

// parseFailOnErrors is the number of errors after which a job stops. Clients with a plain integer send 0 for none.
func parseFailOnErrors(raw any) (int, error) {
	if raw == nil {
		return 0, nil
	}
	n, _ := raw.(json.Number)
	most, err := strconv.Atoi(n.String())
	if err != nil || most < 0 {
		return 0, scim.BadRequest(scim.InvalidSyntax, "failOnErrors must be a number of errors, an integer that is not negative.")
	}
	return most, nil
}

// parseOperation reads the next operation.
func (j *bulkJob) parseOperation(raw any) (op bulkOperation) {
	o, ok := raw.(scim.Object)
	if !ok {
		op.err = scim.BadRequest(scim.InvalidSyntax, "Each of Operations must be an object.")
		return op
	}
	text := func(name string) string {
		s, ok := o.Get(name).(string)
		if !ok && o.Get(name) != nil {
			op.err = scim.BadRequest(scim.InvalidSyntax, "%s must be a string.", name)
		}
		return s
	}
	op.method, op.path = strings.ToUpper(text("method")), strings.Trim(text("path"), "/")
	op.bulkID, op.version = text("bulkId"), text("version")
	if op.err == nil {
		op.err = j.check(&op, o.Get("data"))
	}
	if op.err == nil {
		op.substitute(func(bulkID string) string {
			op.bulkIDRefs = append(op.bulkIDRefs, bulkID)
			return bulkIDPrefix + bulkID
		})
	}
	return op
}

// check tells what RFC 7644 §3.7 requires of an operation, beside what its endpoint does.
func (j *bulkJob) check(op *bulkOperation, data any) (err error) {
	if op.method == "" || op.path == "" {
		return scim.BadRequest(scim.InvalidSyntax, "An operation needs a method and a path.")
	}
	if op.method == http.MethodPost {
		if op.bulkID == "" {
			return scim.BadRequest(scim.InvalidSyntax, "A POST needs a bulkId.")
		}
		if _, taken := j.postByBulkID[op.bulkID]; taken {
			return scim.BadRequest(scim.InvalidSyntax, "An operation before has the same bulkId. Give each POST its own.")
		}
		j.postByBulkID[op.bulkID] = len(j.operations)
	}
	if slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch}, op.method) {
		op.data, err = bulkData(op.method, data)
	}
	return err
}

// bulkData is the body of the request that an operation stands for.
func bulkData(method string, raw any) (_ any, err error) {
	if text, ok := raw.(string); ok { // Java clients send JSON in a string
		if raw, err = scim.Parse([]byte(text)); err != nil {
			return nil, err
		}
	}
	if list, ok := raw.([]any); ok && method == http.MethodPatch { // as the example of RFC 7644 §3.7.3 does
		raw = scim.Object{"Operations": list}
	}
	if _, ok := raw.(scim.Object); !ok {
		return nil, scim.BadRequest(scim.InvalidSyntax, "data must be an object: the body of the %s.", method)
	}
	return raw, nil
}

// dependencies is the operations that the i-th refers to.
func (j *bulkJob) dependencies(i int) (others []int) {
	for _, bulkID := range j.operations[i].bulkIDRefs {
		if k, known := j.postByBulkID[bulkID]; known {
			others = append(others, k)
		}
	}
	return others
}

func (j *bulkJob) stopped() bool { return j.failOnErrors > 0 && j.failed >= j.failOnErrors }

// setResult sets the result of an operation (RFC 7644 §3.7.3). Of a success no body is shown.
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

// operationLocation is the location that a path names, in the schema's spelling if there is such an endpoint.
func (j *bulkJob) operationLocation(path string) string {
	endpoint, id, _ := strings.Cut(path, "/")
	if rt := j.types.ByEndpoint(endpoint); rt != nil && id != "" {
		return j.directory.Location(rt, id)
	}
	return j.baseURL + "/" + path
}
