package patch

import (
	"maps"
	"strings"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/leniency"
	"serverless-scim/internal/scim"
)

// apply applies an operation to the target in c, which is the resource or the extension that has the attribute.
func (t target) apply(w work, c scim.Object, op string, raw any) error {
	a, sub := t.ref.Attr, t.ref.Sub
	switch {
	case t.match != nil || sub != nil && a.MultiValued:
		return t.applyToElements(w, c, op, raw)
	case sub != nil:
		return editObject(c, a.Name, func(v scim.Object) error { return applyToAttribute(w, v, sub, op, raw) })
	}
	return applyToAttribute(w, c, a, op, raw)
}

// applyToElements applies an operation to the elements that match the target's filter, or to a sub-attribute of these
// elements. If no element matches, an add or replace creates one.
func (t target) applyToElements(w work, c scim.Object, op string, raw any) error {
	list, _ := c[t.ref.Attr.Name].([]any)
	var result []any
	changed, matched := map[int]bool{}, false
	put := func(e any) { // appends a changed element, unless it is removed or empty
		if o, ok := e.(scim.Object); e != nil && (!ok || len(o) > 0) {
			changed[len(result)] = true
			result = append(result, e)
		}
	}
	for _, e := range list {
		t.completeMember(e)
		if t.match != nil && !t.match(w.Evaluation, scim.AsObject(e)) {
			result = append(result, e)
			continue
		}
		if matched && t.match != nil && w.leniency.IsInterop() {
			return scim.BadRequest(scim.InvalidFilter, "More than one value of %s matches %s. Send a filter that matches one value%s",
				t.ref.Attr.Name, t.filter, leniency.InteropReason)
		}
		matched = true
		e, err := t.applyToElement(w, e, op, raw)
		if err != nil {
			return err
		}
		put(e)
	}
	if !matched && op != Remove && !isUnassigned(raw) {
		e, err := t.createElement(w, raw)
		if err != nil {
			return err
		}
		put(e)
	}
	clearOtherPrimaries(result, changed)
	if t.ref.Sub == nil && op != Remove {
		result = dedupe(w, t.ref.Attr, result)
	}
	return setElements(c, t.ref.Attr, result)
}

// completeMember adds the sub-attributes that the server adds to e, if e is a member that has only its value because an
// earlier operation has added it.
func (t target) completeMember(e any) {
	if o, ok := e.(scim.Object); ok && t.ref.Attr.IsMembership && len(o) == 1 {
		id, _ := o["value"].(string)
		maps.Copy(o, t.members[id])
	}
}

// applyToElement returns the result of an operation on one element, or nil if the operation removes the element.
func (t target) applyToElement(w work, e any, op string, raw any) (any, error) {
	o, _ := e.(scim.Object)
	switch {
	case t.ref.Sub != nil:
		err := applyToAttribute(w, o, t.ref.Sub, op, raw)
		if err != nil || op != Replace || !isUnassigned(raw) || hasContent(o) {
			return o, err
		}
		if len(o) > 0 {
			w.leniency.Add(leniency.EmptiedElementRemoved)
		}
		return nil, nil
	case op == Remove || op == Replace && isUnassigned(raw):
		return nil, nil
	case isUnassigned(raw):
		return e, nil
	case op == Replace:
		// RFC 7644 §3.5.2.3: a replace sets the whole element. The new element must still match the filter.
		initial, _ := t.elementFromFilter()
		return t.mergeElement(w, initial, e, raw)
	}
	return t.mergeElement(w, o, e, raw)
}

// hasContent reports whether an element has more than type and primary, which only describe a value. Entra ID unassigns
// an e-mail address at the path emails[type eq "work"].value, and expects that no element remains.
func hasContent(o scim.Object) bool {
	for name := range o {
		if name != "type" && name != "primary" {
			return true
		}
	}
	return false
}

// createElement returns a new element that matches the filter, as Entra ID expects for emails[type eq "work"].value. It
// returns a 400 noTarget if elementFromFilter cannot create one for the filter.
func (t target) createElement(w work, raw any) (any, error) {
	o, canCreate := t.elementFromFilter()
	if !canCreate {
		return nil, scim.BadRequest(scim.NoTarget, "No value of %s matches %s. Add one first.", t.ref.Attr.Name, t.filter)
	}
	if t.filter != nil {
		w.leniency.Add(leniency.ValuePathCreates)
	}
	if t.ref.Sub != nil {
		return o, applyToAttribute(w, o, t.ref.Sub, Add, raw)
	}
	return t.mergeElement(w, o, nil, raw)
}

// mergeElement sets the sub-attributes of o that raw has and returns o. If elements are simple, it returns the
// canonical form of raw. If raw has no known value, it returns old.
func (t target) mergeElement(w work, o scim.Object, old, raw any) (any, error) {
	v, err := t.ref.Attr.CanonicalElement(raw, w.leniency)
	if v == nil || err != nil {
		return old, err
	}
	in, ok := v.(scim.Object)
	if !ok {
		return v, nil
	}
	return o, setSubAttributes(t.ref.Attr, o, in)
}

// elementFromFilter returns the sub-attributes that an element needs to match the filter: {"type": "work"} for type eq
// "work", and {"primary": true} for primary eq true or primary ne false. It returns an empty element for other filters.
// An element without primary matches primary eq false, because RFC 7643 §2.4 assumes false.
//
// canCreate reports whether an add or replace creates the element if no element matches. It is true without a filter,
// for an eq with a canonical type, and for primary eq true. RFC 7644 §3.5.2.3 prescribes noTarget otherwise.
func (t target) elementFromFilter() (o scim.Object, canCreate bool) {
	if t.filter == nil {
		return scim.Object{}, true
	}
	f, ok := t.filter.(*filter.Compare)
	if !ok || f.Op != filter.EQ && f.Op != filter.NE {
		return scim.Object{}, false
	}
	sub := t.ref.Attr.Sub(f.Attr.Name)
	if sub == nil || sub.Mutability == "readOnly" || t.ref.Attr.IsMembership {
		return scim.Object{}, false
	}
	v, err := sub.CanonicalElement(f.Value, nil) // ElementMatcher has recorded leniency
	if isPrimary, ok := v.(bool); ok && err == nil && sub.Name == "primary" && isPrimary == (f.Op == filter.EQ) {
		return scim.Object{"primary": true}, isPrimary
	}
	for _, canonical := range sub.CanonicalValues {
		if s, ok := v.(string); ok && f.Op == filter.EQ && sub.Name == "type" && strings.EqualFold(canonical, s) {
			return scim.Object{"type": canonical}, true
		}
	}
	return scim.Object{}, false
}
