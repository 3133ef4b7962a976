package record

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// maxWalkDepth limits the depth of the JSON that a walker reads. SCIM needs about six levels.
const maxWalkDepth = 64

// A walker returns a JSON text with each string, number, and member name replaced. All other bytes of the text stay as
// they are.
type walker struct {
	value func(attribute []string, kind jsontext.Kind, text string) string // text is the number or the unquoted string
	name  func(name string) string                                         // the name of a member
}

// walk returns the text, and false if it is not JSON or too deep. attribute is the name of the attribute that holds the
// text and of its subattribute, such as name and givenname, in lower case.
func (w walker) walk(text []byte, attribute []string) (out []byte, ok bool) {
	d := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true))
	raw, err := d.ReadValue()
	end := d.InputOffset()
	if err != nil || len(bytes.TrimSpace(text[end:])) > 0 {
		return text, false
	}
	begin := end - int64(len(raw))
	changed, ok := w.walkValue(bytes.Clone(raw), attribute, 0)
	return append(append(bytes.Clone(text[:begin]), changed...), text[end:]...), ok
}

func (w walker) walkValue(raw []byte, attribute []string, depth int) (out []byte, ok bool) {
	switch kind := jsontext.Value(raw).Kind(); {
	case depth > maxWalkDepth:
		return raw, false
	case kind == '{' || kind == '[':
		return w.walkElements(raw, attribute, depth)
	case kind == '"':
		old := unquote(string(raw))
		if text := w.value(attribute, kind, old); text != old {
			raw, _ = jsontext.AppendQuote(nil, text)
		}
	case kind == '0':
		raw = []byte(w.value(attribute, kind, string(raw)))
	}
	return raw, true
}

// walkElements walks the members of an object or the elements of an array. The value of a PATCH operation belongs to the
// attribute that the path of the operation names.
func (w walker) walkElements(raw []byte, attribute []string, depth int) (out []byte, ok bool) {
	isObject := raw[0] == '{'
	isOperation, path := false, []string(nil)
	if isObject {
		isOperation, path = operationPath(raw)
	}
	d := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true))
	_, _ = d.ReadToken()
	done := int64(0)
	next := func() (text []byte) {
		v, _ := d.ReadValue()
		out = append(out, raw[done:d.InputOffset()-int64(len(v))]...)
		done = d.InputOffset()
		return bytes.Clone(v)
	}
	for kind := d.PeekKind(); kind != '}' && kind != ']' && kind != jsontext.KindInvalid; kind = d.PeekKind() {
		member := attribute
		if isObject {
			name := unquote(string(next()))
			out, _ = jsontext.AppendQuote(out, w.name(name))
			switch {
			case containers[strings.ToLower(name)]:
				member = nil
			case isOperation && strings.EqualFold(name, "value"):
				member = path
			default:
				member = append(attribute[:len(attribute):len(attribute)], attributePath(name)...)
			}
		}
		v, ok := w.walkValue(next(), member, depth+1)
		if !ok {
			return raw, false
		}
		out = append(out, v...)
	}
	return append(out, raw[done:]...), true
}

// containers are the members of messages whose values are resources or operations.
var containers = map[string]bool{"operations": true, "resources": true, "data": true, "response": true}

// operationPath reports whether an object is an operation of a PATCH request, and returns the attribute at its path.
func operationPath(object []byte) (isOperation bool, attribute []string) {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(object, &members) // walk has checked the syntax; of repeated members, the last one remains
	for name, v := range members {
		var text string
		switch {
		case strings.EqualFold(name, "op"):
			isOperation = true
		case strings.EqualFold(name, "path") && json.Unmarshal(v, &text) == nil:
			attribute = attributePath(text)
		}
	}
	return isOperation, attribute
}

var bracketPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\[[^\]]*\]?`) })

// attributePath returns the attribute and the subattribute that a path names, in lower case. It drops the URN of the
// schema and the filter of a value.
func attributePath(path string) []string {
	path = bracketPattern().ReplaceAllString(strings.ToLower(path), "")
	return strings.Split(path[strings.LastIndex(path, ":")+1:], ".")
}

// valuePattern matches the values in a filter: a quoted string, with the comparison before it if there is one, and a
// value without quotes after a comparison, which some servers accept.
var valuePattern = sync.OnceValue(func() *regexp.Regexp {
	const comparison, quoted = `([a-z$][\w$.:-]*) +(eq|ne|co|sw|ew|gt|ge|lt|le) +`, `"(?:[^"\\]|\\.)*"`
	return regexp.MustCompile(`(?i)(?:\b` + comparison + `)?(` + quoted + `)|\b` + comparison + `([^\s()\[\]"]+)`)
})

// mapFilter returns a filter, or the path of a PATCH operation, with each value replaced by value of it, and the rest
// by other. attribute is nil if the value is not compared with one.
func mapFilter(filter string, value func(attribute []string, operator, text string) string, other func(string) string) string {
	var b strings.Builder
	done := 0
	for _, m := range valuePattern().FindAllStringSubmatchIndex(filter, -1) {
		part := func(group int) string { return filter[max(0, m[2*group]):max(0, m[2*group+1])] }
		begin, end := max(m[6], m[12]), max(m[7], m[13])
		b.WriteString(other(filter[done:begin]))
		var attribute []string
		if name := part(1) + part(4); name != "" {
			attribute = append(parentAttribute(filter[:m[0]]), attributePath(name)...)
		}
		operator, text := strings.ToLower(part(2)+part(5)), filter[begin:end]
		switch old := unquote(text); {
		case text == "true" || text == "false" || text == "null":
		case text[0] != '"':
			text = value(attribute, operator, text)
		default:
			if replaced := value(attribute, operator, old); replaced != old {
				q, _ := jsontext.AppendQuote(nil, replaced)
				text = string(q)
			}
		}
		b.WriteString(text)
		done = end
	}
	b.WriteString(other(filter[done:]))
	return b.String()
}

// parentAttribute returns the attribute whose values a filter in brackets tests, if the brackets are not closed yet.
func parentAttribute(before string) []string {
	open := strings.LastIndexByte(before, '[')
	if open < 0 || strings.LastIndexByte(before, ']') > open {
		return nil
	}
	begin := strings.LastIndexAny(before[:open], " (") + 1
	return attributePath(before[begin:open])
}

func unquote(q string) string {
	b, _ := jsontext.AppendUnquote(nil, q)
	return string(b)
}
