package scim

import (
	"bytes"
	"encoding/json"
	"strings"
)

// A document is a resource as canonical JSON, or the part of it that is stored: what encoding/json makes of an Object,
// with its names in order and no white space. What is asked of one here is found in its text. That is sound because
// within a JSON string every quote is escaped: "NAME":, with its quotes, is a name and never a part of a value.

// AppendSchemas appends the array of the URNs of the schemas of which a document has attributes (RFC 7643 §3).
func (rt *ResourceType) AppendSchemas(b []byte, doc string) []byte {
	b = append(append(b, '['), rt.core.quoted...)
	for _, ext := range rt.extensions {
		if strings.Contains(doc, ext.member) {
			b = append(append(b, ','), ext.quoted...)
		}
	}
	return append(b, ']')
}

// ShowsWhole tells whether a projection shows all that a document has.
func (rt *ResourceType) ShowsWhole(doc string, p Projection) bool {
	if p.only || p.stored {
		return false
	}
	for _, name := range rt.hidden {
		if strings.Contains(doc, name) {
			return false
		}
	}
	return true
}

// hidden is the names, as they stand in a document, of attributes that are not returned by default. That one is not
// kept today does not mean that it never was.
func hidden(attributes []*Attribute) (list []string) {
	for _, a := range attributes {
		if a.Returned == "never" || a.Returned == "request" {
			list = append(list, quote(a.Name)+":")
		}
		list = append(list, hidden(a.SubAttributes)...)
	}
	return list
}

// quote is a string as it stands in a document.
func quote(s string) string {
	text, _ := Text(s) // strings have no error
	return string(text)
}

// Text is a value as JSON, as it stands in a document.
func Text(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
