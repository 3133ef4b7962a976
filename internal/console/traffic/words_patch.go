package traffic

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A modification is an operation of a PATCH request on one attribute (RFC 7644 §3.5.2).
type modification struct {
	op    string // in lower case
	path  string
	value any
}

// clears reports whether the modification leaves no value. Entra ID sends an empty string for no value.
func (m modification) clears() bool { return m.op == "remove" || m.value == nil || m.value == "" }

// attribute returns the name of the attribute in lower case.
func (m modification) attribute() string { return strings.ToLower(attributeName(m.path)) }

// modifications returns the operations of a PATCH request. An operation without a path is one for each attribute of its
// value.
func modifications(request any) []modification {
	var list []modification
	for _, o := range elements(request, "Operations") {
		m := modification{strings.ToLower(text(o, "op")), strings.TrimSpace(text(o, "path")), member(o, "value")}
		if m.path != "" {
			list = append(list, m)
			continue
		}
		if a, ok := m.value.([]any); ok && len(a) == 1 {
			m.value = a[0] // Java clients send an array of one object
		}
		list = append(list, withoutPath(m)...)
	}
	return list
}

func withoutPath(m modification) []modification {
	var list []modification
	object, _ := m.value.(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if extension, ok := object[key].(map[string]any); ok && strings.HasPrefix(strings.ToLower(key), "urn:") {
			list = append(list, withoutPath(modification{op: m.op, value: extension})...)
		} else if !strings.EqualFold(key, "id") && !strings.EqualFold(key, "schemas") { // Okta sends id with a new name
			list = append(list, modification{m.op, key, object[key]})
		}
	}
	return list
}

// patch returns the action of a PATCH.
func (s story) patch() action {
	var p patchPhrases
	for _, m := range modifications(s.request) {
		active, isBoolean := boolean(m.value)
		value, isString := m.value.(string)
		switch attribute := m.attribute(); {
		case attribute == "members":
			p.members.add(m)
		case attribute == strings.ToLower(nameAttribute(s.endpoint)) && isString && !m.clears():
			p.naming = s.naming(value)
		case attribute == "active" && isBoolean && m.op != "remove":
			p.activation = []phrase{{verb: activation(active)}}
		case attribute == "password":
			p.password = []phrase{{verb: "set", what: "the password", preposition: "of"}}
		case m.clears():
			p.cleared.add(m)
		default:
			p.set.add(m)
		}
	}
	phrases := slices.Concat(p.naming, p.members.phrases(s), p.activation, p.password, p.set.phrase("set"), p.cleared.phrase("clear"))
	switch n := len(phrases); {
	case n == 0:
		phrases = []phrase{{verb: "change"}}
	case n > 3:
		phrases = append(phrases[:2], phrase{verb: "change", what: "more"})
	}
	return action{s.object(), phrases, s.unchanged()}
}

// patchPhrases holds the phrases for a PATCH request. The last operation of each kind counts.
type patchPhrases struct {
	naming, activation, password []phrase // at most one each
	members                      memberChanges
	set, cleared                 attributeNames
}

func activation(active bool) string {
	if active {
		return "activate"
	}
	return "deactivate"
}

// naming returns the phrase for a new name. The old name is known only if the request wrote the head item. In that case, a
// name that does not change needs no phrase.
func (s story) naming(value string) []phrase {
	value = quoteName(value)
	old := nameOf(s.endpoint, s.before)
	switch {
	case old != "" && quoteName(old) == value:
		return nil
	case old != "":
		return []phrase{{verb: "rename", end: "to " + value}}
	case s.resourceName() == value:
		return []phrase{{verb: "name"}}
	}
	return []phrase{{verb: "name", end: value}}
}

// attributeNames holds the names of the attributes that have no phrase of their own.
type attributeNames struct {
	names []string
	known map[string]bool
}

func (a *attributeNames) add(m modification) {
	n := attributeName(m.path)
	if a.known == nil {
		a.known = map[string]bool{}
	}
	if !a.known[n] {
		a.names = append(a.names, n)
	}
	a.known[n] = true
}

func (a *attributeNames) phrase(verb string) []phrase {
	if a.names == nil {
		return nil
	}
	return []phrase{{verb: verb, what: enumerate(a.names), preposition: "of"}}
}

// enumerate returns at most three names, and how many more there are.
func enumerate(names []string) string {
	switch n := len(names); {
	case n == 1:
		return names[0]
	case n > 3:
		return fmt.Sprintf("%s, %s and %d more attributes", names[0], names[1], n-2)
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

// memberChanges counts the members that a PATCH request names.
type memberChanges struct {
	added, removed int
	display        string // of the last one
	replaced       bool   // all members were removed or replaced before
}

func (c *memberChanges) add(m modification) {
	values := memberValues(m.value)
	_, filter, filtered := strings.Cut(m.path, "[")
	switch {
	case m.op == "remove" && filtered:
		c.removed += 1 + strings.Count(strings.ToLower(filter), " or ")
	case m.op == "remove" && len(values) > 0:
		c.removed += len(values)
	case m.op == "remove", m.op == "replace" && !filtered:
		c.replaced, c.added, c.removed = true, 0, 0
	}
	if m.op != "remove" && !filtered {
		c.added += len(values)
	}
	for _, v := range values {
		c.display = text(v, "display")
	}
}

// memberValues returns the members of a value: an array, one object, or an object with an array, as Ruby clients send it.
func memberValues(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case map[string]any:
		if a := elements(v, "members"); a != nil {
			return a
		}
		return []any{v}
	case string:
		return []any{v}
	}
	return nil
}

func (c *memberChanges) phrases(s story) []phrase {
	added := s.atLeast(c.added, "member")
	if c.added == 1 && c.display != "" && s.requestComplete {
		added = "the member " + quoteName(c.display)
	}
	var phrases []phrase
	switch {
	case c.replaced && c.added == 0:
		phrases = append(phrases, phrase{verb: "remove", what: "all members", preposition: "from"})
	case c.replaced:
		return []phrase{{verb: "replace", what: "all members", preposition: "of", end: "by " + added}}
	case c.removed > 0:
		phrases = append(phrases, phrase{verb: "remove", what: s.atLeast(c.removed, "member"), preposition: "from"})
	}
	if c.added > 0 {
		phrases = append(phrases, phrase{verb: "add", what: added, preposition: "to"})
	}
	return phrases
}
