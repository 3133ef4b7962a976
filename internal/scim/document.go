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
	b = append(append(b, '['), rt.core.quotedID...)
	for _, ext := range rt.extensions {
		if strings.Contains(doc, ext.extensionPrefix) {
			b = append(append(b, ','), ext.quotedID...)
		}
	}
	return append(b, ']')
}

// ReturnsAll tells whether a projection shows all that a document has.
func (rt *ResourceType) ReturnsAll(doc string, p Projection) bool {
	if p.inclusive || p.namesStored {
		return false
	}
	for _, name := range rt.hidden {
		if strings.Contains(doc, name) {
			return false
		}
	}
	return true
}

// notReturnedByDefault is the names, as they stand in a document, of attributes that are not returned by default. That one is not
// kept today does not mean that it never was.
func notReturnedByDefault(attributes []*Attribute) (list []string) {
	for _, a := range attributes {
		if a.Returned == "never" || a.Returned == "request" {
			list = append(list, quoteJSON(a.Name)+":")
		}
		list = append(list, notReturnedByDefault(a.SubAttributes)...)
	}
	return list
}

// quoteJSON is a string as it stands in a document.
func quoteJSON(s string) string {
	text, _ := EncodeJSON(s) // strings have no error
	return string(text)
}

// EncodeJSON is a value as JSON, as it stands in a document.
func EncodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
