package scim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"strconv"
	"strings"
)

// Decode reads the body of a create or replace request into canonical form. What only the server may write, what it
// does not know and what it does not keep (RFC 7643 §2.2 writeOnly) is left out. Errors are *Error with status 400.
func (rt *ResourceType) Decode(body []byte) (Object, error) {
	raw, err := ParseObject(body)
	if err != nil {
		return nil, err
	}
	o := Object{}
	for name, v := range raw {
		if ext := rt.extension(name); ext != nil {
			if err := decodeExtension(o, ext, v); err != nil {
				return nil, err
			}
			continue
		}
		a := rt.core.Attribute(name)
		if a == nil {
			a = rt.common.Attribute(name)
		}
		if err := decodeInto(o, a, v); err != nil {
			return nil, err
		}
	}
	return o, rt.Validate(o)
}

func decodeExtension(o Object, ext *Schema, v any) error {
	raw, ok := v.(Object)
	if !ok {
		if v == nil {
			return nil
		}
		return BadRequest(InvalidValue, "The value of %s must be an object.", ext.ID)
	}
	c := Object{}
	for name, v := range raw {
		if err := decodeInto(c, ext.Attribute(name), v); err != nil {
			return err
		}
	}
	if len(c) > 0 {
		o[ext.ID] = c
	}
	return nil
}

// decodeInto sets one attribute of an object, unless it is unknown, unassigned or only the server may write it.
func decodeInto(o Object, a *Attribute, raw any) error {
	if a == nil || a.Mutability == "readOnly" {
		return nil
	}
	v, err := a.Canonical(raw)
	if err == nil && v != nil && a.Mutability != "writeOnly" {
		o[a.Name] = v
	}
	return err
}

// Canonical is the canonical form of a value of the attribute, as Parse gives it: nil if it is unassigned (null, an
// empty array, an object without known values). It refuses values of another type with a 400 invalidValue.
func (a *Attribute) Canonical(raw any) (any, error) {
	if raw == nil {
		return nil, nil
	}
	if !a.MultiValued {
		return a.CanonicalElement(raw)
	}
	list, ok := raw.([]any)
	if !ok {
		return nil, BadRequest(InvalidValue, "The value of %s must be an array.", a.Name)
	}
	var values []any
	for _, x := range list {
		v, err := a.CanonicalElement(x)
		if err != nil {
			return nil, err
		}
		if v != nil {
			values = append(values, v)
		}
	}
	if values = a.dedupe(values); len(values) == 0 {
		return nil, nil
	}
	return values, a.CheckElementCount(len(values))
}

// maxElements bounds the work that one request can make of a multi-valued attribute. Memberships have limits of their own.
const maxElements = 1000

// CheckElementCount refuses more values than a multi-valued attribute can have with a 413.
func (a *Attribute) CheckElementCount(n int) error {
	if n <= maxElements || a.IsMembership {
		return nil
	}
	return &Error{Status: 413, Detail: fmt.Sprintf("%s has more than %d values. Send fewer.", a.Name, maxElements)}
}

// dedupe drops elements that stand there before.
func (a *Attribute) dedupe(values []any) []any {
	seen, kept := make(map[string]bool, len(values)), values[:0]
	for _, v := range values {
		if key := a.elementKey(v); !seen[key] {
			seen[key], kept = true, append(kept, v)
		}
	}
	return kept
}

// elementKey is the same of elements that are the same: of a member, which has nothing else, its value.
func (a *Attribute) elementKey(v any) string {
	if o, ok := v.(Object); ok && a.IsMembership {
		v = o["value"]
	}
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // it was JSON before
	}
	return string(b)
}

// CanonicalElement is Canonical for one element of a multi-valued attribute, or for the value of one that is not.
func (a *Attribute) CanonicalElement(raw any) (any, error) {
	if raw == nil {
		return nil, nil
	}
	v, ok := any(nil), false
	switch a.Type {
	case "complex":
		return a.canonicalComplex(raw)
	case "boolean":
		v, ok = canonicalBoolean(raw)
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

func (a *Attribute) canonicalComplex(raw any) (any, error) {
	if s, ok := raw.(string); ok && !a.MultiValued && a.Sub("value") != nil {
		if s == "" { // Entra ID sends manager as a bare id, and "" to clear it.
			return nil, nil
		}
		raw = Object{"value": s}
	}
	in, ok := raw.(Object)
	if !ok {
		return nil, BadRequest(InvalidValue, "A value of %s must be an object.", a.Name)
	}
	if a.IsMembership {
		in = Object{"value": in.Get("value")}
	}
	out := Object{}
	for name, v := range in {
		if err := decodeInto(out, a.Sub(name), v); err != nil {
			return nil, err
		}
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

// canonicalBoolean takes strings, too: Entra ID and OneLogin send "True" and "False".
func canonicalBoolean(raw any) (any, bool) {
	if s, ok := raw.(string); ok {
		return lowerASCII(s) == "true", lowerASCII(s) == "true" || lowerASCII(s) == "false"
	}
	b, ok := raw.(bool)
	return b, ok
}

func canonicalNumber(raw any, integer bool) (any, bool) {
	n, ok := raw.(json.Number)
	if !ok || len(n) > 64 || integer && strings.ContainsAny(string(n), ".eE") {
		return nil, false
	}
	if i := strings.IndexAny(string(n), "eE"); i >= 0 { // 1e1000000 is short, and has a million digits
		if e, err := strconv.Atoi(string(n[i+1:])); err != nil || max(e, -e) > 400 {
			return nil, false
		}
	}
	_, ok = new(big.Rat).SetString(string(n))
	return n, ok
}

func (a *Attribute) canonicalString(raw any) (any, bool) {
	s, ok := raw.(string)
	switch {
	case !ok:
	case a.Type == "dateTime":
		_, ok = parseDateTime(s)
	case a.Type == "binary":
		_, err := base64.StdEncoding.DecodeString(s)
		ok = err == nil
	}
	return s, ok
}

// Validate checks what is asked of a whole resource: that required attributes are there, and that at most one element
// of an attribute is primary (RFC 7643 §2.4).
func (rt *ResourceType) Validate(o Object) error {
	for _, a := range rt.core.Attributes {
		if err := a.validate(o[a.Name]); err != nil {
			return err
		}
	}
	for i, ext := range rt.extensions {
		c, there := o[ext.ID].(Object)
		if !there && !rt.SchemaExtensions[i].Required {
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

func (a *Attribute) validate(v any) error {
	if s, ok := v.(string); a.Required && (v == nil || ok && strings.TrimSpace(s) == "") {
		return BadRequest(InvalidValue, "The attribute %s is required. Send a value that is not empty.", a.Name)
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
		return BadRequest(InvalidValue, "More than one value of %s is primary. Mark one at most.", a.Name)
	}
	return nil
}

// SchemaURNs is the URNs of the schemas of which a resource has attributes (RFC 7643 §3).
func (rt *ResourceType) SchemaURNs(o Object) []any {
	urns := []any{rt.Schema}
	for _, ext := range rt.extensions {
		if o[ext.ID] != nil {
			urns = append(urns, ext.ID)
		}
	}
	return urns
}

// Equal tells whether two canonical values are the same, in every letter. The order of elements counts.
func Equal(a, b any) bool { return reflect.DeepEqual(a, b) }

// Replace is o in the place of old (RFC 7644 §3.5.1): an immutable attribute that is set stays, and cannot become
// another. Neither is changed.
func (rt *ResourceType) Replace(old, o Object) (Object, error) {
	o = o.Clone()
	if err := keepImmutable(rt.core.Attributes, old, o); err != nil {
		return nil, err
	}
	for _, ext := range rt.extensions {
		was, _ := old[ext.ID].(Object)
		is, _ := o[ext.ID].(Object)
		if is == nil {
			is = Object{}
		}
		if err := keepImmutable(ext.Attributes, was, is); err != nil {
			return nil, err
		}
		if len(is) > 0 {
			o[ext.ID] = is
		}
	}
	return o, nil
}

func keepImmutable(attributes []*Attribute, old, o Object) error {
	for _, a := range attributes {
		was, is := old[a.Name], o[a.Name]
		switch {
		case a.Mutability != "immutable" || was == nil:
		case is == nil:
			o[a.Name] = was
		case !Equal(was, is):
			return BadRequest(Mutability, "%s cannot be changed once it is set. Leave it out.", a.Name)
		}
	}
	return nil
}
