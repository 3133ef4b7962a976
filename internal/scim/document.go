package scim

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
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

// EncodeJSON returns the canonical JSON of a value, as encoding/json encodes it without escaping HTML.
func EncodeJSON(v any) ([]byte, error) { return appendJSON(nil, v) }

// appendJSON appends the canonical JSON of a value. It leaves to encoding/json, which is slow for maps, all but the values
// of which resources mostly consist.
func appendJSON(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return appendString(b, v)
	case bool:
		return strconv.AppendBool(b, v), nil
	case Object:
		if v != nil {
			return appendObject(b, v)
		}
	case []any:
		if v != nil {
			return appendArray(b, v)
		}
	}
	return appendOther(b, v)
}

func appendObject(b []byte, o Object) (_ []byte, err error) {
	names := make([]string, 0, 32)
	for name := range o {
		names = append(names, name)
	}
	slices.Sort(names)
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendString(b, name); err != nil {
			return b, err
		}
		if b, err = appendJSON(append(b, ':'), o[name]); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

func appendArray(b []byte, list []any) (_ []byte, err error) {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendJSON(b, v); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

func appendString(b []byte, s string) ([]byte, error) {
	if isPlain(s) {
		return append(append(append(b, '"'), s...), '"'), nil
	}
	return appendOther(b, s)
}

// isPlain reports whether encoding/json encodes a string as itself in quotes. It may return false for other such strings.
func isPlain(s string) bool {
	ascii := true
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c == '"' || c == '\\' || c == 0xe2: // 0xe2 begins U+2028 and U+2029
			return false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return ascii || utf8.ValidString(s)
}

func appendOther(b []byte, v any) ([]byte, error) {
	buffer := bytes.NewBuffer(b)
	e := json.NewEncoder(buffer)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), err
}
