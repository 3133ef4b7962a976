package patch

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"serverless-scim/internal/leniency"
	"serverless-scim/internal/scim"
)

// canonicalElements returns the canonical elements of a value for a multi-valued attribute. It accepts a single element
// without an array. It returns a 400 invalidValue if an element lacks a required sub-attribute.
func canonicalElements(a *scim.Attribute, raw any, l *leniency.Set) ([]any, error) {
	if _, many := raw.([]any); !many {
		l.Add(leniency.ValueNotInArray)
		raw = []any{raw}
	}
	v, err := a.Canonical(raw, l)
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

// addValues adds the elements in raw to a multi-valued attribute. An element whose identity the attribute has already
// is merged into the existing element.
func addValues(w work, c scim.Object, a *scim.Attribute, raw any) error {
	added, err := canonicalElements(a, raw, w.leniency)
	if err != nil {
		return err
	}
	list, _ := c[a.Name].([]any)
	index := make(map[identity]int, len(list))
	for i, e := range list {
		index[identityOf(w, a, e)] = i
	}
	changed := make(map[int]bool, len(added))
	for _, e := range added {
		id := identityOf(w, a, e)
		i, exists := index[id]
		if !exists {
			i, index[id] = len(list), len(list)
			list = append(list, e)
		} else if err := merge(a, list[i], e, id); err != nil {
			return err
		}
		changed[i] = true
	}
	clearOtherPrimaries(list, changed)
	return setElements(c, a, list)
}

// merge copies the sub-attributes of added to an existing element with the same identity. It does not copy value and
// type, so an e-mail address that differs only in case keeps its spelling.
func merge(a *scim.Attribute, existing, added any, id identity) error {
	o, ok := existing.(scim.Object)
	if !ok || id.json != "" {
		return nil
	}
	in := maps.Clone(scim.AsObject(added))
	delete(in, "value")
	delete(in, "type")
	return setSubAttributes(a, o, in)
}

// removeValues removes the elements that raw lists, as Entra ID and JumpCloud remove members. An element without a type
// removes the elements of all types that have its value.
func removeValues(w work, c scim.Object, a *scim.Attribute, raw any) error {
	w.leniency.Add(leniency.RemoveByValue)
	listed, err := canonicalElements(a, unwrapRepeatedName(a, raw, w.leniency), w.leniency)
	if err != nil {
		return err
	}
	removed := make(map[identity]bool, len(listed))
	for _, e := range listed {
		removed[identityOf(w, a, e)] = true
	}
	list, _ := c[a.Name].([]any)
	var kept []any
	for _, e := range list {
		id := identityOf(w, a, e)
		if !removed[id] && !removed[identity{value: id.value, json: id.json}] {
			kept = append(kept, e)
		}
	}
	return setElements(c, a, kept)
}

// unwrapRepeatedName returns the value under the attribute's own name, or raw if there is none. Ruby clients send
// {"members": […]} with the path members.
func unwrapRepeatedName(a *scim.Attribute, raw any, l *leniency.Set) any {
	if in, ok := raw.(scim.Object); ok && a.Sub(a.Name) == nil && in.Get(a.Name) != nil {
		l.Add(leniency.RemoveNameRepeated)
		return in.Get(a.Name)
	}
	return raw
}

// clearOtherPrimaries sets primary to false in the unchanged elements if a changed element is primary (RFC 7644
// §3.5.2). If two changed elements are primary, Validate returns the error later.
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

// dedupe removes the elements that have the identity of an earlier element. It reuses the memory of list.
func dedupe(w work, a *scim.Attribute, list []any) []any {
	seen := make(map[identity]bool, len(list))
	return slices.DeleteFunc(list, func(e any) bool {
		id := identityOf(w, a, e)
		duplicate := seen[id]
		seen[id] = true
		return duplicate
	})
}

// An identity distinguishes the elements of an attribute. It has value and type, folded (RFC 7643 §2.4), or the whole
// element as JSON if the element has no value.
type identity struct{ value, typ, json string }

// The costs of an identity and of a byte of JSON, in bytes compared.
const (
	identityCost = 100
	marshalCost  = 5
)

func identityOf(w work, a *scim.Attribute, e any) identity {
	w.Charge(identityCost)
	o, ok := e.(scim.Object)
	if !ok {
		return identity{value: foldValue(w, a, e)}
	}
	v, ok := o["value"]
	if !ok {
		b, _ := json.Marshal(o) // cannot fail: o has only strings, booleans and numbers
		w.Charge(marshalCost * len(b))
		return identity{json: string(b)}
	}
	id := identity{value: foldValue(w, a.Sub("value"), v)}
	if t := a.Sub("type"); t != nil && t.Mutability != "readOnly" && !a.IsMembership && o["type"] != nil {
		id.typ = foldValue(w, t, o["type"])
	}
	return id
}

// foldValue returns the text of a simple value, folded unless the attribute is caseExact.
func foldValue(w work, a *scim.Attribute, v any) string {
	if s, ok := v.(string); ok {
		return w.Fold(a, s)
	}
	return fmt.Sprint(v)
}
