package scim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// An Object is a JSON object: a resource, or a complex value in a resource.
//
// In canonical form, which Decode returns, names have the schema's spelling and extensions are under their URN. Complex
// values have type Object, multi-valued attributes []any, and numbers json.Number. Unassigned attributes are absent
// (RFC 7643 §2.5): the canonical form has no null, no empty array, and no empty object.
type Object map[string]any

// maxDepth is the maximum nesting of objects and arrays. SCIM resources need five levels.
const maxDepth = 32

// Parse parses one JSON value of at most 32 levels. It rejects invalid UTF-8, an object with two names that differ at
// most in case, and text after the value. Parse returns an Object, []any, string, bool, json.Number, or nil. The error
// is an *Error with status 400 and type invalidSyntax.
func Parse(body []byte) (any, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(body))
	v, err := parse(d, 0)
	if err == nil {
		if _, end := d.ReadToken(); end != io.EOF {
			err = errors.New("text after the JSON value")
		}
	}
	if err == nil {
		return v, nil
	}
	if known := (*Error)(nil); errors.As(err, &known) {
		return nil, known
	}
	// The cause quotes the body, which may contain a password. The returned error must not include it, because errors
	// are logged.
	return nil, BadRequest(InvalidSyntax, "The request body is not valid JSON (near byte %d). "+
		"Send one JSON object in UTF-8 without duplicate names.", d.InputOffset())
}

// ParseObject parses a JSON object. Its rules and errors are those of Parse.
func ParseObject(body []byte) (Object, error) {
	v, err := Parse(body)
	if err != nil {
		return nil, err
	}
	o, ok := v.(Object)
	if !ok {
		return nil, BadRequest(InvalidSyntax, "The request body is not a JSON object. Send a JSON object.")
	}
	return o, nil
}

func parse(d *jsontext.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, BadRequest(InvalidSyntax, "The request body nests deeper than %d levels. Send less nesting.", maxDepth)
	}
	t, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch t.Kind() {
	case '{':
		return parseObject(d, depth)
	case '[':
		return parseArray(d, depth)
	case '"':
		return t.String(), nil
	case '0':
		return json.Number(t.String()), nil
	case 't', 'f':
		return t.Bool(), nil
	default:
		return nil, nil
	}
}

func parseObject(d *jsontext.Decoder, depth int) (any, error) {
	o := Object{}
	names := nameSet{names: make([]string, 0, 16)}
	for d.PeekKind() != '}' {
		t, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		name := t.String()
		if names.addName(lowerASCII(name)) {
			return nil, BadRequest(InvalidSyntax, "The name %q occurs twice in one object. Send it once.", name)
		}
		if o[name], err = parse(d, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := d.ReadToken()
	return o, err
}

// A nameSet is the set of names of an object, in lower case. A slice is faster than a map for the few names of a real
// object. The map keeps a malicious object with many names from taking quadratic time.
type nameSet struct {
	names []string
	set   map[string]bool // used instead of names once names has reached its capacity
}

// addName adds a name and reports whether the set had it already.
func (s *nameSet) addName(name string) (duplicate bool) {
	if s.set == nil && len(s.names) < cap(s.names) {
		if slices.Contains(s.names, name) {
			return true
		}
		s.names = append(s.names, name)
		return false
	}
	if s.set == nil {
		s.set = map[string]bool{}
		for _, n := range s.names {
			s.set[n] = true
		}
	}
	duplicate = s.set[name]
	s.set[name] = true
	return duplicate
}

func parseArray(d *jsontext.Decoder, depth int) (any, error) {
	a := []any{}
	for d.PeekKind() != ']' {
		v, err := parse(d, depth+1)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
	_, err := d.ReadToken()
	return a, err
}

// Get returns the value of a name, in any case. It returns nil if there is none.
func (o Object) Get(name string) any {
	if v, ok := o[name]; ok {
		return v
	}
	for n, v := range o {
		if lowerASCII(n) == lowerASCII(name) {
			return v
		}
	}
	return nil
}

// Clone returns a deep copy of o.
func (o Object) Clone() Object { return clone(o).(Object) }

func clone(v any) any {
	switch v := v.(type) {
	case Object:
		c := make(Object, len(v))
		for name, x := range v {
			c[name] = clone(x)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, x := range v {
			c[i] = clone(x)
		}
		return c
	}
	return v
}
