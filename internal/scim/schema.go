// Package scim implements RFC 7643: schemas, resource types, and the canonical form of resources. It decodes and validates
// request bodies, matches filters, projects attributes, and compares values. Its functions are pure: they read no table,
// and do not depend on HTTP. Schemas are JSON files, so a program can have several sets of resource types.
//
// Begin with [StandardTypes] or [Open], which return the resource types. Then see the methods of [ResourceType]: Decode
// reads a body into an [Object], Matcher compiles a filter, and Project selects attributes.
//
// To add an attribute, or to index one, follow internal/README.md. [Storage] says what can be indexed. Package store then
// writes and backfills index items, and package query reads them.
package scim

import (
	"cmp"
	"slices"

	"serverless-scim/internal/leniency"
)

// An Attribute defines one attribute (RFC 7643 §7). Characteristics that its file omits have the defaults of RFC 7643 §2.2.
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

	// IsMembership is true if the elements are memberships. A client sends only the value of such an element, and the
	// server adds the other sub-attributes.
	IsMembership bool `json:"-"`

	subIndex      attributeIndex // of SubAttributes
	falseIfAbsent bool           // it is the primary of a multi-valued attribute
}

// Sub returns the sub-attribute with a name, in any case. It returns nil if there is none.
func (a *Attribute) Sub(name string) *Attribute { return a.subIndex.find(name) }

// IsDefined reports whether the profile of l has a. The profile interop has no writeOnly attributes. nil is never defined.
func (a *Attribute) IsDefined(l *leniency.Set) bool {
	return a != nil && (a.Mutability != "writeOnly" || !l.IsInterop())
}

// A Schema is a set of attributes under a URN (RFC 7643 §7).
type Schema struct {
	ID          string       `json:"id"`
	Name        string       `json:"name"`
	Description string       `json:"description"`
	Attributes  []*Attribute `json:"attributes"`

	attributes      attributeIndex
	quotedID        string // ID as a JSON string
	extensionPrefix string // the text before the first attribute of this extension in a document
}

// Attribute returns the attribute with a name, in any case. It returns nil if there is none.
func (s *Schema) Attribute(name string) *Attribute { return s.attributes.find(name) }

// ForProfile returns the schema as the profile of l defines it. In the profile interop, it has no writeOnly attributes, and
// the type of each multi-valued attribute has canonical values.
func (s *Schema) ForProfile(l *leniency.Set) *Schema {
	if !l.IsInterop() {
		return s
	}
	return &Schema{ID: s.ID, Name: s.Name, Description: s.Description, Attributes: interopAttributes(s.Attributes, false)}
}

// interopAttributes returns copies of the attributes of a schema, or of the sub-attributes of an attribute.
func interopAttributes(attributes []*Attribute, ofElement bool) (list []*Attribute) {
	for _, a := range attributes {
		c := *a
		c.SubAttributes = interopAttributes(a.SubAttributes, a.MultiValued)
		if ofElement && a.Name == "type" && a.CanonicalValues == nil {
			c.CanonicalValues = []string{"work", "home", "other"} // RFC 7643 §2.4 suggests them
		}
		if a.Mutability != "writeOnly" {
			list = append(list, &c)
		}
	}
	return list
}

// An attributeIndex finds attributes by name. Attribute names are ASCII and case-insensitive (RFC 7643 §2.1).
type attributeIndex map[string]*Attribute

func (n attributeIndex) find(name string) *Attribute {
	if a, ok := n[name]; ok {
		return a
	}
	return n[lowerASCII(name)]
}

// newAttributeIndex indexes attributes and their sub-attributes. It also sets the defaults of characteristics that the
// attributes omit.
func newAttributeIndex(attributes []*Attribute) attributeIndex {
	n := make(attributeIndex, 2*len(attributes))
	for _, a := range attributes {
		n[a.Name], n[lowerASCII(a.Name)] = a, a
		a.Type, a.Mutability = cmp.Or(a.Type, "string"), cmp.Or(a.Mutability, "readWrite")
		a.Returned, a.Uniqueness = cmp.Or(a.Returned, "default"), cmp.Or(a.Uniqueness, "none")
		a.subIndex = newAttributeIndex(a.SubAttributes)
		if primary := a.Sub("primary"); primary != nil && a.MultiValued && primary.Type == "boolean" {
			primary.falseIfAbsent = true
		}
	}
	return n
}

// lowerASCII converts only ASCII letters to lower case. Unicode has other letters that fold to ASCII letters, such as ſ
// to s. With them, a request could use a second spelling of an attribute name that other checks do not recognize.
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

// equalFoldASCII reports whether lowerASCII returns the same for two strings.
func equalFoldASCII(s, t string) bool {
	if len(s) != len(t) {
		return false
	}
	for i := range len(s) {
		if c, d := s[i], t[i]; c != d && (c|0x20 != d|0x20 || c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

// A ResourceType defines a type of resource (RFC 7643 §6) and has its schemas. It must not be changed after Load.
type ResourceType struct {
	ID               string      `json:"id"`
	Name             string      `json:"name"`
	Description      string      `json:"description"`
	Endpoint         string      `json:"endpoint"`
	Schema           string      `json:"schema"`
	SchemaExtensions []Extension `json:"schemaExtensions"`
	Storage          Storage     `json:"-"`

	core, common *Schema
	extensions   []*Schema // in the order of SchemaExtensions
	hidden       []string  // see notReturnedByDefault
}

// An Extension names a schema that extends a resource type.
type Extension struct {
	Schema   string `json:"schema"`
	Required bool   `json:"required"`
}

// Storage says how a table stores the resources of a type. Only strings and references outside extensions can be indexed.
type Storage struct {
	IDPrefix          string   `json:"letter"`  // the first letter of its IDs
	NameAttribute     string   `json:"name"`    // the attribute that is unique in a tenant, such as userName
	IndexedAttributes []string `json:"lookups"` // other attributes that have index items
	MembersAttribute  string   `json:"edges"`   // the attribute whose elements are memberships; "" if there is none
}

// Types holds the resource types of a service provider and their schemas.
type Types struct {
	ResourceTypes []*ResourceType
	Schemas       []*Schema
}

// Subset returns the resource types with the given names, and their schemas. It ignores unknown names.
func (t *Types) Subset(names []string) *Types {
	subset := &Types{}
	for _, rt := range t.ResourceTypes {
		if slices.Contains(names, rt.Name) {
			subset.ResourceTypes = append(subset.ResourceTypes, rt)
		}
	}
	for _, s := range t.Schemas {
		if slices.ContainsFunc(subset.ResourceTypes, func(rt *ResourceType) bool { return rt.usesSchema(s.ID) }) {
			subset.Schemas = append(subset.Schemas, s)
		}
	}
	return subset
}

// usesSchema reports whether urn is the schema or an extension of the resource type.
func (rt *ResourceType) usesSchema(urn string) bool {
	return rt.Schema == urn || slices.ContainsFunc(rt.SchemaExtensions, func(e Extension) bool { return e.Schema == urn })
}

// Schema returns the schema with a URN, in any case. It returns nil if there is none.
func (t *Types) Schema(urn string) *Schema {
	return find(t.Schemas, func(s *Schema) bool { return equalFoldASCII(s.ID, urn) })
}

// ByName returns the resource type with a name. It returns nil if there is none.
func (t *Types) ByName(name string) *ResourceType {
	return find(t.ResourceTypes, func(rt *ResourceType) bool { return rt.Name == name })
}

// ByEndpoint returns the resource type whose endpoint is a path segment such as Users, in any case. It returns nil if
// there is none.
func (t *Types) ByEndpoint(segment string) *ResourceType {
	return find(t.ResourceTypes, func(rt *ResourceType) bool { return equalFoldASCII(rt.Endpoint[1:], segment) })
}

// find returns the first element for which match is true. It returns nil if there is none.
func find[T any](list []*T, match func(*T) bool) *T {
	if i := slices.IndexFunc(list, match); i >= 0 {
		return list[i]
	}
	return nil
}
