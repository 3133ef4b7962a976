package directory

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
)

// EstimatedSize returns about how many bytes AppendJSON appends.
func (r *Resource) EstimatedSize(p scim.Projection) int {
	return estimatedSize(r.state, len(r.state.Members), p)
}

// AppendJSON appends the resource as JSON, with the attributes that the projection selects. The order of the names is
// always the same, and has no meaning. AppendJSON appends to a slice, because an encoder takes three times as long.
func (r *Resource) AppendJSON(b []byte, p scim.Projection) ([]byte, error) {
	b = slices.Grow(b, r.EstimatedSize(p))
	b = r.Type.AppendSchemas(append(b, `{"schemas":`...), r.state.Head.Document)
	b = appendString(append(b, ','), "id", r.state.ID)
	b, err := r.appendDocument(b, p)
	for _, list := range r.references() {
		if err == nil {
			b, err = r.appendReferences(b, list.attribute, list.ids, p)
		}
	}
	return append(r.appendMeta(b, p), '}'), err
}

// appendString appends a JSON member with a string value. Like encoding/json, it replaces invalid UTF-8 by U+FFFD. The
// name needs no escaping.
func appendString[T []byte | string](b []byte, name string, value T) []byte {
	b = append(append(append(b, '"'), name...), `":`...)
	b, _ = jsontext.AppendQuote(b, value)
	return b
}

// appendDocument appends the selected attributes of the document. If all are selected, it copies the text and only checks
// that it is valid.
func (r *Resource) appendDocument(b []byte, p scim.Projection) ([]byte, error) {
	begin, doc := len(b), r.state.Head.Document
	if r.Type.ReturnsAll(doc, p) {
		b = append(b, doc...)
	} else {
		o, err := store.DecodeDocument(doc)
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
		return b, fmt.Errorf("directory: corrupt document of %s %s", r.Type.Name, r.state.ID)
	}
	if len(object) == len("{}") {
		return b[:begin], nil
	}
	object[0] = ',' // the document continues the object that b holds
	return b[:len(b)-1], nil
}

// valueBytes is the size of a buffer that holds most values without an allocation.
const valueBytes = 256

func (r *Resource) appendMeta(b []byte, p scim.Projection) []byte {
	a := r.Type.Attribute("meta")
	if a == nil || !p.Includes(a) {
		return b
	}
	begin := len(b)
	b = append(b, `,"meta":{`...)
	empty := len(b)
	var value [valueBytes]byte
	for _, sub := range a.SubAttributes {
		if !p.IncludesSub(a, sub) {
			continue
		}
		text := r.state.AppendMeta(value[:0], sub.Name, r.dir.baseURL)
		if sub.Name == "version" {
			text = r.appendEntityTag(value[:0], p)
		}
		b = append(appendString(b, sub.Name, text), ',')
	}
	if len(b) == empty {
		return b[:begin]
	}
	b[len(b)-1] = '}'
	return b
}

// selectedSubAttributes returns the sub-attributes of members or groups that a response shows. Of a large group it shows
// no $ref unless the client names it, and omits the type of users unless the client names it.
func (r *Resource) selectedSubAttributes(a *scim.Attribute, p scim.Projection) (selected []string, omitUserType bool) {
	isLarge := a.IsMembership && isLargeGroup(r.state)
	for _, sub := range a.SubAttributes {
		if p.IncludesSub(a, sub) && !(isLarge && sub.Name == "$ref" && !p.HasName(a.Name+".$ref")) {
			selected = append(selected, sub.Name)
		}
	}
	return selected, isLarge && !p.HasName(a.Name+".type")
}

// appendReferences appends members or groups, without the resources that no longer exist.
func (r *Resource) appendReferences(b []byte, a *scim.Attribute, ids []string, p scim.Projection) ([]byte, error) {
	if a == nil || len(ids) == 0 || !p.Includes(a) {
		return b, nil
	}
	begin := len(b)
	b = append(append(append(b, `,"`...), a.Name...), `":[`...)
	empty := len(b)
	selected, omitUserType := r.selectedSubAttributes(a, p)
	for _, id := range ids {
		if r.names.Missing[id] {
			continue
		}
		ref := scim.Reference{Type: r.dir.store.Types.ByID(id), ID: id, Display: r.displayName(id), Direct: !a.IsMembership}
		if ref.Type == nil {
			return b, fmt.Errorf("directory: corrupt %s of %s %s", a.Name, r.Type.Name, r.state.ID)
		}
		b = r.appendReference(b, selected, omitUserType && ref.Type.Name == "User", ref)
	}
	if len(b) == empty {
		return b[:begin], nil
	}
	b[len(b)-1] = ']'
	return b, nil
}

// appendReference appends the selected sub-attributes that have a value, and a comma. It appends nothing if there are none.
func (r *Resource) appendReference(b []byte, selected []string, omitType bool, ref scim.Reference) []byte {
	begin := len(b)
	b = append(b, '{')
	var buffer [valueBytes]byte
	for _, name := range selected {
		value := ref.AppendValue(buffer[:0], name, r.dir.baseURL)
		if len(value) == 0 || name == "type" && omitType {
			continue
		}
		b = append(appendString(b, name, value), ',')
	}
	if len(b) == begin+1 {
		return b[:begin]
	}
	b[len(b)-1] = '}'
	return append(b, ',')
}
