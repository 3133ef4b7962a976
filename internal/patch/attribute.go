package patch

import (
	"maps"
	"slices"

	"serverless-scim/internal/leniency"
	"serverless-scim/internal/scim"
)

// applyToAttribute applies an operation to the whole attribute a of an object c.
func applyToAttribute(w work, c scim.Object, a *scim.Attribute, op string, raw any) error {
	switch {
	case a.Mutability == "writeOnly": // checked, but not stored
		if !isUnassigned(raw) {
			w.leniency.Add(leniency.PasswordDropped)
		}
		_, err := a.Canonical(raw, w.leniency)
		return err
	case op == Remove && a.MultiValued && raw != nil:
		return removeValues(w, c, a, raw)
	case op == Remove || op == Replace && isUnassigned(raw):
		return removeAttribute(c, a)
	case isUnassigned(raw):
		return nil
	case a.MultiValued && op == Add:
		return addValues(w, c, a, raw)
	case a.MultiValued:
		list, err := canonicalElements(a, raw, w.leniency)
		if err != nil {
			return err
		}
		return setElements(c, a, list)
	case a.Type == "complex":
		return applyToComplex(w, c, a, op, raw)
	}
	v, err := a.Canonical(raw, w.leniency)
	if err != nil {
		return err
	}
	return setAttribute(c, a, v)
}

// applyToComplex applies an add or replace to the sub-attributes that raw has. The other sub-attributes keep their
// values (RFC 7644 §3.5.2.3), except that a replace in the profile interop sets the whole value.
func applyToComplex(w work, c scim.Object, a *scim.Attribute, op string, raw any) error {
	in, ok := raw.(scim.Object)
	if !ok { // Entra ID sends the manager as a bare ID, which replaces the whole value
		v, err := a.Canonical(raw, w.leniency)
		if err != nil || v == nil && op == Add {
			return err
		}
		return setAttribute(c, a, v)
	}
	return editObject(c, a.Name, func(v scim.Object) error {
		if op == Replace && w.leniency.IsInterop() {
			maps.DeleteFunc(v, func(name string, _ any) bool { return a.Sub(name) == nil || a.Sub(name).Mutability != "immutable" })
		}
		for _, name := range slices.Sorted(maps.Keys(in)) {
			sub := a.Sub(name)
			if !sub.IsDefined(w.leniency) {
				if err := w.leniency.Apply(leniency.UnknownAttribute, name); err != nil {
					return err
				}
				continue
			}
			if sub.Mutability == "readOnly" {
				w.leniency.Add(leniency.ReadOnlyInPatch)
				continue
			}
			if err := applyToAttribute(w, v, sub, op, withoutEmpty(sub, op, in[name], w.leniency)); err != nil {
				return err
			}
		}
		return nil
	})
}
