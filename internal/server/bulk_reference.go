package server

import (
	"slices"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/server/bulkid"
)

// dependencyOrder orders the operations 0 … n-1 so that each follows the operations that it refers to. references
// returns the operations that operation i refers to. Operations that refer to each other in a cycle are one element of
// the order. Apart from that, operations keep their order as far as possible. The elements are the strongly connected
// components of the graph of references, in the order in which Tarjan's algorithm finds them.
func dependencyOrder(n int, references func(i int) []int) (order [][]int) {
	visited, low, stack := make([]int, n), make([]int, n), []int(nil) // visited holds 0 or the number of the visit
	count := 0
	var visit func(i int)
	visit = func(i int) {
		count++
		visited[i], low[i] = count, count
		height := len(stack)
		stack = append(stack, i)
		for _, k := range references(i) {
			if visited[k] == 0 {
				visit(k)
			}
			low[i] = min(low[i], low[k])
		}
		if low[i] < visited[i] {
			return
		}
		cycle := slices.Sorted(slices.Values(stack[height:]))
		stack = stack[:height]
		for _, k := range cycle {
			low[k] = n + 1 // excludes the completed component from later minima
		}
		order = append(order, cycle)
	}
	for i := range n {
		if visited[i] == 0 {
			visit(i)
		}
	}
	return order
}

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
	s := bulkid.Substituter{ResourceType: op.resourceType, To: to}
	op.path = s.InText(op.path)
	s.InData(op.method, op.data)
}

// resolve returns the ID of the resource that a POST created, or the unchanged reference if the POST has created none.
func (j *bulkJob) resolve(bulkID string) string {
	if k, known := j.postByBulkID[bulkID]; known && j.operations[k].id != "" {
		return j.operations[k].id
	}
	return bulkid.Prefix + bulkID
}
