package patch

import (
	"serverless-scim/internal/leniency"
	"serverless-scim/internal/scim"
)

// setAttribute sets an attribute of c to a canonical value, or removes it if v is nil. It returns a 400 mutability if
// an immutable attribute would change.
func setAttribute(c scim.Object, a *scim.Attribute, v any) error {
	if v == nil {
		return removeAttribute(c, a)
	}
	if old := c[a.Name]; a.Mutability == "immutable" && old != nil && !scim.Equal(old, v) {
		return scim.ImmutableError(a.Name)
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

// setSubAttributes copies the sub-attributes that in has to o.
func setSubAttributes(a *scim.Attribute, o, in scim.Object) error {
	for _, sub := range a.SubAttributes {
		if v, ok := in[sub.Name]; ok {
			if err := setAttribute(o, sub, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// setElements sets the elements of a multi-valued attribute, or removes the attribute if list is empty.
func setElements(c scim.Object, a *scim.Attribute, list []any) error {
	if len(list) == 0 {
		return removeAttribute(c, a)
	}
	if err := a.CheckElementCount(len(list)); err != nil {
		return err
	}
	return setAttribute(c, a, list)
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

// isUnassigned reports whether raw is null or [], which both mean unassigned (RFC 7643 §2.5).
func isUnassigned(raw any) bool {
	list, many := raw.([]any)
	return raw == nil || many && len(list) == 0
}

// withoutEmpty returns nil instead of "" if a replace sets a to "". Entra ID sends this to unassign an attribute of any
// type. Required attributes and members keep "", which is then rejected.
func withoutEmpty(a *scim.Attribute, op string, raw any, l *leniency.Set) any {
	if op == Replace && raw == "" && !a.Required && !a.IsMembership {
		l.Add(leniency.EmptyString)
		return nil
	}
	return raw
}
