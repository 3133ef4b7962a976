package scim

import (
	"slices"

	"serverless-scim/internal/filter"
)

// An AttributeRef is the meaning of an attribute name in a resource type: a top-level attribute, one of its
// sub-attributes, or a whole extension.
type AttributeRef struct {
	Extension string     // URN; "" for the core schema and the common attributes
	Attr      *Attribute // the top-level attribute; nil for a whole extension
	Sub       *Attribute // the sub-attribute; nil for the whole attribute
}

// Leaf returns Sub or, if Sub is nil, Attr.
func (r AttributeRef) Leaf() *Attribute {
	if r.Sub != nil {
		return r.Sub
	}
	return r.Attr
}

// String returns the full name in the schema's spelling: URN:attribute.sub, without the URN for a core schema.
func (r AttributeRef) String() string {
	if r.Attr == nil {
		return r.Extension
	}
	name := r.Attr.Name
	if r.Extension != "" {
		name = r.Extension + ":" + name
	}
	if r.Sub != nil {
		name += "." + r.Sub.Name
	}
	return name
}

// Resolve returns the meaning of a name. ok is false if the resource type has no such name. Resolve looks for a name
// without a URN in the core schema, then in the common attributes, then in the extensions (RFC 7644 §3.10).
func (rt *ResourceType) Resolve(a filter.Attr) (r AttributeRef, ok bool) {
	if a.URN == "" {
		if r.Attr = rt.core.Attribute(a.Name); r.Attr == nil {
			r.Attr = rt.common.Attribute(a.Name)
		}
		for i := 0; r.Attr == nil && i < len(rt.extensions); i++ {
			r.Extension, r.Attr = rt.extensions[i].ID, rt.extensions[i].Attribute(a.Name)
		}
	} else if ext := rt.extension(a.URN + ":" + a.Name); ext != nil && a.Sub == "" {
		return AttributeRef{Extension: ext.ID}, true
	} else if ext := rt.extension(a.URN); ext != nil {
		r.Extension, r.Attr = ext.ID, ext.Attribute(a.Name)
	} else if equalFoldASCII(a.URN, rt.core.ID) || isPreRFCCoreURN(a.URN) {
		if r.Attr = rt.core.Attribute(a.Name); r.Attr == nil {
			r.Attr = rt.common.Attribute(a.Name)
		}
	}
	if r.Attr != nil && a.Sub != "" {
		r.Sub = r.Attr.Sub(a.Sub)
	}
	return r, r.Attr != nil && (a.Sub == "" || r.Sub != nil)
}

// extension returns the extension with a URN, in any case. It returns nil if there is none.
func (rt *ResourceType) extension(urn string) *Schema {
	return find(rt.extensions, func(s *Schema) bool { return s.ID == urn || equalFoldASCII(s.ID, canonicalURN(urn)) })
}

// Attributes returns all top-level attributes outside extensions.
func (rt *ResourceType) Attributes() []*Attribute {
	return slices.Concat(rt.common.Attributes, rt.core.Attributes)
}

// Attribute returns the top-level attribute outside extensions with an exact name. It returns nil if there is none.
func (rt *ResourceType) Attribute(name string) *Attribute {
	if a := rt.core.attributes[name]; a != nil {
		return a
	}
	return rt.common.attributes[name]
}

// IndexedAttribute returns an attribute of Storage.IndexedAttributes. For a complex attribute it returns the
// sub-attribute value. ok is false if the resource type has no such attribute.
func (rt *ResourceType) IndexedAttribute(name string) (r AttributeRef, ok bool) {
	r.Attr = rt.Attribute(name)
	if r.Attr != nil {
		r.Sub = r.Attr.Sub("value")
	}
	return r, r.Attr != nil
}

// container returns the object that holds the attribute: the resource or the object of the extension. It returns nil if
// the resource does not have the extension.
func (r AttributeRef) container(o Object) Object {
	if r.Extension == "" {
		return o
	}
	ext, _ := o[r.Extension].(Object)
	return ext
}

// Values returns the values that r has in a resource. A multi-valued attribute has a value for each element. Values
// returns nil if r is unassigned.
func (r AttributeRef) Values(o Object) []any {
	if r.Attr == nil {
		if ext, ok := o[r.Extension]; ok {
			return []any{ext}
		}
		return nil
	}
	v, ok := r.container(o)[r.Attr.Name]
	if !ok {
		return nil
	}
	elements, many := v.([]any)
	if !many {
		elements = []any{v}
	}
	if r.Sub == nil {
		return elements
	}
	var values []any
	for _, e := range elements {
		if c, ok := e.(Object); ok && c[r.Sub.Name] != nil {
			values = append(values, c[r.Sub.Name])
		}
	}
	return values
}

// comparedValues returns the values that a comparison with r tests: those of Values and, if an element has no primary,
// the false that RFC 7643 §2.4 assumes. In a value path, o is the element.
func (r AttributeRef) comparedValues(o Object) []any {
	values := r.Values(o)
	if !r.Leaf().falseIfAbsent {
		return values
	}
	elements := 1
	if r.Sub != nil {
		elements = len(AttributeRef{Extension: r.Extension, Attr: r.Attr}.Values(o))
	}
	if len(values) < elements {
		values = append(values, false)
	}
	return values
}
