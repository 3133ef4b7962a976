package scim

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"serverless-scim/internal/leniency"
)

// Decode decodes and validates the body of a create or replace request. The result is in canonical form. Decode drops
// unknown attributes, attributes that only the server writes, and writeOnly attributes (RFC 7643 §2.2), because
// passwords are not stored. It records departures from the RFCs in l, which may be nil. The error is an *Error with status
// 400 or 413, or a *leniency.RefusedError.
func (rt *ResourceType) Decode(body []byte, l *leniency.Set) (Object, error) {
	raw, err := ParseObject(body)
	if err != nil {
		return nil, err
	}
	if err := rt.recordSchemas(l, raw); err != nil {
		return nil, err
	}
	o := Object{}
	for name, v := range raw {
		if ext := rt.extension(name); ext != nil {
			err = cmp.Or(rt.recordExtension(l, raw, name, ext), decodeExtension(o, ext, v, l))
		} else {
			err = decodeInto(o, cmp.Or(rt.core.Attribute(name), rt.common.Attribute(name)), name, v, l)
		}
		if err != nil {
			return nil, err
		}
	}
	return o, rt.Validate(o)
}

// decodeExtension decodes the object of an extension and puts it into o, unless it is empty.
func decodeExtension(o Object, ext *Schema, v any, l *leniency.Set) error {
	raw, ok := v.(Object)
	if !ok && v != nil {
		return BadRequest(InvalidValue, "The value of %s must be an object.", ext.ID)
	}
	c := Object{}
	for name, v := range raw {
		if err := decodeInto(c, ext.Attribute(name), name, v, l); err != nil {
			return err
		}
	}
	if len(c) > 0 {
		o[ext.ID] = c
	}
	return nil
}

// decodeInto sets one attribute of an object. It does nothing if the attribute is unknown (nil), readOnly, or
// unassigned. It checks a writeOnly attribute and does not set it. The profile can refuse an unknown attribute.
func decodeInto(o Object, a *Attribute, name string, raw any, l *leniency.Set) error {
	if !a.IsDefined(l) {
		return l.Apply(leniency.UnknownAttribute, name)
	}
	if a.Mutability == "readOnly" { // RFC 7644 §3.3, §3.5.1
		return nil
	}
	v, err := a.Canonical(raw, l)
	switch {
	case err != nil || v == nil:
	case a.Mutability == "writeOnly":
		l.Add(leniency.PasswordDropped)
	default:
		o[a.Name] = v
	}
	return err
}

// Canonical returns the canonical form of a value that Parse returned. It returns nil for an unassigned value: null, an
// empty array, or an object without known values. It reads an object as the one element of a multi-valued attribute. It
// returns a 400 invalidValue if the value has the wrong type. It records departures from the RFCs in l.
func (a *Attribute) Canonical(raw any, l *leniency.Set) (any, error) {
	if raw == nil {
		return nil, nil
	}
	if !a.MultiValued {
		return a.CanonicalElement(raw, l)
	}
	list, ok := raw.([]any)
	if object, single := raw.(Object); single && len(object) > 0 { // OneLogin sends its one e-mail address so
		l.Add(leniency.ValueNotInArray)
		list, ok = []any{object}, true
	}
	if !ok {
		return nil, BadRequest(InvalidValue, "The value of %s must be an array.", a.Name)
	}
	var values []any
	for _, x := range list {
		v, err := a.CanonicalElement(x, l)
		if err != nil {
			return nil, err
		}
		if v == nil {
			l.Add(leniency.EmptyElement)
			continue
		}
		values = append(values, v)
	}
	if values = a.dedupe(values); len(values) == 0 {
		return nil, nil
	}
	return values, a.CheckElementCount(len(values))
}

// maxElements is the maximum number of values of a multi-valued attribute. It bounds the work of one request.
// Memberships have other limits.
const maxElements = 1000

// CheckElementCount returns a 413 error if n is more values than a multi-valued attribute can have.
func (a *Attribute) CheckElementCount(n int) error {
	if n <= maxElements || a.IsMembership {
		return nil
	}
	return &Error{Status: 413, Detail: fmt.Sprintf("%s has more than %d values. Send fewer.", a.Name, maxElements)}
}

// dedupe removes elements that are equal to an earlier element. It reuses the memory of values.
func (a *Attribute) dedupe(values []any) []any {
	seen, kept := make(map[string]bool, len(values)), values[:0]
	for _, v := range values {
		if key := a.elementKey(v); !seen[key] {
			seen[key], kept = true, append(kept, v)
		}
	}
	return kept
}

// elementKey returns a string that two elements share only if they are equal. For a membership it is the value.
func (a *Attribute) elementKey(v any) string {
	if o, ok := v.(Object); ok && a.IsMembership {
		v = o["value"]
	}
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // v came from JSON
	}
	return string(b)
}

// CanonicalElement is Canonical for one element of a multi-valued attribute, or for the value of a single-valued one.
func (a *Attribute) CanonicalElement(raw any, l *leniency.Set) (any, error) {
	if raw == nil {
		return nil, nil
	}
	var v any
	var ok bool
	switch a.Type {
	case "complex":
		return a.canonicalComplex(raw, l)
	case "boolean":
		v, ok = canonicalBoolean(raw, l)
	case "integer", "decimal":
		v, ok = canonicalNumber(raw, a.Type == "integer")
	default:
		v, ok = a.canonicalString(raw)
	}
	if !ok {
		return nil, BadRequest(InvalidValue, "A value of %s has the wrong type. It must be a %s.", a.Name, a.Type)
	}
	return v, nil
}

// canonicalComplex returns the canonical form of one complex value. It returns an error if nothing remains of a value
// that needs a sub-attribute.
func (a *Attribute) canonicalComplex(raw any, l *leniency.Set) (any, error) {
	if s, ok := raw.(string); ok && !a.MultiValued && a.Sub("value") != nil {
		if s == "" { // Entra ID sends the manager as a bare ID, and "" to remove it.
			l.Add(leniency.EmptyString)
			return nil, nil
		}
		l.Add(leniency.ComplexAsString)
		raw = Object{"value": s}
	}
	in, ok := raw.(Object)
	if !ok {
		return nil, BadRequest(InvalidValue, "A value of %s must be an object.", a.Name)
	}
	if a.IsMembership && !l.IsInterop() {
		in = Object{"value": in.Get("value")}
	}
	out := Object{}
	for name, v := range in {
		if err := decodeInto(out, a.Sub(name), name, v, l); err != nil {
			return nil, err
		}
	}
	if v, ok := out["value"]; ok && a.IsMembership && len(out) > 1 { // the server adds the other sub-attributes
		out = Object{"value": v}
	}
	if len(out) > 0 {
		return out, nil
	}
	for _, sub := range a.SubAttributes {
		if err := sub.validate(nil); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// canonicalBoolean also accepts strings: Entra ID and OneLogin send "True" and "False".
func canonicalBoolean(raw any, l *leniency.Set) (any, bool) {
	if s, ok := raw.(string); ok {
		l.Add(leniency.BooleanAsString)
		return lowerASCII(s) == "true", lowerASCII(s) == "true" || lowerASCII(s) == "false"
	}
	b, ok := raw.(bool)
	return b, ok
}

// canonicalNumber accepts numbers of at most 64 characters, so that an exact comparison is cheap.
func canonicalNumber(raw any, integer bool) (any, bool) {
	n, ok := raw.(json.Number)
	if !ok || len(n) > 64 || integer && strings.ContainsAny(string(n), ".eE") {
		return nil, false
	}
	if i := strings.IndexAny(string(n), "eE"); i >= 0 { // big.Rat would expand 1e1000000 to a million digits
		if e, err := strconv.Atoi(string(n[i+1:])); err != nil || max(e, -e) > 400 {
			return nil, false
		}
	}
	_, ok = new(big.Rat).SetString(string(n))
	return n, ok
}

// canonicalString accepts strings in the format of the attribute's type.
func (a *Attribute) canonicalString(raw any) (any, bool) {
	s, ok := raw.(string)
	switch {
	case !ok:
	case a.Type == "dateTime":
		_, ok = parseDateTime(s)
	case a.Type == "binary":
		encoding := base64.StdEncoding
		if !strings.Contains(s, "=") {
			encoding = base64.RawStdEncoding // RFC 7643 §2.3.6: trailing padding may be omitted
		}
		_, err := encoding.DecodeString(s)
		ok = err == nil
	}
	return s, ok
}

// Validate checks that a resource has all required attributes, and that at most one element of each multi-valued
// attribute is primary (RFC 7643 §2.4). It returns a 400 invalidValue otherwise.
func (rt *ResourceType) Validate(o Object) error {
	for _, a := range rt.core.Attributes {
		if err := a.validate(o[a.Name]); err != nil {
			return err
		}
	}
	for i, ext := range rt.extensions {
		c, exists := o[ext.ID].(Object)
		if !exists && !rt.SchemaExtensions[i].Required {
			continue
		}
		for _, a := range ext.Attributes {
			if err := a.validate(c[a.Name]); err != nil {
				return err
			}
		}
	}
	return nil
}

// validate checks the value of one attribute and its sub-attributes; nil is unassigned.
func (a *Attribute) validate(v any) error {
	if s, ok := v.(string); a.Required && (v == nil || ok && strings.TrimSpace(s) == "") {
		return RequiredError(a.Name)
	}
	elements, many := v.([]any)
	if !many && v != nil {
		elements = []any{v}
	}
	primary := 0
	for _, e := range elements {
		c, ok := e.(Object)
		if !ok {
			break
		}
		if c["primary"] == true {
			primary++
		}
		for _, sub := range a.SubAttributes {
			if err := sub.validate(c[sub.Name]); err != nil {
				return err
			}
		}
	}
	if primary > 1 {
		return BadRequest(InvalidValue, "More than one value of %s is primary. Mark at most one.", a.Name)
	}
	return nil
}

// SchemaURNs returns the value of the attribute schemas (RFC 7643 §3): the core schema and the extensions that the
// resource has.
func (rt *ResourceType) SchemaURNs(o Object) []any {
	urns := []any{rt.Schema}
	for _, ext := range rt.extensions {
		if o[ext.ID] != nil {
			urns = append(urns, ext.ID)
		}
	}
	return urns
}

// Equal reports whether two canonical values are identical. Case and the order of elements matter.
func Equal(a, b any) bool {
	switch a := a.(type) {
	case Object:
		b, ok := b.(Object)
		return ok && maps.EqualFunc(a, b, Equal)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, Equal)
	}
	return a == b
}

// Replace returns the resource that results from replacing old by o (RFC 7644 §3.5.1). If o omits an immutable
// attribute, the result has the value of old. If o has another value for it, Replace returns a 400 mutability. It
// modifies neither old nor o.
func (rt *ResourceType) Replace(old, o Object) (Object, error) {
	o = o.Clone()
	if err := keepImmutable(rt.core.Attributes, old, o); err != nil {
		return nil, err
	}
	for _, ext := range rt.extensions {
		before, _ := old[ext.ID].(Object)
		after, _ := o[ext.ID].(Object)
		if after == nil {
			after = Object{}
		}
		if err := keepImmutable(ext.Attributes, before, after); err != nil {
			return nil, err
		}
		if len(after) > 0 {
			o[ext.ID] = after
		}
	}
	return o, nil
}

// keepImmutable copies the immutable attributes that o omits from old to o. It returns an error if o has another value.
func keepImmutable(attributes []*Attribute, old, o Object) error {
	for _, a := range attributes {
		before, after := old[a.Name], o[a.Name]
		switch {
		case a.Mutability != "immutable" || before == nil:
		case after == nil:
			o[a.Name] = before
		case !Equal(before, after):
			return ImmutableError(a.Name)
		}
	}
	return nil
}
