package patch

import (
	"maps"
	"slices"

	"serverless-scim/internal/scim"
)

// applyToAttribute applies an operation to the whole attribute a of an object c.
func applyToAttribute(e *scim.Evaluation, c scim.Object, a *scim.Attribute, op string, raw any) error {
	switch {
	case a.Mutability == "writeOnly": // checked, but not stored
		_, err := a.Canonical(raw)
		return err
	case op == Remove && a.MultiValued && raw != nil:
		return removeValues(e, c, a, raw)
	case op == Remove || op == Replace && isUnassigned(raw):
		return removeAttribute(c, a)
	case isUnassigned(raw):
		return nil
	case a.MultiValued && op == Add:
		return addValues(e, c, a, raw)
	case a.MultiValued:
		list, err := canonicalElements(a, raw)
		if err != nil {
			return err
		}
		return setElements(c, a, list)
	case a.Type == "complex":
		return applyToComplex(e, c, a, op, raw)
	}
	v, err := a.Canonical(raw)
	if err != nil {
		return err
	}
	return setAttribute(c, a, v)
}

// applyToComplex applies an add or replace to the sub-attributes that raw has. The other sub-attributes keep their
// values (RFC 7644 §3.5.2.3).
func applyToComplex(e *scim.Evaluation, c scim.Object, a *scim.Attribute, op string, raw any) error {
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
				if err := applyToAttribute(e, v, sub, op, withoutEmpty(sub, op, in[name])); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
