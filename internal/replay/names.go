package replay

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// runNames adds the suffix of a run to the names of a conversation and removes it again. Names are compared without
// regard to case, as RFC 7643 compares userName. Some identity providers look up a name in other case than they created
// it.
type runNames struct {
	run    string          // the suffix; "" changes no name
	known  map[string]bool // the names, in lower case
	parts  map[string]bool // values that a filter compares with a part of a name, in lower case
	suffix *regexp.Regexp
}

// filterName matches a name in a filter: the operator and the value. A provider may look up a name that it never
// creates.
var filterName = sync.OnceValue(func() *regexp.Regexp {
	const attribute, operator = `(?:userName|displayName|externalId)`, `(?:eq|ne|co|sw|ew|gt|ge|lt|le)`
	return regexp.MustCompile(`(?i)\b` + attribute + ` +(` + operator + `) +("(?:[^"\\]|\\.)*")`)
})

// comparedString matches a quoted string in a filter or a path, with the comparison of a type before it if there is one.
var comparedString = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)(\btype +[a-z]{2} +)?("(?:[^"\\]|\\.)*")`)
})

// comparedWord matches a name without quotes in a filter, as authentik sends it: the comparison before it and the word.
var comparedWord = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)(\b(?:userName|displayName|externalId) +[a-z]{2} +)([^\s"()\[\]]+)`)
})

// collectNames returns the names of a conversation: each userName and externalId in a body, each displayName of a
// group, each value that a PATCH operation sets at the path of one of these, and each value that a filter compares with
// one of these. A value that a filter compares with a part of a name is a name too, unless a name contains it: the name
// still contains it with the suffix.
func collectNames(c Conversation, run string) runNames {
	n := runNames{run: run, known: map[string]bool{}, parts: map[string]bool{}, suffix: regexp.MustCompile(`(?i)[-+]` + regexp.QuoteMeta(run))}
	for _, step := range c.Steps {
		for _, values := range step.Event.MultiValueQueryStringParameters {
			for _, v := range values {
				n.collect(v, false)
			}
		}
		var body any
		if text, err := decodedBody(step.Event); err == nil && json.Unmarshal(text, &body) == nil {
			n.collect(body, strings.Contains(step.Event.Path, "/Groups"))
		}
	}
	maps.DeleteFunc(n.parts, func(part string, _ bool) bool { return n.isPart(part) })
	maps.Copy(n.known, n.parts)
	return n
}

// isPart reports whether a name contains a text to which the suffix of the run must not be added. A text with an at
// sign gets the suffix in the same place as the name.
func (n runNames) isPart(text string) bool {
	if strings.Contains(text, "@") {
		return false
	}
	for name := range n.known {
		if name != text && strings.Contains(name, text) {
			return true
		}
	}
	return false
}

func (n runNames) collect(value any, group bool) {
	switch value := value.(type) {
	case string:
		for _, m := range filterName().FindAllStringSubmatch(value, -1) {
			name := unquote(m[2])
			if slices.Contains([]string{"co", "sw", "ew"}, strings.ToLower(m[1])) {
				n.parts[strings.ToLower(name)] = true
				continue
			}
			n.addName(name)
		}
	case []any:
		for _, v := range value {
			n.collect(v, group)
		}
	case map[string]any:
		path := ""
		for key, v := range value {
			if strings.EqualFold(key, "path") {
				path, _ = v.(string)
			}
		}
		for key, v := range value {
			name, _ := v.(string)
			if isName(key, group) || strings.EqualFold(key, "value") && isName(path, group) {
				n.addName(name)
			}
			n.collect(v, group)
		}
	}
}

func (n runNames) addName(name string) {
	if name != "" {
		n.known[strings.ToLower(name)] = true
	}
}

// isName reports whether the values of an attribute are names. The URN of its schema may precede the attribute.
func isName(attribute string, group bool) bool {
	attribute = strings.ToLower(attribute[strings.LastIndex(attribute, ":")+1:])
	return attribute == "username" || attribute == "externalid" || attribute == "displayname" && group
}

// protocolMembers are the members and parameters whose values are words of the protocol. A group may have such a word
// as its name, so these values get no suffix.
var protocolMembers = []string{
	"attributes", "excludedattributes", "op", "path", "resourcetype", "schemas", "scimtype", "sortby", "status", "type",
}

// addSuffix returns the value of a member or parameter with the suffix of the run. If the value is a name, the suffix
// is added to it. Otherwise it is added to each name that the value contains in quotes, as a filter or a path does, or that a
// filter compares without quotes.
func (n runNames) addSuffix(member, value string) string {
	if n.run == "" {
		return value
	}
	if n.known[strings.ToLower(value)] && !slices.Contains(protocolMembers, strings.ToLower(member)) {
		return withSuffix(value, n.run)
	}
	value = comparedWord().ReplaceAllStringFunc(value, func(comparison string) string {
		m := comparedWord().FindStringSubmatch(comparison)
		if !n.known[strings.ToLower(m[2])] {
			return comparison
		}
		return m[1] + withSuffix(m[2], n.run)
	})
	return comparedString().ReplaceAllStringFunc(value, func(q string) string {
		name := unquote(q)
		if q[0] != '"' || !n.known[strings.ToLower(name)] {
			return q
		}
		b, _ := jsontext.AppendQuote(nil, withSuffix(name, n.run))
		return string(b)
	})
}

// removeSuffix returns text without the suffix of the run, in upper and lower case.
func (n runNames) removeSuffix(text string) string {
	if n.run == "" {
		return text
	}
	return n.suffix.ReplaceAllString(text, "")
}

// withSuffix returns the name of this run for a recorded name. An e-mail address remains one: the suffix becomes a
// subaddress (RFC 5233).
func withSuffix(name, run string) string {
	if local, domain, ok := strings.Cut(name, "@"); ok {
		return local + "+" + run + "@" + domain
	}
	return name + "-" + run
}

func unquote(q string) string {
	b, _ := jsontext.AppendUnquote(nil, q)
	return string(b)
}

// mapJSON returns a JSON text in which each string value is replaced by f of it. f also gets the name of the last
// member before the value. Member names and all other bytes of the text stay as they are. A text
// that is not JSON is returned unchanged.
func mapJSON(text []byte, f func(member, value string) string) []byte {
	var out []byte
	var member string
	done := int64(0)
	d := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true))
	for {
		begin := d.InputOffset()
		token, err := d.ReadToken()
		if err == io.EOF {
			return append(out, text[done:]...)
		}
		if err != nil {
			return text
		}
		if token.Kind() != '"' {
			continue
		}
		if kind, n := d.StackIndex(d.StackDepth()); kind == '{' && n%2 == 1 {
			member = token.String()
			continue
		}
		if value := token.String(); f(member, value) != value {
			begin += int64(bytes.IndexByte(text[begin:], '"')) // skip white space and the colon or comma
			out, _ = jsontext.AppendQuote(append(out, text[done:begin]...), f(member, value))
			done = d.InputOffset()
		}
	}
}
