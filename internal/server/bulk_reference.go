package server

import (
	"slices"
	"strings"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
)

// bulkIDPrefix precedes a bulkId that refers to the resource of a POST operation (RFC 7644 §3.7.2).
const bulkIDPrefix = "bulkId:"

// substitute replaces the references in a value and returns the result. It modifies arrays and objects in place. A
// reference is a string, or the last segment of a string such as ../Users/bulkId:qwerty.
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
// members[value eq "bulkId:qwerty"]. It does not change an invalid path, which the PATCH then rejects.
func substituteInPath(operation any, to func(bulkID string) string) {
	o, _ := operation.(scim.Object)
	for name, v := range o {
		text, _ := v.(string)
		if !strings.EqualFold(name, "path") || !strings.Contains(text, bulkIDPrefix) {
			continue
		}
		if p, err := filter.ParsePath(text); err == nil && p.Filter != nil {
			filter.Visit(p.Filter, filterSubstituter(to))
			o[name] = p.String()
		}
	}
}

// A filterSubstituter is a filter.Visitor that replaces references in the values of comparisons, in place.
type filterSubstituter func(bulkID string) string

func (to filterSubstituter) And(f *filter.And) any {
	filter.Visit(f.X, to)
	return filter.Visit(f.Y, to)
}

func (to filterSubstituter) Or(f *filter.Or) any {
	filter.Visit(f.X, to)
	return filter.Visit(f.Y, to)
}

func (to filterSubstituter) Not(f *filter.Not) any             { return filter.Visit(f.X, to) }
func (to filterSubstituter) Present(*filter.Present) any       { return nil }
func (to filterSubstituter) ValuePath(f *filter.ValuePath) any { return filter.Visit(f.Filter, to) }

func (to filterSubstituter) Compare(f *filter.Compare) any {
	f.Value = substitute(f.Value, to)
	return nil
}

// deferReferences moves the attributes that contain references from a resource to the returned resource. Of a
// multi-valued attribute it moves only the elements with references, and of an extension only the attributes with
// references.
func deferReferences(o scim.Object) scim.Object {
	deferred := scim.Object{}
	for name, v := range o {
		list, multiValued := v.([]any)
		extension, _ := v.(scim.Object)
		switch {
		case !hasReference(v):
		case multiValued:
			deferred[name] = slices.DeleteFunc(slices.Clone(list), func(e any) bool { return !hasReference(e) })
			o[name] = slices.DeleteFunc(list, hasReference)
		case extension != nil && strings.HasPrefix(strings.ToLower(name), "urn:"):
			deferred[name] = deferReferences(extension)
		default:
			deferred[name] = v
			delete(o, name)
		}
	}
	return deferred
}

// hasReference reports whether a value contains a reference.
func hasReference(v any) (found bool) {
	substitute(v, func(bulkID string) string {
		found = true
		return bulkIDPrefix + bulkID
	})
	return found
}

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
