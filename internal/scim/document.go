package scim

import (
	"bytes"
	"encoding/json"
	"strings"
)

// A document is the stored part of a resource as canonical JSON: the output of EncodeJSON, with sorted names and without
// white space. The functions of this file search the text of a document instead of decoding it. The search is exact: JSON
// escapes every quote inside a string, so "NAME": with its quotes is always a name and never a part of a value.

// AppendSchemas appends the JSON value of the attribute schemas (RFC 7643 §3) to b: the core schema and the extensions
// that the document has.
func (rt *ResourceType) AppendSchemas(b []byte, doc string) []byte {
	b = append(append(b, '['), rt.core.quotedID...)
	for _, ext := range rt.extensions {
		if strings.Contains(doc, ext.extensionPrefix) {
			b = append(append(b, ','), ext.quotedID...)
		}
	}
	return append(b, ']')
}

// ReturnsAll reports whether a projection returns every attribute of a document.
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

// notReturnedByDefault returns the quoted names of the attributes that are not returned by default, each with its
// colon. It includes attributes that are not stored, because an earlier version may have stored them.
func notReturnedByDefault(attributes []*Attribute) (list []string) {
	for _, a := range attributes {
		if a.Returned == "never" || a.Returned == "request" {
			list = append(list, quoteJSON(a.Name)+":")
		}
		list = append(list, notReturnedByDefault(a.SubAttributes)...)
	}
	return list
}

// quoteJSON returns s as a JSON string.
func quoteJSON(s string) string {
	text, _ := EncodeJSON(s) // encoding a string cannot fail
	return string(text)
}

// EncodeJSON returns the canonical JSON of a value.
func EncodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
