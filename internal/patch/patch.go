// Package patch is RFC 7644 §3.5.2: pure functions from a resource and a list of operations to a resource or an error.
// Resources are in canonical form; nothing that is given is changed. It stores nothing, and does not ask whether a
// member exists or a name is free.
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

// Operation is one operation of a PATCH request, as Decode gives it.
type Operation struct {
	Op    string       // Add, Replace or Remove
	Path  *filter.Path // nil: the resource itself; never for Remove
	Value any          // as scim.Parse gives it; nil is null, or for Remove that there is none
}

// Apply performs all operations, one after the other, on a copy of the resource. On any error nothing is performed:
// errors are *scim.Error with status 400 or 413, and the context's when it ends.
func Apply(ctx context.Context, rt *scim.ResourceType, res scim.Object, ops []Operation) (scim.Object, error) {
	p := patcher{rt, res.Clone()}
	for _, op := range ops {
		if err := ctx.Err(); err != nil { // a thousand operations on a thousand values take their time
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

// applyAttributes performs an operation whose value holds attributes: of an extension, or with urn "" of the resource.
func (p patcher) applyAttributes(urn, op string, raw any) error {
	list, err := assignments(p.rt, urn, raw)
	for _, a := range list {
		if err == nil {
			err = p.applyAt(a.target, op, a.raw)
		}
	}
	return err
}

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

// editObject lets do change an object within an object. It is made if it is absent, and goes when nothing is left of it
// (RFC 7644 §3.5.2.2).
func editObject(c scim.Object, name string, do func(scim.Object) error) error {
	v, _ := c[name].(scim.Object)
	if v == nil {
		v = scim.Object{}
	}
	if err := do(v); err != nil {
		return err
	}
	if c[name] = v; len(v) == 0 {
		delete(c, name)
	}
	return nil
}

// target is what a path means in a resource type.
type target struct {
	ref    scim.AttributeRef
	filter filter.Expr
	match  scim.Predicate // of filter; nil without one
}

func resolveTarget(rt *scim.ResourceType, p filter.Path) (target, error) {
	ref, ok := rt.Resolve(p.Attr)
	if !ok {
		return target{}, scim.BadRequest(scim.InvalidPath, "%s names no attribute of %s.", p, rt.Name)
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

// assignment is one name in a value that holds attributes, and what stands behind it.
type assignment struct {
	name   string
	target target
	raw    any
}

// assignments reads such a value, in the order of the names. Names can be paths: Entra ID sends "name.givenName" and
// "urn:…:User:employeeNumber". As in the body of a PUT, what is unknown or read-only is left out: Okta sends the id
// along with a group's new name.
func assignments(rt *scim.ResourceType, urn string, raw any) ([]assignment, error) {
	value, ok := asAttributeObject(raw)
	if !ok {
		return nil, scim.BadRequest(scim.InvalidValue, "Without the path of an attribute, value must be an object.")
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

// asAttributeObject is raw as an object. Java clients send an array of one.
func asAttributeObject(raw any) (scim.Object, bool) {
	o, ok := unwrapSingle(raw).(scim.Object)
	return o, ok
}

// takesArray tells whether an array is what the target takes.
func (t target) takesArray() bool {
	leaf := t.ref.Leaf()
	return leaf != nil && leaf.MultiValued && (t.ref.Sub != nil || t.filter == nil)
}

// unwrapSingle is the one value of an array of one, in which Java clients wrap values that are no arrays.
func unwrapSingle(raw any) any {
	if list, ok := raw.([]any); ok && len(list) == 1 {
		return list[0]
	}
	return raw
}
