// Package scim is RFC 7643: schemas and resource types, the canonical form of a resource, and what one can ask of it:
// decode and validate a body, match a filter, project attributes, compare values. It is pure: it reads no table and
// answers no request. Schemas are data, and values: nothing here is global.
package scim

import (
	"cmp"
	"slices"
)

// Attribute is the definition of one attribute (RFC 7643 §7). What its data leaves out is as RFC 7643 §2.2 says.
type Attribute struct {
	Name            string       `json:"name"`
	Type            string       `json:"type"` // string, boolean, decimal, integer, dateTime, binary, reference, complex
	SubAttributes   []*Attribute `json:"subAttributes,omitempty"`
	MultiValued     bool         `json:"multiValued"`
	Description     string       `json:"description"`
	Required        bool         `json:"required"`
	CanonicalValues []string     `json:"canonicalValues,omitempty"` // suggestions, never enforced
	CaseExact       bool         `json:"caseExact"`
	Mutability      string       `json:"mutability"` // readOnly, readWrite, immutable, writeOnly
	Returned        string       `json:"returned"`   // always, never, default, request
	Uniqueness      string       `json:"uniqueness"` // none, server, global
	ReferenceTypes  []string     `json:"referenceTypes,omitempty"`

	IsMembership bool           `json:"-"` // its elements are memberships: known by their value alone, the server adds the rest
	subIndex     attributeIndex // of SubAttributes
}

// Sub is the sub-attribute of a name in any case, nil if there is none.
func (a *Attribute) Sub(name string) *Attribute { return a.subIndex.find(name) }

// Schema is a set of attributes under a URN (RFC 7643 §7).
type Schema struct {
	ID          string       `json:"id"`
	Name        string       `json:"name"`
	Description string       `json:"description"`
	Attributes  []*Attribute `json:"attributes"`

	attributes      attributeIndex
	quotedID        string // ID, as it stands in a document
	extensionPrefix string // the beginning of the object of an extension there
}

// Attribute is the attribute of a name in any case, nil if there is none.
func (s *Schema) Attribute(name string) *Attribute { return s.attributes.find(name) }

// attributeIndex finds attributes by name. Attribute names are ASCII and compared without case (RFC 7643 §2.1).
type attributeIndex map[string]*Attribute

func (n attributeIndex) find(name string) *Attribute {
	if a, ok := n[name]; ok {
		return a
	}
	return n[lowerASCII(name)]
}

func newAttributeIndex(attributes []*Attribute) attributeIndex {
	n := make(attributeIndex, 2*len(attributes))
	for _, a := range attributes {
		n[a.Name], n[lowerASCII(a.Name)] = a, a
		a.Type, a.Mutability = cmp.Or(a.Type, "string"), cmp.Or(a.Mutability, "readWrite")
		a.Returned, a.Uniqueness = cmp.Or(a.Returned, "default"), cmp.Or(a.Uniqueness, "none")
		a.subIndex = newAttributeIndex(a.SubAttributes)
	}
	return n
}

// lowerASCII folds ASCII letters alone: Unicode has letters that fold to ASCII ones, such as ſ to s, and an attribute must
// not be reachable by two spellings of which only one is checked.
func lowerASCII(s string) string {
	for i := range len(s) {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			b := []byte(s)
			for j := i; j < len(b); j++ {
				if 'A' <= b[j] && b[j] <= 'Z' {
					b[j] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// ResourceType is a kind of resource (RFC 7643 §6) with its schemas.
type ResourceType struct {
	ID               string      `json:"id"`
	Name             string      `json:"name"`
	Description      string      `json:"description"`
	Endpoint         string      `json:"endpoint"`
	Schema           string      `json:"schema"`
	SchemaExtensions []Extension `json:"schemaExtensions"`
	Storage          Storage     `json:"-"`

	core, common *Schema
	extensions   []*Schema
	hidden       []string
}

// Extension names a schema that resources of a type may have beside their own.
type Extension struct {
	Schema   string `json:"schema"`
	Required bool   `json:"required"`
}

// Storage is what a table must know of a resource type.
type Storage struct {
	IDPrefix          string   `json:"letter"`  // the first letter of its ids
	NameAttribute     string   `json:"name"`    // the attribute that names a resource, unique in a tenant
	IndexedAttributes []string `json:"lookups"` // further attributes by which resources are found
	MembersAttribute  string   `json:"edges"`   // the attribute whose elements are memberships; "": none
}

// Types is the resource types of a service provider and their schemas.
type Types struct {
	ResourceTypes []*ResourceType
	Schemas       []*Schema
}

// Subset is the resource types with some names, and their schemas.
func (t *Types) Subset(names []string) *Types {
	only := &Types{}
	for _, rt := range t.ResourceTypes {
		if slices.Contains(names, rt.Name) {
			only.ResourceTypes = append(only.ResourceTypes, rt)
		}
	}
	for _, s := range t.Schemas {
		if slices.ContainsFunc(only.ResourceTypes, func(rt *ResourceType) bool { return rt.usesSchema(s.ID) }) {
			only.Schemas = append(only.Schemas, s)
		}
	}
	return only
}

func (rt *ResourceType) usesSchema(urn string) bool {
	return rt.Schema == urn || slices.ContainsFunc(rt.SchemaExtensions, func(e Extension) bool { return e.Schema == urn })
}

// Schema is the schema with a URN, in any case; nil if there is none.
func (t *Types) Schema(urn string) *Schema {
	return find(t.Schemas, func(s *Schema) bool { return lowerASCII(s.ID) == lowerASCII(urn) })
}

// ByName is the resource type with a name, nil if there is none.
func (t *Types) ByName(name string) *ResourceType {
	return find(t.ResourceTypes, func(rt *ResourceType) bool { return rt.Name == name })
}

// ByEndpoint is the resource type behind a path segment such as Users, in any case; nil if there is none.
func (t *Types) ByEndpoint(segment string) *ResourceType {
	return find(t.ResourceTypes, func(rt *ResourceType) bool { return lowerASCII(rt.Endpoint) == "/"+lowerASCII(segment) })
}

// ByID is the resource type that the form of an id tells, nil if it is no id of ours.
func (t *Types) ByID(id string) *ResourceType {
	return find(t.ResourceTypes, func(rt *ResourceType) bool { return rt.IsID(id) })
}

func find[T any](all []*T, is func(*T) bool) *T {
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i]
	}
	return nil
}
