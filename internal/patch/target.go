package patch

import (
	"maps"
	"slices"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/leniency"
	"serverless-scim/internal/scim"
)

// A target is the meaning of a path in a resource type.
type target struct {
	ref     scim.AttributeRef
	filter  filter.Expr            // nil if the path has no filter
	match   scim.Predicate         // the compiled filter; nil if the path has no filter
	members map[string]scim.Object // see ApplyWithMembers
}

// resolveTarget resolves a path. It returns a 400 error if the path names no attribute or has an invalid filter.
func resolveTarget(rt *scim.ResourceType, p filter.Path, l *leniency.Set) (target, error) {
	if err := scim.RecordDraftURN(l, p.Attr.URN); err != nil {
		return target{}, err
	}
	ref, ok := rt.Resolve(p.Attr)
	if leaf := ref.Leaf(); l.IsInterop() && (!ok || leaf != nil && !leaf.IsDefined(l)) {
		return target{}, l.Apply(leniency.UnknownAttribute, p.String())
	}
	if !ok {
		return target{}, scim.BadRequest(scim.InvalidPath, "%s is not an attribute of %s. See /Schemas.", p, rt.Name)
	}
	t := target{ref: ref, filter: p.Filter}
	if p.Filter == nil {
		return t, nil
	}
	if ref.Attr == nil || !ref.Attr.MultiValued {
		return t, scim.BadRequest(scim.InvalidPath, "%s is not multi-valued. Leave out the filter.", p)
	}
	if ref.Sub == nil && l.IsInterop() {
		return t, scim.BadRequest(scim.InvalidPath, "%s is a whole value. Name a sub-attribute after the brackets, or send %s without a filter%s",
			p, p.Attr, leniency.InteropReason)
	}
	var err error
	t.match, err = ref.Attr.ElementMatcher(p.Filter, l)
	return t, err
}

func (t target) isReadOnly() bool {
	a, sub := t.ref.Attr, t.ref.Sub
	return a != nil && a.Mutability == "readOnly" || sub != nil && sub.Mutability == "readOnly"
}

// takesArray reports whether the value for the target can be an array.
func (t target) takesArray() bool {
	leaf := t.ref.Leaf()
	return leaf != nil && leaf.MultiValued && (t.ref.Sub != nil || t.filter == nil)
}

// recordIgnoredValue records that a remove has a value, although its path says what to remove.
func (t target) recordIgnoredValue(op string, raw any, l *leniency.Set) {
	if op == Remove && raw != nil && !t.takesArray() {
		l.Add(leniency.RemoveValueIgnored)
	}
}

// An assignment is one member of a value that is an object of attributes.
type assignment struct {
	name   string // as in the value
	target target // the meaning of name
	raw    any
}

// assignments returns the members of a value that is an object of attributes, sorted by name. Names can be paths: Entra
// ID sends "name.givenName" and "urn:…:User:employeeNumber". As in the body of a PUT, assignments ignores unknown and
// read-only attributes: Okta sends the id with a group's new name.
func assignments(rt *scim.ResourceType, urn string, raw any, l *leniency.Set) ([]assignment, error) {
	value, ok := asAttributeObject(raw, l)
	if !ok {
		return nil, scim.BadRequest(scim.InvalidValue, "Without an attribute as path, the value must be an object.")
	}
	var list []assignment
	for _, name := range slices.Sorted(maps.Keys(value)) {
		path, err := filter.ParsePath(name, l)
		known := err == nil && (urn == "" || path.Attr.URN == "")
		hasURN := path.Attr.URN != ""
		if urn != "" {
			path.Attr.URN = urn
		}
		if known {
			_, known = rt.Resolve(path.Attr)
		}
		if !known {
			if err := l.Apply(leniency.UnknownAttribute, name); err != nil {
				return nil, err
			}
			continue
		}
		t, err := resolveTarget(rt, path, l)
		if err != nil {
			return nil, err
		}
		if t.isReadOnly() {
			l.Add(leniency.ReadOnlyInPatch)
			continue
		}
		if t.filter != nil || t.ref.Sub != nil || hasURN && t.ref.Attr != nil {
			if err := l.Apply(leniency.PathAsName, name); err != nil {
				return nil, err
			}
		}
		list = append(list, assignment{name, t, value[name]})
	}
	return list, nil
}

// asAttributeObject returns raw as an object. It accepts an array of one object, which Java clients send.
func asAttributeObject(raw any, l *leniency.Set) (scim.Object, bool) {
	o, ok := unwrapSingle(raw, l).(scim.Object)
	return o, ok
}

// unwrapSingle returns the element of an array of one element, and raw otherwise. Java clients wrap single values in
// such arrays.
func unwrapSingle(raw any, l *leniency.Set) any {
	if list, ok := raw.([]any); ok && len(list) == 1 {
		l.Add(leniency.ValueInArray)
		return list[0]
	}
	return raw
}
