// Package patch decodes and applies PATCH operations (RFC 7644 §3.5.2). Its functions are pure: they take a resource in
// canonical form and return a new one, and they do not modify their arguments. The package does not read a table, so it
// does not check whether a member exists or a name is unique.
package patch

import (
	"context"
	"maps"
	"slices"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
)

// The values of Operation.Op.
const (
	Add     = "add"
	Replace = "replace"
	Remove  = "remove"
)

// An Operation is one operation of a PATCH request.
type Operation struct {
	Op    string       // Add, Replace or Remove
	Path  *filter.Path // nil for the whole resource, which Remove does not allow
	Value any          // from scim.Parse; nil for null, or for a Remove without a value
}

// Apply applies the operations in order to a copy of the resource and returns the copy. If one operation fails, Apply
// returns its error and no resource. The error is a *scim.Error with status 400 or 413, or the error of ctx.
func Apply(ctx context.Context, rt *scim.ResourceType, res scim.Object, ops []Operation) (scim.Object, error) {
	p := patcher{rt, res.Clone()}
	for _, op := range ops {
		if err := ctx.Err(); err != nil { // the maximum of 1,000 operations on 1,000 values takes long
			return nil, err
		}
		if err := p.apply(op); err != nil {
			return nil, err
		}
	}
	if err := rt.Validate(p.o); err != nil {
		return nil, err
	}
	return p.o, nil
}

// A patcher modifies a resource.
type patcher struct {
	rt *scim.ResourceType
	o  scim.Object
}

func (p patcher) apply(op Operation) error {
	if op.Path == nil {
		return p.applyAttributes("", op.Op, op.Value)
	}
	t, err := resolveTarget(p.rt, *op.Path)
	if err != nil {
		return err
	}
	if t.isReadOnly() {
		return scim.BadRequest(scim.Mutability, "%s is read-only. Leave it out.", op.Path)
	}
	return p.applyAt(t, op.Op, op.Value)
}

// applyAttributes applies an operation whose value is an object of attributes: those of the extension urn or, if urn is
// empty, those of the resource.
func (p patcher) applyAttributes(urn, op string, raw any) error {
	list, err := assignments(p.rt, urn, raw)
	for _, a := range list {
		if err == nil {
			err = p.applyAt(a.target, op, a.raw)
		}
	}
	return err
}

// applyAt applies an operation to a target, which may be a whole extension.
func (p patcher) applyAt(t target, op string, raw any) error {
	if !t.takesArray() {
		raw = unwrapSingle(raw)
	}
	switch r := t.ref; {
	case r.Attr == nil && op == Add && isUnassigned(raw):
		return nil
	case r.Attr == nil && (op == Remove || isUnassigned(raw)):
		return p.removeExtension(r.Extension)
	case r.Attr == nil:
		return p.applyAttributes(r.Extension, op, raw)
	case r.Extension != "":
		return editObject(p.o, r.Extension, func(c scim.Object) error { return t.apply(c, op, raw) })
	}
	return t.apply(p.o, op, raw)
}

func (p patcher) removeExtension(urn string) error {
	if slices.Contains(p.rt.SchemaExtensions, scim.Extension{Schema: urn, Required: true}) {
		return scim.BadRequest(scim.Mutability, "%s is required. Replace its attributes instead.", urn)
	}
	delete(p.o, urn)
	return nil
}

// editObject calls edit with the object under a name in c. It passes an empty object if there is none. Afterward it
// removes the object if it is empty (RFC 7644 §3.5.2.2).
func editObject(c scim.Object, name string, edit func(scim.Object) error) error {
	v, _ := c[name].(scim.Object)
	if v == nil {
		v = scim.Object{}
	}
	if err := edit(v); err != nil {
		return err
	}
	if c[name] = v; len(v) == 0 {
		delete(c, name)
	}
	return nil
}

// A target is the meaning of a path in a resource type.
type target struct {
	ref    scim.AttributeRef
	filter filter.Expr    // nil if the path has no filter
	match  scim.Predicate // the compiled filter; nil if the path has no filter
}

// resolveTarget resolves a path. It returns a 400 error if the path names no attribute or has an invalid filter.
func resolveTarget(rt *scim.ResourceType, p filter.Path) (target, error) {
	ref, ok := rt.Resolve(p.Attr)
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
	var err error
	t.match, err = ref.Attr.ElementMatcher(p.Filter)
	return t, err
}

func (t target) isReadOnly() bool {
	a, sub := t.ref.Attr, t.ref.Sub
	return a != nil && a.Mutability == "readOnly" || sub != nil && sub.Mutability == "readOnly"
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
func assignments(rt *scim.ResourceType, urn string, raw any) ([]assignment, error) {
	value, ok := asAttributeObject(raw)
	if !ok {
		return nil, scim.BadRequest(scim.InvalidValue, "Without an attribute as path, the value must be an object.")
	}
	var list []assignment
	for _, name := range slices.Sorted(maps.Keys(value)) {
		path, err := filter.ParsePath(name)
		if err != nil || urn != "" && path.Attr.URN != "" {
			continue
		}
		if urn != "" {
			path.Attr.URN = urn
		}
		if _, known := rt.Resolve(path.Attr); !known {
			continue
		}
		t, err := resolveTarget(rt, path)
		if err != nil {
			return nil, err
		}
		if !t.isReadOnly() {
			list = append(list, assignment{name, t, value[name]})
		}
	}
	return list, nil
}

// asAttributeObject returns raw as an object. It accepts an array of one object, which Java clients send.
func asAttributeObject(raw any) (scim.Object, bool) {
	o, ok := unwrapSingle(raw).(scim.Object)
	return o, ok
}

// takesArray reports whether the value for the target can be an array.
func (t target) takesArray() bool {
	leaf := t.ref.Leaf()
	return leaf != nil && leaf.MultiValued && (t.ref.Sub != nil || t.filter == nil)
}

// unwrapSingle returns the element of an array of one element, and raw otherwise. Java clients wrap single values in
// such arrays.
func unwrapSingle(raw any) any {
	if list, ok := raw.([]any); ok && len(list) == 1 {
		return list[0]
	}
	return raw
}
