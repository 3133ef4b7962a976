package scim

import "strings"

// ChangedAttributes returns the names of the top-level attributes that differ between two versions of a resource, in no
// particular order. The name of an attribute of an extension is URN:name.
func ChangedAttributes(from, to Object) []string { return changedNames(from, to, "", false) }

// ChangedPaths is like ChangedAttributes, but names the sub-attributes of complex attributes with a single value, as in
// name.familyName. The names are paths of RFC 7644 §3.10.
func ChangedPaths(from, to Object) []string { return changedNames(from, to, "", true) }

func changedNames(from, to Object, prefix string, withSubAttributes bool) (names []string) {
	compare := func(name string) {
		if Equal(from[name], to[name]) {
			return
		}
		x, wasObject := from[name].(Object)
		y, isObject := to[name].(Object)
		switch {
		case strings.Contains(name, ":"):
			names = append(names, changedNames(x, y, name+":", withSubAttributes)...)
		case withSubAttributes && (wasObject || isObject):
			names = append(names, changedNames(x, y, prefix+name+".", false)...)
		default:
			names = append(names, prefix+name)
		}
	}
	for name := range from {
		compare(name)
	}
	for name := range to {
		if _, compared := from[name]; !compared {
			compare(name)
		}
	}
	return names
}
