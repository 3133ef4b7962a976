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
// most in case, and text after the value. Parse returns an Object, []any, string, bool, json.Number, or nil. Its strings
// share the memory of one copy of the text. The error is an *Error with status 400 and type invalidSyntax.
func Parse[T ~string | ~[]byte](text T) (any, error) {
	p := newParser(text)
	v, err := p.parse(0)
	if err == nil {
		if _, end := p.ReadToken(); end != io.EOF {
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
		"Send one JSON object in UTF-8 without duplicate names.", p.InputOffset())
}

// ParseObject parses a JSON object. Its rules and errors are those of Parse.
func ParseObject[T ~string | ~[]byte](text T) (Object, error) {
	v, err := Parse(text)
	if err != nil {
		return nil, err
	}
	o, ok := v.(Object)
	if !ok {
		return nil, BadRequest(InvalidSyntax, "The request body is not a JSON object. Send a JSON object.")
	}
	return o, nil
}

// A parser reads the values of a text.
type parser struct {
	*jsontext.Decoder
	text string
}

// newParser returns a parser that does not look for duplicate names, because parseObject does.
func newParser[T ~string | ~[]byte](text T) parser {
	return parser{jsontext.NewDecoder(bytes.NewBuffer([]byte(text)), jsontext.AllowDuplicateNames(true)), string(text)}
}

func (p parser) parse(depth int) (any, error) {
	if depth > maxDepth {
		return nil, BadRequest(InvalidSyntax, "The request body nests deeper than %d levels. Send less nesting.", maxDepth)
	}
	if p.PeekKind() == '"' {
		return p.parseString()
	}
	t, err := p.ReadToken()
	if err != nil {
		return nil, err
	}
	switch t.Kind() {
	case '{':
		return p.parseObject(depth)
	case '[':
		return p.parseArray(depth)
	case '0':
		return json.Number(t.String()), nil
	case 't', 'f':
		return t.Bool(), nil
	default:
		return nil, nil
	}
}

// parseString reads a string, which is a part of the text unless it has escapes.
func (p parser) parseString() (string, error) {
	quoted, err := p.ReadValue()
	if err != nil {
		return "", err
	}
	if bytes.IndexByte(quoted, '\\') >= 0 {
		unquoted, err := jsontext.AppendUnquote(nil, quoted)
		return string(unquoted), err
	}
	end := int(p.InputOffset()) - len(`"`)
	return p.text[end-len(quoted)+len(`""`) : end], nil
}

func (p parser) parseObject(depth int) (any, error) {
	o := Object{}
	var names nameSet
	for p.PeekKind() != '}' {
		name, err := p.parseString()
		if err != nil {
			return nil, err
		}
		if names.add(name) {
			return nil, BadRequest(InvalidSyntax, "The name %q occurs twice in one object. Send it once.", name)
		}
		if o[name], err = p.parse(depth + 1); err != nil {
			return nil, err
		}
	}
	_, err := p.ReadToken()
	return o, err
}

// A nameSet is a set of names, without regard to case. An array is faster than a map for the few names of a real object.
// The map keeps a malicious object with many names from taking quadratic time.
type nameSet struct {
	array [16]string
	n     int             // number of names in array
	rest  map[string]bool // names in lower case, also those of array; nil until array is full
}

// add adds a name and reports whether the set had it already.
func (s *nameSet) add(name string) (duplicate bool) {
	if s.rest == nil {
		if slices.ContainsFunc(s.array[:s.n], func(n string) bool { return equalFoldASCII(n, name) }) {
			return true
		}
		if s.n < len(s.array) {
			s.array[s.n] = name
			s.n++
			return false
		}
		s.rest = map[string]bool{}
		for _, n := range s.array {
			s.rest[lowerASCII(n)] = true
		}
	}
	name = lowerASCII(name)
	duplicate = s.rest[name]
	s.rest[name] = true
	return duplicate
}

func (p parser) parseArray(depth int) (any, error) {
	a := []any{}
	for p.PeekKind() != ']' {
		v, err := p.parse(depth + 1)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
	_, err := p.ReadToken()
	return a, err
}

// Get returns the value of a name, in any case. It returns nil if there is none.
func (o Object) Get(name string) any {
	if v, ok := o[name]; ok {
		return v
	}
	for n, v := range o {
		if equalFoldASCII(n, name) {
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
