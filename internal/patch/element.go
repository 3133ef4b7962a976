package patch

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
)

// canonicalElements is the elements that raw gives for a multi-valued attribute: an array, or one without the array
// around it.
func canonicalElements(a *scim.Attribute, raw any) ([]any, error) {
	if _, many := raw.([]any); !many {
		raw = []any{raw}
	}
	v, err := a.Canonical(raw)
	if err != nil {
		return nil, err
	}
	list, _ := v.([]any)
	for _, e := range list {
		for _, sub := range a.SubAttributes {
			v := scim.AsObject(e)[sub.Name]
			if s, ok := v.(string); sub.Required && (v == nil || ok && strings.TrimSpace(s) == "") {
				return nil, scim.BadRequest(scim.InvalidValue, "Each value of %s needs a %s.", a.Name, sub.Name)
			}
		}
	}
	return list, nil
}

// addValues appends what is not there yet. What is there, by its identity, takes over what else is given.
func addValues(c scim.Object, a *scim.Attribute, raw any) error {
	given, err := canonicalElements(a, raw)
	if err != nil {
		return err
	}
	list, _ := c[a.Name].([]any)
	at := make(map[identity]int, len(list))
	for i, e := range list {
		at[identityOf(a, e)] = i
	}
	changed := make(map[int]bool, len(given))
	for _, x := range given {
		id := identityOf(a, x)
		i, there := at[id]
		if !there {
			i, at[id] = len(list), len(list)
			list = append(list, x)
		} else if err := merge(a, list[i], x, id); err != nil {
			return err
		}
		changed[i] = true
	}
	clearOtherPrimaries(list, changed)
	return setElements(c, a, list)
}

// merge sets what x says beyond its identity: an address that differs in case only keeps its spelling.
func merge(a *scim.Attribute, e, x any, id identity) error {
	o, complex := e.(scim.Object)
	if !complex || id.json != "" {
		return nil
	}
	in := maps.Clone(scim.AsObject(x))
	delete(in, "value")
	delete(in, "type")
	return setSubAttributes(a, o, in)
}

// setSubAttributes sets the sub-attributes of o that in has.
func setSubAttributes(a *scim.Attribute, o, in scim.Object) error {
	for _, sub := range a.SubAttributes {
		if v, given := in[sub.Name]; given {
			if err := setAttribute(o, sub, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeValues removes the elements that raw names: Entra ID and JumpCloud remove members so. One without a type means
// each type.
func removeValues(c scim.Object, a *scim.Attribute, raw any) error {
	given, err := canonicalElements(a, unwrapRepeatedName(a, raw))
	if err != nil {
		return err
	}
	gone := make(map[identity]bool, len(given))
	for _, x := range given {
		gone[identityOf(a, x)] = true
	}
	list, _ := c[a.Name].([]any)
	var kept []any
	for _, e := range list {
		id := identityOf(a, e)
		if !gone[id] && !gone[identity{value: id.value, json: id.json}] {
			kept = append(kept, e)
		}
	}
	return setElements(c, a, kept)
}

// unwrapRepeatedName gives what Ruby clients mean, who name the attribute again: {"members": […]} under the path
// members.
func unwrapRepeatedName(a *scim.Attribute, raw any) any {
	if in, ok := raw.(scim.Object); ok && a.Sub(a.Name) == nil && in.Get(a.Name) != nil {
		return in.Get(a.Name)
	}
	return raw
}

// applyToElements performs an operation on those elements of which the target's filter is true, or on their
// sub-attribute.
func (t target) applyToElements(c scim.Object, op string, raw any) error {
	list, _ := c[t.ref.Attr.Name].([]any)
	var after []any
	changed, matched := map[int]bool{}, false
	put := func(e any) {
		if o, complex := e.(scim.Object); e != nil && (!complex || len(o) > 0) {
			changed[len(after)] = true
			after = append(after, e)
		}
	}
	for _, e := range list {
		if t.match != nil && !t.match(scim.AsObject(e)) {
			after = append(after, e)
			continue
		}
		matched = true
		e, err := t.applyToElement(e, op, raw)
		if err != nil {
			return err
		}
		put(e)
	}
	if !matched && op != Remove && !isUnassigned(raw) {
		e, err := t.createElement(raw)
		if err != nil {
			return err
		}
		put(e)
	}
	clearOtherPrimaries(after, changed)
	if t.ref.Sub == nil && op != Remove {
		after = dedupe(t.ref.Attr, after)
	}
	return setElements(c, t.ref.Attr, after)
}

// applyToElement gives what becomes of one element, nil if it goes.
func (t target) applyToElement(e any, op string, raw any) (any, error) {
	o, _ := e.(scim.Object)
	switch {
	case t.ref.Sub != nil:
		return o, applyToAttribute(o, t.ref.Sub, op, raw)
	case op == Remove || op == Replace && isUnassigned(raw):
		return nil, nil
	case isUnassigned(raw):
		return e, nil
	case op == Replace:
		// RFC 7644 §3.5.2.3: the whole of a matching value is replaced; what the filter says of it stays true.
		seed, _ := t.elementFromFilter()
		return t.mergeElement(seed, e, raw)
	}
	return t.mergeElement(o, e, raw)
}

// createElement makes the element that the filter asks for, as Entra ID expects of emails[type eq "work"].value.
func (t target) createElement(raw any) (any, error) {
	o, ok := t.elementFromFilter()
	if !ok {
		return nil, scim.BadRequest(scim.NoTarget, "No value of %s matches %s. Add one first.", t.ref.Attr.Name, t.filter)
	}
	if t.ref.Sub != nil {
		return o, applyToAttribute(o, t.ref.Sub, Add, raw)
	}
	return t.mergeElement(o, nil, raw)
}

// mergeElement is o with what raw gives; where elements are simple, just that; and old if raw gives nothing that is
// known.
func (t target) mergeElement(o scim.Object, old, raw any) (any, error) {
	v, err := t.ref.Attr.CanonicalElement(raw)
	if v == nil || err != nil {
		return old, err
	}
	in, complex := v.(scim.Object)
	if !complex {
		return v, nil
	}
	return o, setSubAttributes(t.ref.Attr, o, in)
}

// elementFromFilter is what a filter says of an element: {"type": "work"} of type eq "work". It is known for an eq on
// one of the canonical types, or on being primary, and for no filter at all.
func (t target) elementFromFilter() (scim.Object, bool) {
	if t.filter == nil {
		return scim.Object{}, true
	}
	none := scim.Object{}
	f, ok := t.filter.(*filter.Compare)
	if !ok || f.Op != filter.EQ {
		return none, false
	}
	sub := t.ref.Attr.Sub(f.Attr.Name)
	if sub == nil || sub.Mutability == "readOnly" || t.ref.Attr.IsMembership {
		return none, false
	}
	v, err := sub.CanonicalElement(f.Value)
	if sub.Name == "primary" {
		return scim.Object{"primary": true}, err == nil && v == true
	}
	for _, canonical := range sub.CanonicalValues {
		if s, ok := v.(string); ok && sub.Name == "type" && strings.EqualFold(canonical, s) {
			return scim.Object{"type": canonical}, true
		}
	}
	return none, false
}

// clearOtherPrimaries takes primary from the elements that are not among the changed, if one of those has it (RFC 7644
// §3.5.2). Two in one operation are left for Validate to refuse.
func clearOtherPrimaries(list []any, changed map[int]bool) {
	promoted := false
	for i := range changed {
		promoted = promoted || scim.AsObject(list[i])["primary"] == true
	}
	for i, e := range list {
		if o := scim.AsObject(e); promoted && !changed[i] && o["primary"] == true {
			o["primary"] = false
		}
	}
}

// setElements gives a multi-valued attribute its elements; none unassign it.
func setElements(c scim.Object, a *scim.Attribute, list []any) error {
	if len(list) == 0 {
		return removeAttribute(c, a)
	}
	if err := a.CheckElementCount(len(list)); err != nil {
		return err
	}
	return setAttribute(c, a, list)
}

// dedupe is the list with each element once.
func dedupe(a *scim.Attribute, list []any) []any {
	seen := make(map[identity]bool, len(list))
	return slices.DeleteFunc(list, func(e any) bool {
		id := identityOf(a, e)
		again := seen[id]
		seen[id] = true
		return again
	})
}

// identity is what makes two elements the same: value and type (RFC 7643 §2.4), or where there is no value all of it.
type identity struct{ value, typ, json string }

func identityOf(a *scim.Attribute, e any) identity {
	o, complex := e.(scim.Object)
	if !complex {
		return identity{value: foldValue(a, e)}
	}
	v, ok := o["value"]
	if !ok {
		b, _ := json.Marshal(o) // a tree of strings, booleans and numbers: no error
		return identity{json: string(b)}
	}
	id := identity{value: foldValue(a.Sub("value"), v)}
	if kind := a.Sub("type"); kind != nil && kind.Mutability != "readOnly" && !a.IsMembership && o["type"] != nil {
		id.typ = foldValue(kind, o["type"])
	}
	return id
}

func foldValue(a *scim.Attribute, v any) string {
	if s, ok := v.(string); ok && !a.CaseExact {
		return scim.Fold(s)
	}
	return fmt.Sprint(v)
}
