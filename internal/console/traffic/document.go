package traffic

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is the maximum nesting of objects and arrays that parseJSON reads. The server accepts no more in a request.
const maxDepth = 32

// parseJSON returns the value of a JSON text: nil, bool, string, json.Number, []any, or map[string]any. If the text is cut
// off or not valid, complete is false and the value has the part before the error.
func parseJSON(text string) (value any, complete bool) {
	d := jsontext.NewDecoder(strings.NewReader(text))
	value, err := readValue(d, maxDepth)
	if err != nil {
		return value, false
	}
	_, err = d.ReadToken()
	return value, err == io.EOF
}

var errTooDeep = errors.New("traffic: the JSON is nested too deeply")

// readValue reads the next value. With an error, it returns the part of the value that it has read.
func readValue(d *jsontext.Decoder, depth int) (any, error) {
	t, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch t.Kind() {
	case '{', '[':
		if depth == 0 {
			return nil, errTooDeep
		}
		if t.Kind() == '{' {
			return readObject(d, depth-1)
		}
		return readArray(d, depth-1)
	case '"':
		return t.String(), nil
	case '0':
		return json.Number(t.String()), nil
	case 't', 'f':
		return t.Bool(), nil
	}
	return nil, nil
}

func readObject(d *jsontext.Decoder, depth int) (any, error) {
	object := map[string]any{}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return object, err
		}
		key := name.String()
		value, err := readValue(d, depth)
		if err == nil || value != nil {
			object[key] = value
		}
		if err != nil {
			return object, err
		}
	}
	_, err := d.ReadToken()
	return object, err
}

func readArray(d *jsontext.Decoder, depth int) (any, error) {
	array := []any{}
	for d.PeekKind() != ']' {
		value, err := readValue(d, depth)
		if err == nil || value != nil {
			array = append(array, value)
		}
		if err != nil {
			return array, err
		}
	}
	_, err := d.ReadToken()
	return array, err
}

// member returns a member of an object, or nil. The case of the name does not matter (RFC 7643 §2.1).
func member(v any, name string) any {
	object, _ := v.(map[string]any)
	if value, ok := object[name]; ok {
		return value
	}
	var other []string
	for key := range object {
		if strings.EqualFold(key, name) {
			other = append(other, key)
		}
	}
	if other == nil {
		return nil
	}
	return object[slices.Min(other)]
}

// text returns a member of an object that is a string, or "".
func text(v any, name string) string {
	s, _ := member(v, name).(string)
	return s
}

// elements returns a member of an object that is an array, or nil.
func elements(v any, name string) []any {
	a, _ := member(v, name).([]any)
	return a
}

// number returns a member of an object that is a nonnegative integer.
func number(v any, name string) (n int, ok bool) {
	literal, _ := member(v, name).(json.Number)
	i, err := literal.Int64()
	return int(i), err == nil && i >= 0
}
