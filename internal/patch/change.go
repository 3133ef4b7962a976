package patch

import (
	"maps"
	"slices"

	"serverless-scim/internal/scim"
)

// apply performs an operation on the target, whose attribute is one of c: the resource or an extension.
func (t target) apply(c scim.Object, op string, raw any) error {
	a, sub := t.ref.Attr, t.ref.Sub
	switch {
	case t.match != nil || sub != nil && a.MultiValued:
		return t.applyToElements(c, op, raw)
	case sub != nil:
		return editObject(c, a.Name, func(v scim.Object) error { return applyToAttribute(v, sub, op, raw) })
	}
	return applyToAttribute(c, a, op, raw)
}

// applyToAttribute performs an operation on the whole of an attribute of c, which is any object.
func applyToAttribute(c scim.Object, a *scim.Attribute, op string, raw any) error {
	switch {
	case a.Mutability == "writeOnly": // checked, and kept nowhere
		_, err := a.Canonical(raw)
		return err
	case op == Remove && a.MultiValued && raw != nil:
		return removeValues(c, a, raw)
	case op == Remove || op == Replace && isUnassigned(raw):
		return removeAttribute(c, a)
	case isUnassigned(raw):
		return nil
	case a.MultiValued && op == Add:
		return addValues(c, a, raw)
	case a.MultiValued:
		list, err := canonicalElements(a, raw)
		if err != nil {
			return err
		}
		return setElements(c, a, list)
	case a.Type == "complex":
		return applyToComplex(c, a, op, raw)
	}
	v, err := a.Canonical(raw)
	if err != nil {
		return err
	}
	return setAttribute(c, a, v)
}

// applyToComplex sets the sub-attributes that are given and leaves the others (RFC 7644 §3.5.2.3).
func applyToComplex(c scim.Object, a *scim.Attribute, op string, raw any) error {
	in, ok := raw.(scim.Object)
	if !ok { // a bare manager stands for all of it
		v, err := a.Canonical(raw)
		if err != nil || v == nil && op == Add {
			return err
		}
		return setAttribute(c, a, v)
	}
	return editObject(c, a.Name, func(v scim.Object) error {
		for _, name := range slices.Sorted(maps.Keys(in)) {
			if sub := a.Sub(name); sub != nil && sub.Mutability != "readOnly" {
				if err := applyToAttribute(v, sub, op, in[name]); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// isUnassigned tells null and [] (RFC 7643 §2.5).
func isUnassigned(raw any) bool {
	list, many := raw.([]any)
	return raw == nil || many && len(list) == 0
}

// setAttribute gives an attribute of c a canonical value; nil unassigns it.
func setAttribute(c scim.Object, a *scim.Attribute, v any) error {
	if v == nil {
		return removeAttribute(c, a)
	}
	if old := c[a.Name]; a.Mutability == "immutable" && old != nil && !scim.Equal(old, v) {
		return scim.BadRequest(scim.Mutability, "%s cannot be changed once it is set. Leave it out.", a.Name)
	}
	c[a.Name] = v
	return nil
}

// removeAttribute takes an attribute away. RFC 7644 §3.5.2.2: mutability is the error also for one that is required.
func removeAttribute(c scim.Object, a *scim.Attribute) error {
	if c[a.Name] != nil && (a.Required || a.Mutability == "immutable") {
		return scim.BadRequest(scim.Mutability, "%s cannot be removed. Give it another value or leave it out.", a.Name)
	}
	delete(c, a.Name)
	return nil
}
