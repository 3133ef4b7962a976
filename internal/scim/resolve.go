package scim

import (
	"slices"

	"serverless-scim/internal/filter"
)

// AttributeRef is what the name of an attribute means in a resource type: a top-level attribute, perhaps of an extension, and
// perhaps a sub-attribute; or, with Attr nil, a whole extension.
type AttributeRef struct {
	Extension string // URN; "" for the core schema and the common attributes
	Attr, Sub *Attribute
}

// Leaf is the attribute that holds the value: Sub if there is one.
func (r AttributeRef) Leaf() *Attribute {
	if r.Sub != nil {
		return r.Sub
	}
	return r.Attr
}

// String is the name in the schema's spelling, without the URN of a core schema.
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

// Resolve finds what a name means; ok is false if nothing of the resource type has it. A name without a URN is looked
// for in the core schema, in the common attributes, and last in the extensions (RFC 7644 §3.10).
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
	} else if lowerASCII(a.URN) == lowerASCII(rt.core.ID) || isPreRFCCoreURN(a.URN) {
		if r.Attr = rt.core.Attribute(a.Name); r.Attr == nil {
			r.Attr = rt.common.Attribute(a.Name)
		}
	}
	if r.Attr != nil && a.Sub != "" {
		r.Sub = r.Attr.Sub(a.Sub)
	}
	return r, r.Attr != nil && (a.Sub == "" || r.Sub != nil)
}

func (rt *ResourceType) extension(urn string) *Schema {
	return find(rt.extensions, func(s *Schema) bool { return lowerASCII(s.ID) == canonicalURN(urn) })
}

// Attributes is the definitions of all top-level attributes outside extensions.
func (rt *ResourceType) Attributes() []*Attribute {
	return slices.Concat(rt.common.Attributes, rt.core.Attributes)
}

// Attribute is the definition of a top-level attribute outside extensions, by its exact name; nil if there is none.
func (rt *ResourceType) Attribute(name string) *Attribute {
	if a := rt.core.attributes[name]; a != nil {
		return a
	}
	return rt.common.attributes[name]
}

// IndexedAttribute finds an attribute of Storage.Lookups, or the sub-attribute value of a complex one.
func (rt *ResourceType) IndexedAttribute(name string) (AttributeRef, bool) {
	r := AttributeRef{Attr: rt.Attribute(name)}
	if r.Attr != nil {
		r.Sub = r.Attr.Sub("value")
	}
	return r, r.Attr != nil
}

// container is the object of a resource that holds the attribute: the resource itself or the extension's object. It
// is nil where the extension is absent.
func (r AttributeRef) container(o Object) Object {
	if r.Extension == "" {
		return o
	}
	ext, _ := o[r.Extension].(Object)
	return ext
}

// Values is the values that the name has in a resource: of each element of a multi-valued attribute; of an attribute
// without a sub-attribute its own.
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
