package directory

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"serverless-scim/internal/scim"
)

// Resource is a resource as it was at one instant. It keeps what was read of it, and writes itself.
type Resource struct {
	Type           *scim.ResourceType
	Version        string        // as an entity tag
	Summary        ChangeSummary // that a request has just made
	MembersOmitted bool          // the members were wanted, but the group is too large to read them back after a change

	directory *Store
	state     ResourceState
	names     DisplayNames
}

func (d *Store) newResource(s ResourceState, n DisplayNames) *Resource {
	return &Resource{Type: s.rt, Version: s.head.EntityTag(s.rt), directory: d, state: s, names: n}
}

// ID is the id of the resource.
func (r *Resource) ID() string { return r.state.id }

// Location is the address of the resource.
func (r *Resource) Location() string { return r.directory.Location(r.Type, r.state.id) }

// EstimatedSize is about how many bytes Append appends, and no less for most.
func (r *Resource) EstimatedSize(p scim.Projection) int { return r.state.size(len(r.state.members), p) }

// size is about how many bytes an answer has for a state of so many members.
func (s ResourceState) size(members int, p scim.Projection) int {
	const resource, short, long = 512, 48, 170 // bytes of what is not in the document, and of one member or group
	size := resource + len(s.head.Document)
	if a := s.rt.Attribute("groups"); a != nil && p.Includes(a) {
		size += long * len(s.head.Groups)
	}
	switch {
	case !readsForResponse(s.rt, p).members:
	case members > maxDisplayNames:
		size += short * members
	default:
		size += long * members
	}
	return size
}

// AppendJSON appends the resource as JSON, with the attributes of the projection. The names are in no particular order,
// but always in the same.
func (r *Resource) AppendJSON(b []byte, p scim.Projection) ([]byte, error) {
	b = slices.Grow(b, r.EstimatedSize(p))
	b = r.Type.AppendSchemas(append(b, `{"schemas":`...), r.state.head.Document)
	b = appendString(b, `,"id":`, r.state.id)
	b, err := r.appendDocument(b, p)
	if err == nil && isGroup(r.Type) {
		b, err = r.appendReferences(b, "members", r.state.members, p)
	}
	if err == nil {
		b, err = r.appendReferences(b, "groups", r.state.head.Groups, p)
	}
	return append(r.appendMeta(b, p), '}'), err
}

// appendString appends what stands before a string, and the string as JSON. As encoding/json does it, what is no UTF-8
// becomes U+FFFD.
func appendString(b []byte, before, s string) []byte {
	b, _ = jsontext.AppendQuote(append(b, before...), s)
	return b
}

// appendDocument appends what is stored of the document. It is checked rather than decoded if all of it is shown.
func (r *Resource) appendDocument(b []byte, p scim.Projection) ([]byte, error) {
	begin, doc := len(b), r.state.head.Document
	if r.Type.ReturnsAll(doc, p) {
		b = append(b, doc...)
	} else {
		o, err := DecodeDocument(doc)
		if err != nil {
			return b, err
		}
		text, err := scim.EncodeJSON(r.Type.Project(o, p))
		if err != nil {
			return b, err
		}
		b = append(b, text...)
	}
	object := jsontext.Value(b[begin:])
	if n := len(object); n < 2 || object[0] != '{' || object[n-1] != '}' || !object.IsValid() {
		return b, fmt.Errorf("directory: damaged document of %s %s", r.Type.Name, r.state.id)
	}
	if len(object) == len("{}") {
		return b[:begin], nil
	}
	object[0] = ','
	return b[:len(b)-1], nil
}

func (r *Resource) appendMeta(b []byte, p scim.Projection) []byte {
	a, h, d := r.Type.Attribute("meta"), r.state.head, r.directory
	if a == nil || !p.Includes(a) {
		return b
	}
	begin := len(b)
	b = append(b, `,"meta":{`...)
	none := len(b)
	for _, sub := range a.SubAttributes {
		if !p.IncludesSub(a, sub) {
			continue
		}
		switch sub.Name {
		case "created":
			b = append(appendString(b, `"created":`, h.Created), ',')
		case "lastModified":
			b = append(appendString(b, `"lastModified":`, h.LastModified), ',')
		case "location":
			b = append(b, `"location":"`...)
			b = append(d.appendLocation(b, r.Type, r.state.id), `",`...)
		case "resourceType":
			b = append(appendString(b, `"resourceType":`, r.Type.Name), ',')
		case "version":
			b = append(appendString(b, `"version":`, r.Version), ',')
		}
	}
	if len(b) == none {
		return b[:begin]
	}
	b[len(b)-1] = '}'
	return b
}

// appendLocation appends the address of a resource, within a string of JSON. Endpoints and ids have nothing to escape.
func (d *Store) appendLocation(b []byte, rt *scim.ResourceType, id string) []byte {
	b = append(append(b, d.baseURLJSON...), rt.Endpoint...)
	return append(append(b, '/'), id...)
}

// referenceFields is what an answer shows of each member, or of each group that a resource is in.
type referenceFields struct {
	value, ref, typ, display bool
	direct                   bool // kind tells that the membership is a direct one (RFC 7643 §4.1.2)
	omitUserType             bool // kind tells nothing of users, as most members are
}

// referenceFieldsFor is of a large group the value alone, unless more is asked for by name.
func (r *Resource) referenceFieldsFor(a *scim.Attribute, p scim.Projection) referenceFields {
	f := referenceFields{value: p.IncludesSub(a, a.Sub("value")), ref: p.IncludesSub(a, a.Sub("$ref")), typ: p.IncludesSub(a, a.Sub("type")),
		display: p.IncludesSub(a, a.Sub("display")), direct: a.Name == "groups"}
	if !f.direct && r.state.isLargeGroup() {
		f.ref, f.omitUserType = p.HasName(a.Name+".$ref"), !p.HasName(a.Name+".type")
	}
	return f
}

// appendReferences appends members or groups, but those that are gone by now.
func (r *Resource) appendReferences(b []byte, name string, ids []string, p scim.Projection) ([]byte, error) {
	a := r.Type.Attribute(name)
	if a == nil || len(ids) == 0 || !p.Includes(a) {
		return b, nil
	}
	f, begin := r.referenceFieldsFor(a, p), len(b)
	b = append(append(append(b, `,"`...), name...), `":[`...)
	none := len(b)
	for _, id := range ids {
		rt := r.directory.Types.ByID(id)
		if rt == nil {
			return b, fmt.Errorf("directory: damaged %s of %s %s", name, r.Type.Name, r.state.id)
		}
		if !r.names.missing[id] {
			b = r.appendReference(b, f, rt, id)
		}
	}
	if len(b) == none {
		return b[:begin], nil
	}
	b[len(b)-1] = ']'
	return b, nil
}

// appendReference appends one, if anything of it is shown, and a comma.
func (r *Resource) appendReference(b []byte, f referenceFields, rt *scim.ResourceType, id string) []byte {
	begin := len(b)
	b = append(b, '{')
	if f.value {
		b = append(append(append(b, `"value":"`...), id...), `",`...)
	}
	if f.ref {
		b = append(r.directory.appendLocation(append(b, `"$ref":"`...), rt, id), `",`...)
	}
	if f.typ && f.direct {
		b = append(b, `"type":"direct",`...)
	} else if f.typ && (!f.omitUserType || rt.Name != "User") {
		b = append(append(append(b, `"type":"`...), rt.Name...), `",`...)
	}
	if display := r.names.byID[id]; f.display && display != "" && len(display) <= maxDisplayNameBytes {
		b = append(appendString(b, `"display":`, display), ',')
	}
	if len(b) == begin+1 {
		return b[:begin]
	}
	b[len(b)-1] = '}'
	return append(b, ',')
}
