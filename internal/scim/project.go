package scim

import (
	"strings"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/leniency"
)

// A Projection selects the attributes of a response (RFC 7644 §3.9). The zero value selects the attributes that are
// returned by default.
type Projection struct {
	inclusive   bool            // names lists attributes to return instead of attributes to exclude
	names       map[string]bool // full names of attributes and sub-attributes, from AttributeRef.String
	parents     map[string]bool // full names of attributes and URNs of extensions that have a part in names
	namesStored bool            // names has an attribute that is stored in documents
}

// NewProjection returns the projection of the parameters attributes and excludedAttributes. Each is a comma-separated
// list, and at most one may be non-empty. NewProjection ignores names that no type in types has, and records that in l,
// which may be nil.
func NewProjection(types []*ResourceType, attributes, excluded string, l *leniency.Set) (Projection, error) {
	p := Projection{inclusive: attributes != ""}
	if attributes != "" && excluded != "" {
		return p, BadRequest(InvalidValue, "Send attributes or excludedAttributes, not both.")
	}
	if attributes+excluded == "" {
		return p, nil
	}
	p.names, p.parents = map[string]bool{}, map[string]bool{}
	for name := range strings.SplitSeq(attributes+excluded, ",") {
		name, _, hasFilter := strings.Cut(strings.TrimSpace(name), "[") // some clients send emails[type eq "work"]
		if hasFilter {
			l.Add(leniency.RequestedAttributeFilter)
		}
		if !p.addName(types, name, l) {
			l.Add(leniency.RequestedAttributeUnknown)
		}
	}
	return p, nil
}

// addName adds the attributes that have a name in one of types. It reports whether there are any.
func (p *Projection) addName(types []*ResourceType, name string, l *leniency.Set) (known bool) {
	a, err := filter.ParseAttr(name, l)
	if err != nil || RecordDraftURN(l, a.URN) != nil {
		return false
	}
	for _, rt := range types {
		if r, ok := rt.Resolve(a); ok {
			known = true
			p.add(r)
		}
	}
	return known
}

// MinimalProjection returns the projection that selects only the attributes that are always returned, such as id.
func MinimalProjection() Projection { return Projection{inclusive: true} }

// IsExplicit reports whether p lists the attributes to return.
func (p Projection) IsExplicit() bool { return p.inclusive }

// add adds an attribute to names. Attributes that only the server writes are not in documents, and neither are memberships.
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

// Includes reports whether p returns a top-level attribute outside extensions.
func (p Projection) Includes(a *Attribute) bool { return p.returns(a, "", false) }

// IncludesSub reports whether p returns a sub-attribute of a top-level attribute outside extensions. It returns false
// if sub is nil.
func (p Projection) IncludesSub(a, sub *Attribute) bool {
	return sub != nil && p.returns(sub, a.Name+".", p.includesWhole(a.Name))
}

// HasName reports whether p explicitly returns the attribute with a full name, or a sub-attribute of it.
func (p Projection) HasName(name string) bool {
	return p.inclusive && (p.names[name] || p.parents[name])
}

// includesWhole reports whether p returns all sub-attributes of an attribute that it returns.
func (p Projection) includesWhole(full string) bool { return p.names[full] || !p.parents[full] }

// returns reports whether p returns an attribute. The full name of the attribute is prefix and its name. whole is true
// if p returns all of the enclosing attribute or extension.
func (p Projection) returns(a *Attribute, prefix string, whole bool) bool {
	switch {
	case a.Returned == "always":
		return true
	case a.Returned == "never":
		return false
	case len(p.names) == 0: // the usual case, without building the full name
		return !p.inclusive && a.Returned != "request"
	case p.inclusive:
		return whole || p.names[prefix+a.Name] || p.parents[prefix+a.Name]
	}
	return a.Returned != "request" && !p.names[prefix+a.Name]
}

// Project returns a copy of a resource that has only the attributes that p returns. The copy shares values with o.
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

// project is Project for an object with the given attributes, whose full names begin with prefix.
func (p Projection) project(o Object, attributes []*Attribute, prefix string, whole bool) Object {
	out := make(Object, len(o))
	for _, a := range attributes {
		v, ok := o[a.Name]
		if !ok || !p.returns(a, prefix, whole) {
			continue
		}
		full := prefix + a.Name
		if v = p.projectValue(v, a, full+".", whole || p.includesWhole(full)); v != nil {
			out[a.Name] = v
		}
	}
	return out
}

// projectValue projects the sub-attributes of a complex value, or of each element of a multi-valued attribute. It
// returns nil if nothing remains.
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
