package traffic

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"serverless-scim/internal/table"
)

// maxSentenceLength is the maximum number of characters of a sentence.
const maxSentenceLength = 120

// fit shortens the beginning of a sentence and never its ending.
func fit(begin, ending string) string {
	ending = shorten(ending, 70)
	return shorten(begin, maxSentenceLength-len([]rune(ending))) + ending
}

// subject returns a client as the subject of a sentence.
func subject(client string) string {
	switch client = shorten(clean(client), 30); {
	case client == "" || client == unknownClient:
		return "an unknown client"
	case client == "console":
		return "the console"
	case client == "application":
		return "an application"
	case client == "browser" || strings.HasSuffix(client, " client"):
		return "a " + client
	}
	return client
}

// An action describes a request: a list of phrases about one object.
type action struct {
	object  string // the user ada@example.com
	phrases []phrase
	result  string // after a success: ": none"
}

// A phrase is a verb and what surrounds the object of the action: "remove" "2 members" "from" … "". If it is not the first,
// the object is left out.
type phrase struct{ verb, what, preposition, end string }

// simple returns an action of one verb and its object.
func simple(verb, object, result string) action {
	return action{object, []phrase{{verb: verb}}, result}
}

// text returns the action in words. conjugate returns the form of a verb.
func (a action) text(conjugate func(verb string) string) string {
	var b strings.Builder
	for i, p := range a.phrases {
		words := []string{conjugate(p.verb), p.what, p.preposition, a.object, p.end}
		if i > 0 {
			b.WriteString(" and ")
			words = []string{conjugate(p.verb), p.what, p.end}
			if p.what == "" {
				words[1] = "it"
			}
		}
		b.WriteString(strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " "))
	}
	return b.String()
}

func thirdPerson(verb string) string {
	if strings.HasSuffix(verb, "ch") {
		return verb + "es"
	}
	return verb + "s"
}

// A story is an exchange with its bodies decoded, as far as they are JSON.
type story struct {
	*Exchange
	endpoint, id    string // segments of the path; endpoint is in lower case
	request, reply  any
	requestComplete bool
	before, after   any // documents in the head item of the resource; nil if the request did not write it
}

func newStory(e *Exchange) story {
	s := story{Exchange: e}
	s.endpoint, s.id = splitPath(e.Path)
	s.request, s.requestComplete = parseJSON(e.Body.Text)
	s.reply, _ = parseJSON(e.Content.Text)
	s.before, s.after = s.stored()
	return s
}

// discovery returns the name of a discovery endpoint (RFC 7644 §4), or "".
func (s story) discovery() (noun string) {
	switch s.endpoint {
	case "serviceproviderconfig":
		return "the configuration of the service"
	case "schemas":
		noun = "the schema"
	case "resourcetypes":
		noun = "the resource type"
	default:
		return ""
	}
	if s.id == "" {
		return noun + "s"
	}
	return noun + " " + quoteName(s.id[strings.LastIndexByte(s.id, ':')+1:])
}

// isResource reports whether the endpoint can be that of a resource type. Resource types other than users and groups are
// data, so any word in the plural can be one.
func (s story) isResource() bool {
	isLetter := func(r rune) bool { return 'a' <= r && r <= 'z' }
	return s.endpoint != "schemas" && s.endpoint != "resourcetypes" && s.endpoint != "changes" &&
		len(s.endpoint) > 2 && len(s.endpoint) <= 30 &&
		strings.HasSuffix(s.endpoint, "s") && strings.TrimFunc(s.endpoint, isLetter) == ""
}

// noun returns what the resources of the endpoint are called.
func (s story) noun(plural bool) string {
	switch {
	case !s.isResource() && plural:
		return "resources"
	case !s.isResource():
		return "resource"
	case plural:
		return s.endpoint
	}
	return strings.TrimSuffix(s.endpoint, "s")
}

// article returns a noun with the indefinite article.
func article(noun string) string {
	if strings.ContainsRune("aeio", rune(noun[0])) { // not u, because of "user"
		return "an " + noun
	}
	return "a " + noun
}

// object returns the resource that the path names, as the object of a sentence.
func (s story) object() string { return "the " + s.noun(false) + " " + s.resourceName() }

// inactive returns "the user " or "the inactive user ".
func (s story) inactive(resource any) string {
	if isInactive(resource) {
		return "the inactive " + s.noun(false) + " "
	}
	return "the " + s.noun(false) + " "
}

// resourceName returns the name that the resource had before the request, or else has after it, or else its ID.
func (s story) resourceName() string {
	for _, resource := range []any{s.before, s.reply, s.requestIfResource()} {
		if n := nameOf(s.endpoint, resource); n != "" {
			return quoteName(n)
		}
	}
	return shortID(s.id)
}

// requestIfResource returns the body of the request if it is a resource, as in POST and PUT.
func (s story) requestIfResource() any {
	if s.Method == http.MethodPatch {
		return nil
	}
	return s.request
}

// nameAttribute returns the attribute that names the resources of an endpoint.
func nameAttribute(endpoint string) string {
	if endpoint == "users" {
		return "userName"
	}
	return "displayName"
}

func nameOf(endpoint string, resource any) string { return text(resource, nameAttribute(endpoint)) }

// RefusedName returns the endpoint and the name that a request asked for, if its response is that another resource has the
// name. attribute is "" if the response is another. value is "" if what is kept of the request does not show the name.
func RefusedName(e *Exchange) (endpoint, attribute, value string) {
	s := newStory(e)
	attribute = nameAttribute(s.endpoint)
	if e.Status != http.StatusConflict || text(s.reply, "scimType") != "uniqueness" || !strings.Contains(text(s.reply, "detail"), " this "+attribute+" ") {
		return "", "", ""
	}
	if !s.requestComplete {
		return s.endpoint, attribute, ""
	}
	value = text(s.request, attribute)
	for _, m := range modifications(s.request) {
		if name, isString := m.value.(string); isString && m.attribute() == strings.ToLower(attribute) {
			value = name
		}
	}
	return s.endpoint, attribute, value
}

// stored returns the documents in the head item of the resource, before the first write and after the last.
func (s story) stored() (before, after any) {
	first := true
	for _, item := range s.Items {
		if s.id == "" || item.Key.SK != "@" || !strings.HasSuffix(item.Key.PK, "#"+s.id) {
			continue
		}
		if first {
			before, _ = parseJSON(table.StringValue(item.Old["doc"]))
			first = false
		}
		after, _ = parseJSON(table.StringValue(item.New["doc"]))
	}
	return before, after
}

// unchanged returns ": nothing changes" if it is known that the request changed nothing: it called the table, and wrote no
// item.
func (s story) unchanged() string {
	if s.Cost.Calls > 0 && len(s.Items) == 0 {
		return ": nothing changes"
	}
	return ""
}

// problem returns why the request failed, in words, and the status in parentheses. Both are "" after a success.
func (s story) problem() (problem, ending string) {
	switch {
	case s.Status == 0:
		return "there is no response", ""
	case s.Status < 300 || s.Status == http.StatusNotModified:
		return "", ""
	}
	ending = " (" + strconv.Itoa(s.Status)
	scimType := clean(shortenBytes(text(s.reply, "scimType")))
	if scimType != "" && scimType != "uniqueness" {
		ending += " " + shorten(scimType, 20)
	}
	ending += ")"
	if s.Status == http.StatusTooManyRequests {
		if wait := s.Reply.Get("Retry-After"); wait != "" {
			ending = ", retry after " + shorten(clean(wait), 30) + waitUnit(wait) + ending
		}
	}
	return s.reason(scimType), ending
}

// waitUnit returns the unit of a Retry-After, which is a number of seconds or a date.
func waitUnit(wait string) string {
	if _, err := time.ParseDuration(wait + "s"); err == nil {
		return " s"
	}
	return ""
}

// reason returns the reason of an error in words.
func (s story) reason(scimType string) string {
	detail := text(s.reply, "detail")
	switch {
	case s.Status == http.StatusConflict && scimType == "uniqueness" && s.Method == http.MethodPost:
		return "there is one already"
	case s.Status == http.StatusConflict && scimType == "uniqueness":
		return "another has the name"
	case s.Status == http.StatusNotFound && s.id != "" && strings.HasPrefix(detail, "There is no "):
		return "it does not exist"
	case s.Status == http.StatusPreconditionFailed:
		return "it has another version"
	case detail != "":
		return firstSentence(detail)
	case http.StatusText(s.Status) != "":
		return strings.ToLower(http.StatusText(s.Status))
	}
	return "the status is an error"
}

// firstSentence returns the first sentence of a detail, which is the problem, in the middle of a sentence. The remedy
// follows it.
func firstSentence(detail string) string {
	detail = clean(shortenBytes(detail))
	quoted := false
	for i := range len(detail) {
		switch {
		case detail[i] == '"':
			quoted = !quoted
		case !quoted && strings.HasPrefix(detail[i:], ". "):
			return lowerFirst(detail[:i])
		}
	}
	return lowerFirst(strings.TrimSuffix(detail, "."))
}

// lowerFirst lowers the first letter of a sentence, unless it belongs to a name such as SCIM or If-Match.
func lowerFirst(s string) string {
	s = strings.TrimSpace(s)
	word, _, _ := strings.Cut(s, " ")
	if word == "" || word[0] < 'A' || word[0] > 'Z' || strings.ToLower(word[1:]) != word[1:] {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// parameter returns a parameter of the query, or of the body of a search (RFC 7644 §3.4.3).
func (s story) parameter(parameterName string) string {
	if s.Method == http.MethodPost {
		if n, ok := number(s.request, parameterName); ok {
			return strconv.Itoa(n)
		}
		return text(s.request, parameterName)
	}
	values, _ := url.ParseQuery(s.Query) // what is valid of it
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if strings.EqualFold(key, parameterName) {
			return values.Get(key)
		}
	}
	return ""
}

// isInactive reports whether a resource has been deactivated. Some clients send a boolean as a string.
func isInactive(resource any) bool {
	active, known := boolean(member(resource, "active"))
	return known && !active
}

// boolean returns a boolean, also from a string: the same words as scim.canonicalBoolean accepts.
func boolean(v any) (value, known bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case string:
		v = strings.ToLower(v) // EqualFold would accept falſe
		return v == "true", v == "true" || v == "false"
	}
	return false, false
}
