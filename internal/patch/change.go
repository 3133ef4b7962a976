package patch

import (
	"maps"
	"slices"

	"serverless-scim/internal/scim"
)

// apply applies an operation to the target in c, which is the resource or the extension that has the attribute.
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

// applyToAttribute applies an operation to the whole attribute a of an object c.
func applyToAttribute(c scim.Object, a *scim.Attribute, op string, raw any) error {
	switch {
	case a.Mutability == "writeOnly": // checked, but not stored
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

// applyToComplex applies an add or replace to the sub-attributes that raw has. The other sub-attributes keep their
// values (RFC 7644 §3.5.2.3).
func applyToComplex(c scim.Object, a *scim.Attribute, op string, raw any) error {
	in, ok := raw.(scim.Object)
	if !ok { // Entra ID sends the manager as a bare ID, which replaces the whole value
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

// isUnassigned reports whether raw is null or [], which both mean unassigned (RFC 7643 §2.5).
func isUnassigned(raw any) bool {
	list, many := raw.([]any)
	return raw == nil || many && len(list) == 0
}

// setAttribute sets an attribute of c to a canonical value, or removes it if v is nil. It returns a 400 mutability if
// an immutable attribute would change.
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

// removeAttribute removes an attribute of c. It returns a 400 mutability if the attribute is set and is required or
// immutable. RFC 7644 §3.5.2.2 prescribes mutability for required attributes too.
func removeAttribute(c scim.Object, a *scim.Attribute) error {
	if c[a.Name] != nil && (a.Required || a.Mutability == "immutable") {
		return scim.BadRequest(scim.Mutability, "%s cannot be removed. Replace it or leave it out.", a.Name)
	}
	delete(c, a.Name)
	return nil
}
