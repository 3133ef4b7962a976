package scim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Object is a JSON object: a resource, or a complex value within it.
//
// In canonical form, which Decode gives, names have the schema's spelling, complex values are Object, multi-valued
// attributes are []any, numbers are json.Number, extensions stand under their URN, and what is unassigned is absent
// (RFC 7643 §2.5): there is no null, no empty array and no empty object.
type Object map[string]any

// maxDepth is how deep objects and arrays may nest; SCIM needs five.
const maxDepth = 32

// Parse reads one JSON value strictly: valid UTF-8, no name twice in an object, not even in another case, nothing
// behind the value, and at most 32 levels deep. It gives Object, []any, string, bool, json.Number or nil. Its error
// is an *Error with status 400 and type invalidSyntax.
func Parse(body []byte) (any, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(body))
	v, err := parse(d, 0)
	if err == nil {
		if _, end := d.ReadToken(); end != io.EOF {
			err = errors.New("there is more behind the JSON value")
		}
	}
	if err == nil {
		return v, nil
	}
	if known := (*Error)(nil); errors.As(err, &known) {
		return nil, known
	}
	// The cause quotes the body, which may hold a password: it goes nowhere, not even into the log.
	return nil, BadRequest(InvalidSyntax, "The request body is not valid JSON (near byte %d). Send one JSON object in UTF-8, "+
		"no name twice.", d.InputOffset())
}

// ParseObject is Parse for what must be an object.
func ParseObject(body []byte) (Object, error) {
	v, err := Parse(body)
	if err != nil {
		return nil, err
	}
	o, ok := v.(Object)
	if !ok {
		return nil, BadRequest(InvalidSyntax, "The request body is not a JSON object. Send one.")
	}
	return o, nil
}

func parse(d *jsontext.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, BadRequest(InvalidSyntax, "The request body nests deeper than %d levels.", maxDepth)
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
	folded := nameSet{names: make([]string, 0, 16)}
	for d.PeekKind() != '}' {
		t, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		name := t.String()
		if folded.addName(lowerASCII(name)) {
			return nil, BadRequest(InvalidSyntax, "The name %q stands twice in one object. Send it once.", name)
		}
		if o[name], err = parse(d, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := d.ReadToken()
	return o, err
}

// nameSet is the names of an object in lower case. They are few, unless somebody means harm.
type nameSet struct {
	names []string
	set   map[string]bool // if they are many
}

// addName tells whether a name is there, and adds it.
func (f *nameSet) addName(name string) bool {
	if f.set == nil && len(f.names) < cap(f.names) {
		if slices.Contains(f.names, name) {
			return true
		}
		f.names = append(f.names, name)
		return false
	}
	if f.set == nil {
		f.set = map[string]bool{}
		for _, n := range f.names {
			f.set[n] = true
		}
	}
	there := f.set[name]
	f.set[name] = true
	return there
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

// Get is the value of a name in any case.
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

// Clone is a deep copy.
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
