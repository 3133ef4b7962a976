package server

import "serverless-scim/internal/scim"

// A bulkJob is the state of one bulk request.
type bulkJob struct {
	*request
	server       *server
	operations   []bulkOperation
	postByBulkID map[string]int // index of the POST operation with a bulkId
	failOnErrors int            // number of failures that stops the job; 0 means no limit
	failed       int
}

// A bulkOperation is one operation of a bulk request and its result.
type bulkOperation struct {
	method, path, bulkID, version string             // path has no leading or trailing slashes
	resourceType                  *scim.ResourceType // that path names; nil if it names none
	data                          any
	bulkIDRefs                    []string    // bulkIds that path and data refer to
	err                           error       // why the operation is not valid or has failed
	result                        scim.Object // nil if the operation was not executed
	id                            string      // of the resource that a POST created
}

// dependencies returns the indexes of the operations that operation i refers to.
func (j *bulkJob) dependencies(i int) (indexes []int) {
	for _, bulkID := range j.operations[i].bulkIDRefs {
		if k, known := j.postByBulkID[bulkID]; known {
			indexes = append(indexes, k)
		}
	}
	return indexes
}

// stopped reports whether the number of failures has reached failOnErrors.
func (j *bulkJob) stopped() bool { return j.failOnErrors > 0 && j.failed >= j.failOnErrors }

// substitute replaces each reference in the path and the data of an operation with the result of to for its bulkId.
func (op *bulkOperation) substitute(to func(bulkID string) string) {
	s := substituter{op.resourceType, to}
	op.path = s.inText(op.path)
	s.inData(op.method, op.data)
}

// resolve returns the ID of the resource that a POST created, or the unchanged reference if the POST has created none.
func (j *bulkJob) resolve(bulkID string) string {
	if k, known := j.postByBulkID[bulkID]; known && j.operations[k].id != "" {
		return j.operations[k].id
	}
	return bulkIDPrefix + bulkID
}
