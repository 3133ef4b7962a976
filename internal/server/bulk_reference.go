package server

import (
	"net/http"
	"slices"
	"strings"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
)

// bulkIDPrefix is what stands before a bulkId where it refers to the resource of that POST (RFC 7644 §3.7.2).
const bulkIDPrefix = "bulkId:"

// substitute replaces all references of an operation by what to gives for their bulkIds.
func (op *bulkOperation) substitute(to func(bulkID string) string) {
	op.path, op.data = substitute(op.path, to).(string), substitute(op.data, to)
	if o, ok := op.data.(scim.Object); ok && op.method == http.MethodPatch {
		list, _ := o.Get("Operations").([]any)
		for _, e := range list {
			substituteInPath(e, to)
		}
	}
}

// substitute replaces the references in a value, in place: strings that are one, or end with one as a segment.
func substitute(v any, to func(bulkID string) string) any {
	switch v := v.(type) {
	case string:
		before, bulkID, ok := strings.Cut(v, bulkIDPrefix)
		if ok && (before == "" || strings.HasSuffix(before, "/")) {
			return before + to(bulkID)
		}
	case []any:
		for i := range v {
			v[i] = substitute(v[i], to)
		}
	case scim.Object:
		for name := range v {
			v[name] = substitute(v[name], to)
		}
	}
	return v
}

// substituteInPath replaces the references in the path of one operation of a PATCH, such as
// members[value eq "bulkId:qwerty"]. A path that does not parse stays, to be refused.
func substituteInPath(operation any, to func(bulkID string) string) {
	o, _ := operation.(scim.Object)
	for name, v := range o {
		text, _ := v.(string)
		if !strings.EqualFold(name, "path") || !strings.Contains(text, bulkIDPrefix) {
			continue
		}
		if p, err := filter.ParsePath(text); err == nil {
			substituteInFilter(p.Filter, to)
			o[name] = p.String()
		}
	}
}

// substituteInFilter replaces the references among the values of a filter within brackets, which holds no others.
func substituteInFilter(e filter.Expr, to func(bulkID string) string) {
	switch e := e.(type) {
	case *filter.And:
		substituteInFilter(e.X, to)
		substituteInFilter(e.Y, to)
	case *filter.Or:
		substituteInFilter(e.X, to)
		substituteInFilter(e.Y, to)
	case *filter.Not:
		substituteInFilter(e.X, to)
	case *filter.Compare:
		e.Value = substitute(e.Value, to)
	}
}

// resolve is the id of the resource that a POST created, and the reference as it was if there is none yet.
func (j *bulkJob) resolve(bulkID string) string {
	if k, known := j.postByBulkID[bulkID]; known && j.operations[k].id != "" {
		return j.operations[k].id
	}
	return bulkIDPrefix + bulkID
}

// deferReferences takes out of a resource what still holds references, as a resource of its own: the elements of multi-valued
// attributes, other attributes as a whole.
func deferReferences(o scim.Object) scim.Object {
	late := scim.Object{}
	for name, v := range o {
		list, many := v.([]any)
		extension, _ := v.(scim.Object)
		switch {
		case !hasReference(v):
		case many:
			late[name] = slices.DeleteFunc(slices.Clone(list), func(e any) bool { return !hasReference(e) })
			o[name] = slices.DeleteFunc(list, hasReference)
		case extension != nil && strings.HasPrefix(strings.ToLower(name), "urn:"):
			late[name] = deferReferences(extension)
		default:
			late[name] = v
			delete(o, name)
		}
	}
	return late
}

// hasReference tells whether there is a reference in a value.
func hasReference(v any) (found bool) {
	substitute(v, func(bulkID string) string {
		found = true
		return bulkIDPrefix + bulkID
	})
	return found
}

// dependencyOrder is the numbers 0 … n-1 in an order in which each comes after those that it refers to, and otherwise as near
// to their own order as that allows. Those that refer to each other in a circle stand together: they are the strongly
// connected components of the graph, as Tarjan's algorithm finds them.
func dependencyOrder(n int, referred func(i int) []int) (order [][]int) {
	seen, low, stack := make([]int, n), make([]int, n), []int(nil)
	count := 0
	var visit func(i int)
	visit = func(i int) {
		count++
		seen[i], low[i] = count, count
		place := len(stack)
		stack = append(stack, i)
		for _, k := range referred(i) {
			if seen[k] == 0 {
				visit(k)
			}
			low[i] = min(low[i], low[k])
		}
		if low[i] < seen[i] {
			return
		}
		circle := slices.Sorted(slices.Values(stack[place:]))
		stack = stack[:place]
		for _, k := range circle {
			low[k] = n + 1 // no concern of what is visited later
		}
		order = append(order, circle)
	}
	for i := range n {
		if seen[i] == 0 {
			visit(i)
		}
	}
	return order
}
