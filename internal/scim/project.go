package scim

import (
	"strings"

	"serverless-scim/internal/filter"
)

// Projection says which attributes an answer has (RFC 7644 §3.9). The zero value is the default: all that are
// returned by default.
type Projection struct {
	inclusive   bool            // names is what to return beside what is always returned; otherwise what to leave out
	names       map[string]bool // full names of attributes and sub-attributes, as Ref.String gives them
	parents     map[string]bool // attributes of which names holds a sub-attribute
	namesStored bool            // names holds what clients write, members apart
}

// NewProjection reads the parameters attributes and excludedAttributes, lists with commas. They exclude each other.
// Names that none of the resource types has are ignored.
func NewProjection(types []*ResourceType, attributes, excluded string) (Projection, error) {
	p := Projection{inclusive: attributes != "", names: map[string]bool{}, parents: map[string]bool{}}
	if attributes != "" && excluded != "" {
		return p, BadRequest(InvalidValue, "Send attributes or excludedAttributes, not both.")
	}
	for name := range strings.SplitSeq(attributes+excluded, ",") {
		name, _, _ = strings.Cut(strings.TrimSpace(name), "[") // some clients send emails[type eq "work"]
		a, err := filter.ParseAttr(name)
		if err != nil {
			continue
		}
		for _, rt := range types {
			if r, ok := rt.Resolve(a); ok {
				p.add(r)
			}
		}
	}
	return p, nil
}

// MinimalProjection is the projection of an answer that nobody looks at: id and schemas.
func MinimalProjection() Projection { return Projection{inclusive: true} }

// IsExplicit tells whether attributes were asked for by name.
func (p Projection) IsExplicit() bool { return p.inclusive }

func (p *Projection) add(r AttributeRef) {
	p.namesStored = p.namesStored || r.Attr == nil || r.Attr.Mutability != "readOnly" && !r.Attr.IsMembership
	p.names[r.String()] = true
	if r.Sub != nil {
		p.parents[AttributeRef{Extension: r.Extension, Attr: r.Attr}.String()] = true
	}
	if r.Attr != nil && r.Extension != "" {
		p.parents[r.Extension] = true
	}
}

// Includes tells whether a top-level attribute of the core schema can be in the answer.
func (p Projection) Includes(a *Attribute) bool { return p.wants(a, "", false) }

// IncludesSub tells whether a sub-attribute of a top-level attribute of the core schema can be in the answer. One that the
// schema does not have, nil, cannot.
func (p Projection) IncludesSub(a, sub *Attribute) bool {
	return sub != nil && p.wants(sub, a.Name+".", p.includesWhole(a.Name))
}

// HasName tells whether an attribute, or a part of it, was asked for by name.
func (p Projection) HasName(name string) bool {
	return p.inclusive && (p.names[name] || p.parents[name])
}

// includesWhole tells whether an attribute that is in the answer is there as a whole.
func (p Projection) includesWhole(full string) bool { return p.names[full] || !p.parents[full] }

// wants tells whether an attribute is returned, whose full name is its own behind a prefix; whole is true within
// something asked for as a whole.
func (p Projection) wants(a *Attribute, prefix string, whole bool) bool {
	switch {
	case a.Returned == "always":
		return true
	case a.Returned == "never":
		return false
	case len(p.names) == 0: // which is most of the time, and quick
		return !p.inclusive && a.Returned != "request"
	case p.inclusive:
		return whole || p.names[prefix+a.Name] || p.parents[prefix+a.Name]
	}
	return a.Returned != "request" && !p.names[prefix+a.Name]
}

// Project is a resource with the attributes of the projection alone. The result shares values with the resource.
func (rt *ResourceType) Project(o Object, p Projection) Object {
	out := p.project(o, rt.Attributes(), "", false)
	for _, ext := range rt.extensions {
		c, ok := o[ext.ID].(Object)
		if !ok || !p.inclusive && p.names[ext.ID] {
			continue
		}
		if c = p.project(c, ext.Attributes, ext.ID+":", p.names[ext.ID]); len(c) > 0 {
			out[ext.ID] = c
		}
	}
	return out
}

func (p Projection) project(o Object, attributes []*Attribute, prefix string, whole bool) Object {
	out := make(Object, len(o))
	for _, a := range attributes {
		v, ok := o[a.Name]
		if !ok || !p.wants(a, prefix, whole) {
			continue
		}
		full := prefix + a.Name
		if v = p.projectValue(v, a, full+".", whole || p.includesWhole(full)); v != nil {
			out[a.Name] = v
		}
	}
	return out
}

// projectValue projects the sub-attributes of a complex value, or of each element of a multi-valued one.
func (p Projection) projectValue(v any, a *Attribute, prefix string, whole bool) any {
	switch v := v.(type) {
	case Object:
		if o := p.project(v, a.SubAttributes, prefix, whole); len(o) > 0 {
			return o
		}
		return nil
	case []any:
		var list []any
		for _, e := range v {
			if e := p.projectValue(e, a, prefix, whole); e != nil {
				list = append(list, e)
			}
		}
		if list == nil {
			return nil
		}
		return list
	}
	return v
}
