// Package bulkid replaces the references of bulk requests in JSON. A reference is text such as bulkId:qwerty in place of
// the ID of a resource that another operation of the request creates (RFC 7644 §3.7.2). Begin with [Substituter]. The
// package does not order or execute operations: package server does.
package bulkid

import (
	"net/http"
	"slices"
	"strings"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
)

// Prefix precedes a bulkId that refers to the resource of a POST operation (RFC 7644 §3.7.2).
const Prefix = "bulkId:"

// A Substituter replaces the references in the data of operations on one resource type with the results of To. It
// modifies arrays and objects in place. Only IDs and addresses of resources can be references. Any other string may
// begin with bulkId: as well.
type Substituter struct {
	ResourceType *scim.ResourceType // nil if the operation has none; then the data contains no references
	To           func(bulkID string) string
}

// InText replaces a reference, which is the whole text or the last segment of a text such as ../Users/bulkId:qwerty.
func (s Substituter) InText(text string) string {
	before, bulkID, ok := strings.Cut(text, Prefix)
	if ok && (before == "" || strings.HasSuffix(before, "/")) {
		return before + s.To(bulkID)
	}
	return text
}

// InData replaces the references in the data of an operation.
func (s Substituter) InData(method string, data any) {
	if s.ResourceType == nil {
		return
	}
	if method != http.MethodPatch {
		s.InAttributes("", data)
		return
	}
	o, _ := data.(scim.Object)
	list, _ := o.Get("Operations").([]any)
	for _, e := range list {
		if operation, ok := e.(scim.Object); ok {
			s.inOperation(operation)
		}
	}
}

// inOperation replaces the references in the path and the value of one operation of a PATCH. It does not change an
// operation with an invalid or unknown path, which the PATCH then rejects.
func (s Substituter) inOperation(operation scim.Object) {
	var target scim.AttributeRef
	text, _ := operation.Get("path").(string)
	if text != "" {
		p, err := filter.ParsePath(text, nil)
		if err != nil {
			return
		}
		known := false
		if target, known = s.ResourceType.Resolve(p.Attr); !known {
			return
		}
		if p.Filter != nil && target.Attr != nil && strings.Contains(text, Prefix) {
			filter.Visit(p.Filter, filterSubstituter{s, target.Attr})
			text = p.String()
		}
	}
	for name, v := range operation {
		switch strings.ToLower(name) {
		case "path":
			if text != "" {
				operation[name] = text
			}
		case "value":
			operation[name] = s.inValue(target, v)
		}
	}
}

// inValue replaces the references in a value of an attribute, of an extension or, for the zero ref, of a resource.
func (s Substituter) inValue(ref scim.AttributeRef, v any) any {
	if ref.Attr == nil {
		s.InAttributes(ref.Extension, v)
		return v
	}
	switch v := v.(type) {
	case string:
		if isReference(ref) {
			return s.InText(v)
		}
	case []any:
		for i := range v {
			v[i] = s.inValue(ref, v[i])
		}
	case scim.Object:
		for name := range v {
			if sub := ref.Attr.Sub(name); sub != nil && ref.Sub == nil {
				v[name] = s.inValue(scim.AttributeRef{Extension: ref.Extension, Attr: ref.Attr, Sub: sub}, v[name])
			} else if strings.EqualFold(name, ref.Attr.Name) { // Ruby clients send {"members": […]} for the path members
				v[name] = s.inValue(ref, v[name])
			}
		}
	}
	return v
}

// InAttributes replaces the references in an object of attributes, or in each object of an array. The attributes are
// those of the extension urn or, if urn is empty, those of the resource. In a PATCH, names can be paths, as in
// manager.value.
func (s Substituter) InAttributes(urn string, v any) {
	if list, ok := v.([]any); ok {
		for _, e := range list {
			s.InAttributes(urn, e)
		}
	}
	o, _ := v.(scim.Object)
	for name := range o {
		if ref, ok := s.resolve(urn, name); ok {
			o[name] = s.inValue(ref, o[name])
		}
	}
}

// resolve returns the meaning of a name in the extension urn or, if urn is empty, in the resource.
func (s Substituter) resolve(urn, name string) (ref scim.AttributeRef, ok bool) {
	p, err := filter.ParsePath(name, nil)
	if err != nil {
		return ref, false
	}
	if urn != "" {
		p.Attr.URN = urn
	}
	ref, ok = s.ResourceType.Resolve(p.Attr)
	return ref, ok && (ref.Attr != nil || urn == "")
}

// isReference reports whether a string at ref is the address or the ID of a resource. The value of a complex attribute
// is an ID if the attribute has a $ref (RFC 7643 §2.4), and so is a string in place of the whole: Entra ID sends the
// manager as a bare ID. A readOnly attribute has no references, because the server ignores what clients send for it.
func isReference(ref scim.AttributeRef) bool {
	address := ref.Leaf()
	if ref.Attr.Mutability == "readOnly" {
		return false
	}
	if address == ref.Attr && address.Type == "complex" || ref.Sub != nil && ref.Sub.Name == "value" {
		address = ref.Attr.Sub("$ref")
	}
	isResource := func(name string) bool { return name != "external" && name != "uri" } // RFC 7643 §7
	return address != nil && address.Type == "reference" && slices.ContainsFunc(address.ReferenceTypes, isResource)
}

// A filterSubstituter is a filter.Visitor that replaces references in the values that a filter compares with the
// sub-attributes of an attribute, in place.
type filterSubstituter struct {
	Substituter
	attribute *scim.Attribute
}

func (s filterSubstituter) And(f *filter.And) any {
	filter.Visit(f.X, s)
	return filter.Visit(f.Y, s)
}

func (s filterSubstituter) Or(f *filter.Or) any {
	filter.Visit(f.X, s)
	return filter.Visit(f.Y, s)
}

func (s filterSubstituter) Not(f *filter.Not) any             { return filter.Visit(f.X, s) }
func (s filterSubstituter) Present(*filter.Present) any       { return nil }
func (s filterSubstituter) ValuePath(f *filter.ValuePath) any { return filter.Visit(f.Filter, s) }

func (s filterSubstituter) Compare(f *filter.Compare) any {
	if sub := s.attribute.Sub(f.Attr.Name); sub != nil {
		f.Value = s.inValue(scim.AttributeRef{Attr: s.attribute, Sub: sub}, f.Value)
	}
	return nil
}

// Defer moves the attributes that contain references from an object to the returned object. The object holds
// the attributes of the extension urn or, if urn is empty, those of a resource. Of a multi-valued attribute,
// Defer moves only the elements with references, and of an extension only the attributes with references.
func Defer(rt *scim.ResourceType, urn string, o scim.Object) scim.Object {
	deferred := scim.Object{}
	for name, v := range o {
		ref, _ := Substituter{ResourceType: rt}.resolve(urn, name)
		list, multiValued := v.([]any)
		extension, _ := v.(scim.Object)
		has := func(v any) bool { return hasReference(rt, urn, scim.Object{name: v}) }
		switch {
		case !has(v):
		case multiValued:
			deferred[name] = slices.DeleteFunc(slices.Clone(list), func(e any) bool { return !has(e) })
			o[name] = slices.DeleteFunc(list, has)
		case extension != nil && ref.Attr == nil:
			deferred[name] = Defer(rt, ref.Extension, extension)
		default:
			deferred[name] = v
			delete(o, name)
		}
	}
	return deferred
}

// hasReference reports whether an object of attributes contains a reference.
func hasReference(rt *scim.ResourceType, urn string, o scim.Object) (found bool) {
	s := Substituter{rt, func(bulkID string) string {
		found = true
		return Prefix + bulkID
	}}
	s.InAttributes(urn, o)
	return found
}
