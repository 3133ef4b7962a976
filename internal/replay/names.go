package replay

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// runNames adds the suffix of a run to the names of a conversation, and takes it off again. Letters of either case are the
// same, as RFC 7643 has it for userName and many a probe assumes.
type runNames struct {
	run    string
	known  map[string]bool // in lower case
	suffix *regexp.Regexp
}

// filterName finds names in filters: some are probed for and never created.
var filterName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)\b(?:userName|displayName|externalId) +(?:eq|ne|co|sw|ew|gt|ge|lt|le) +("(?:[^"\\]|\\.)*")`)
})

var quotedString = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`"(?:[^"\\]|\\.)*"`) })

// collectNames collects the names of a conversation: every userName and externalId in a body, the displayName of groups, what
// a PATCH gives these as the value of a path, and what filters compare them with.
func collectNames(c Conversation, run string) runNames {
	n := runNames{run: run, known: map[string]bool{}, suffix: regexp.MustCompile(`(?i)[-+]` + regexp.QuoteMeta(run))}
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
	return n
}

func (n runNames) collect(value any, group bool) {
	switch value := value.(type) {
	case string:
		for _, m := range filterName().FindAllStringSubmatch(value, -1) {
			n.addName(unquote(m[1]))
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

// isName tells whether an attribute, which may have its schema's URN before it, holds names.
func isName(attribute string, group bool) bool {
	attribute = strings.ToLower(attribute[strings.LastIndex(attribute, ":")+1:])
	return attribute == "username" || attribute == "externalid" || attribute == "displayname" && group
}

// protocolMembers are the members and parameters whose values are the protocol's words, which a group may be named like.
var protocolMembers = []string{"attributes", "excludedattributes", "op", "path", "resourcetype", "schemas", "sortby", "type"}

// addSuffix gives the value of a member or parameter the suffix if it is a name, or to the names that it holds in quotes, as
// filters and paths do.
func (n runNames) addSuffix(member, value string) string {
	if n.run == "" {
		return value
	}
	if n.known[strings.ToLower(value)] && !slices.Contains(protocolMembers, strings.ToLower(member)) {
		return withSuffix(value, n.run)
	}
	return quotedString().ReplaceAllStringFunc(value, func(q string) string {
		name := unquote(q)
		if !n.known[strings.ToLower(name)] {
			return q
		}
		b, _ := jsontext.AppendQuote(nil, withSuffix(name, n.run))
		return string(b)
	})
}

func (n runNames) removeSuffix(text string) string {
	if n.run == "" {
		return text
	}
	return n.suffix.ReplaceAllString(text, "")
}

// withSuffix is a name of this run. An address stays one (RFC 5233).
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

// mapJSON replaces the strings of a JSON text that are values, each given with the name of the member that holds it,
// and leaves everything else as it is; also a text that is not JSON.
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
			begin += int64(bytes.IndexByte(text[begin:], '"')) // behind white space and a colon or comma
			out, _ = jsontext.AppendQuote(append(out, text[done:begin]...), f(member, value))
			done = d.InputOffset()
		}
	}
}
