package record

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// personalAttributes holds the kind of the attributes whose values identify a person or a company. The names are in
// lower case. The kind also applies to subattributes without a kind.
var personalAttributes = map[string]string{
	"username": "userName", "externalid": "externalId", "emails": "e-mail address", "phonenumbers": "phone number",
	"ims": "address of instant messages", "photos": "photo", "profileurl": "URL", "x509certificates": "certificate",
	"name": "name", "givenname": "name", "familyname": "name", "middlename": "name", "formatted": "name",
	"honorificprefix": "name", "honorificsuffix": "name", "nickname": "name", "displayname": "name", "display": "name",
	"addresses": "address", "streetaddress": "address", "locality": "address", "region": "address", "postalcode": "address",
	"title": "job data", "employeenumber": "job data", "costcenter": "job data", "organization": "job data",
	"division": "job data", "department": "job data", "manager": "job data",
}

// protocolAttributes are the attributes whose values are words of the protocol, choices, or set by the server.
var protocolAttributes = []string{"active", "attributes", "bulkid", "count", "country", "created", "cursor",
	"excludedattributes", "failonerrors", "itemsperpage", "lastmodified", "locale", "method", "nextcursor", "op",
	"preferredlanguage", "primary", "resourcetype", "scimtype", "sortby", "sortorder", "startindex", "status", "timezone",
	"totalresults", "type", "version"}

// structuralAttributes contain other attributes or references, or are texts of the server.
var structuralAttributes = []string{"data", "detail", "entitlements", "groups", "id", "members", "meta", "operations", "resources",
	"response", "roles", "schemas", "usertype", "value"}

// discoveryEndpoints have responses that describe the server.
var discoveryEndpoints = []string{"ResourceTypes", "Schemas", "ServiceProviderConfig"}

// A Replacement is a value that was replaced in a recording.
type Replacement struct {
	Kind     string // what the value is, such as "e-mail address"
	Original string
	MadeUp   string
	Count    int // how often
}

// A scrubber replaces values of a recording. If personal is false, it replaces only secrets.
type scrubber struct {
	personal bool
	names    *pseudonyms
	ids      map[string]bool // IDs of resources
	tokens   map[string]bool
	secrets  map[string]string // password → replacement
	cursors  map[string]string // cursor → replacement
	replaced map[[2]string]*Replacement
	order    []*Replacement
	learning bool // whether values are only collected
	group    bool // whether the resource is a group
	masked   bool // whether the last body was not JSON

	hidesDetail bool   // whether error messages are replaced, because they can contain a part of a body that is not JSON
	list        []byte // the response to the request in work
	failure     string // why the request in work cannot be scrubbed
}

func newScrubber(personal bool, ids map[string]bool) *scrubber {
	return &scrubber{personal: personal, names: newPseudonyms(ids), ids: ids, tokens: map[string]bool{},
		secrets: map[string]string{}, cursors: map[string]string{}, replaced: map[[2]string]*Replacement{}}
}

// note counts a replacement, and returns the made-up value.
func (s *scrubber) note(kind, original, madeUp string) string {
	if s.learning || original == madeUp {
		return madeUp
	}
	key := [2]string{kind, original}
	if s.replaced[key] == nil {
		s.replaced[key] = &Replacement{Kind: kind, Original: original, MadeUp: madeUp}
		s.order = append(s.order, s.replaced[key])
	}
	s.replaced[key].Count++
	return madeUp
}

// learnToken collects the token of an Authorization header.
func (s *scrubber) learnToken(authorization string) {
	fields := strings.Fields(authorization)
	if len(fields) > 0 && len(fields[len(fields)-1]) > 5 {
		s.tokens[fields[len(fields)-1]] = true
	}
}

// json returns a body with its values replaced. A text that is not JSON keeps only its punctuation, so that it remains
// no JSON.
func (s *scrubber) json(body []byte) []byte {
	w := walker{value: s.value, name: func(name string) string {
		if plainName().MatchString(name) {
			return name
		}
		return s.filter(name)
	}}
	out, ok := w.walk(body, nil)
	if s.masked = !ok && len(body) > 0; s.masked {
		return []byte(s.note("body that is not JSON", string(body), mask(string(body))))
	}
	return out
}

var plainName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z$][\w$.:-]{0,150}$`) })

// mask replaces letters and digits. It keeps a byte that is not UTF-8.
func mask(text string) string {
	return runPattern().ReplaceAllStringFunc(text, func(run string) string { return strings.Repeat("x", len([]rune(run))) })
}

// value returns the replacement of a string or number in a body.
func (s *scrubber) value(attribute []string, kind jsontext.Kind, text string) string {
	last := ""
	if len(attribute) > 0 {
		last = attribute[len(attribute)-1]
	}
	switch {
	case text == "":
		return ""
	case last == "password":
		return s.password(text, kind)
	case kind == '0':
		return s.number(attribute, text)
	case slices.Contains([]string{"token", "secret", "clientsecret", "apikey", "authorization"}, last):
		s.tokens[text] = true
		return s.note("token", text, "scrubbed")
	case last == "schemas" && (strings.HasPrefix(text, "urn:") || strings.HasPrefix(text, "http")):
		return s.secret(text)
	case last == "path" || last == "filter":
		return s.filter(text)
	case last == "location" || last == "$ref":
		return s.location(text)
	case last == "version":
		return s.version(text)
	case last == "detail" && s.hidesDetail:
		return s.note("detail", text, "scrubbed")
	case last == "nextcursor" || last == "previouscursor" || last == "cursor":
		return s.cursor(text)
	}
	return s.text(attribute, text)
}

// number returns a number. A number of a person is replaced by one of the same length.
func (s *scrubber) number(attribute []string, text string) string {
	kind := s.kind(attribute)
	if !s.personal || kind == "" && len(text) < 7 {
		return text
	}
	if s.learning {
		s.names.learn(text)
		return text
	}
	madeUp := s.names.replace(text, everything)
	if madeUp[0] == '0' {
		madeUp = "1" + madeUp[1:]
	}
	return s.note(cmp.Or(kind, "number"), text, madeUp)
}

// kind returns the kind of an attribute that identifies a person or a company, or "". An attribute that this package does not
// know can identify one, too.
func (s *scrubber) kind(attribute []string) string {
	for _, name := range slices.Backward(attribute) {
		switch kind := personalAttributes[name]; {
		case slices.Contains(protocolAttributes, name), name == "value" && attribute[0] == "members":
			return ""
		case kind == "name" && (s.group && len(attribute) == 1 || attribute[0] == "groups"):
			return "group's displayName"
		case kind != "":
			return kind
		}
	}
	isStructural := func(name string) bool { return slices.Contains(structuralAttributes, name) }
	if len(attribute) > 0 && !slices.ContainsFunc(attribute, isStructural) {
		return "other attribute"
	}
	return ""
}

// text returns the replacement of a string of an attribute. The attribute is nil if it is not known.
func (s *scrubber) text(attribute []string, text string) string {
	lower := strings.ToLower(text)
	isPersonal := s.names.originals[lower]
	kind := s.kind(attribute)
	isReference := kind == "" || slices.Contains(attribute, "manager")
	switch {
	case !s.personal && len(attribute) > 0 && slices.Contains(protocolAttributes, attribute[len(attribute)-1]):
		return s.token(text)
	case !s.personal || s.ids[text] && isReference && !isPersonal:
		return s.secret(text)
	case s.learning:
		s.learn(kind, text)
		return text
	case kind != "":
		return s.note(kind, text, s.names.replace(text, everything))
	}
	scope := known
	switch last := slices.Concat([]string{""}, attribute)[len(attribute)]; {
	case slices.Contains(protocolAttributes, last):
		return s.note("other text", text, s.token(s.names.replace(text, suspicious)))
	case last == "detail":
	case isPersonal, len(text) > 16 && !isDate(text) && !strings.HasPrefix(text, "urn:"):
		scope = everything
	}
	return s.note("other text", text, s.secret(s.names.replace(text, scope)))
}

// learn collects a text if it has a kind, and otherwise only the e-mail addresses and the hosts in it.
func (s *scrubber) learn(kind, text string) {
	if kind != "" {
		s.names.originals[strings.ToLower(text)] = true
		s.names.learn(text)
		return
	}
	for _, m := range tokenPattern().FindAllString(text, -1) {
		if strings.Contains(m, "@") || strings.Contains(m, "://") {
			s.names.learn(m)
		}
	}
}

// token returns a text without tokens.
func (s *scrubber) token(text string) string {
	for _, token := range longestFirst(s.tokens) {
		if strings.Contains(text, token) {
			text = s.note("token", text, strings.ReplaceAll(text, token, "scrubbed"))
		}
	}
	return text
}

// secret returns a text without tokens, and without passwords of six or more characters.
func (s *scrubber) secret(text string) string {
	text = s.token(text)
	for _, password := range longestFirst(s.secrets) {
		if len(password) > 5 && strings.Contains(text, password) {
			text = s.note("password", text, strings.ReplaceAll(text, password, s.secrets[password]))
		}
	}
	return text
}

// longestFirst returns the keys of m, so that a key is found before its parts.
func longestFirst[V any](m map[string]V) []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
}

// password returns the replacement of a password.
func (s *scrubber) password(text string, kind jsontext.Kind) string {
	if kind == '0' {
		return s.note("password", text, "12345678")
	}
	if s.secrets[text] == "" {
		s.secrets[text] = randomLike(strings.Repeat("x1", (len([]rune(text))+1)/2), "abcdefghijkmnopqrstuvwxyz",
			newPseudonyms(nil).noise(len(s.secrets)))
	}
	return s.note("password", text, s.secrets[text])
}

// cursor returns the replacement of a cursor, which is a position in the order of values.
func (s *scrubber) cursor(text string) string {
	if s.personal && s.cursors[text] == "" {
		s.cursors[text] = "cursor-" + nameAt(len(s.cursors))
	}
	return s.note("cursor", text, cmp.Or(s.cursors[text], s.secret(text)))
}

// location returns the address of a resource with the address of the recorded API. It drops everything else.
func (s *scrubber) location(text string) string {
	address := strings.TrimSuffix(text, "/")
	tail := lastTwoSegments(address)
	if endpoint, id, ok := strings.Cut(tail, "/"); ok {
		tail = endpoint + "/" + s.segment(endpoint, id)
	}
	if isAbsoluteURL(text) {
		tail = publicURL + "/" + tail
	}
	return s.note("address of the server", text, tail)
}

// version returns an entity tag, or a list of them. This server adds a digest of names to the version.
func (s *scrubber) version(text string) string {
	if !s.personal {
		return s.secret(text)
	}
	return s.note("entity tag", text, s.secret(digestPattern().ReplaceAllStringFunc(text, s.names.code)))
}

var digestPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\b[0-9a-f]{8}\b`) })

// filter returns a filter or a path with the values in it replaced.
func (s *scrubber) filter(text string) string {
	return mapFilter(text, s.compared, func(rest string) string {
		if !s.personal || s.learning {
			return s.token(rest)
		}
		return s.token(s.names.replace(rest, suspicious))
	})
}

// compared returns the replacement of a value that a filter compares with an attribute.
func (s *scrubber) compared(attribute []string, operator, text string) string {
	if attribute == nil {
		attribute = []string{"externalid"} // not a valid filter
	}
	isPart := slices.Contains([]string{"co", "sw", "ew"}, operator)
	switch {
	case !s.personal || s.kind(attribute) == "":
		return s.text(attribute, text)
	case s.learning && isPart:
		return text
	case isPart && text != "":
		return s.note(s.kind(attribute), text, s.part(attribute, operator, text))
	case !s.learning && slices.Contains([]string{"gt", "ge", "lt", "le"}, operator):
		s.failure = "The filter compares the order of personal values, which scrubbing changes."
	}
	return s.text(attribute, text)
}

// part returns the replacement of a part of a value of an attribute. It must be the same part of the replacement of each
// value in the response.
func (s *scrubber) part(attribute []string, operator, part string) string {
	result := ""
	w := walker{name: func(name string) string { return name }}
	w.value = func(at []string, kind jsontext.Kind, whole string) string {
		begin, ok := partOf(operator, whole, part)
		if !ok || kind != '"' || !slices.Equal(at, attribute) && !slices.Equal(at, append(attribute[:1:1], "value")) {
			return whole
		}
		if result == "" {
			result = s.names.replacePart(whole, begin, begin+len(part))
		}
		if _, found := partOf(operator, s.names.replace(whole, everything), result); !found {
			s.failure = "The filter compares parts of personal values, which scrubbing changes."
		}
		return whole
	}
	w.walk(s.list, nil)
	return cmp.Or(result, s.names.replace(part, everything))
}

// partOf returns where whole contains part, begins with it, or ends with it, without regard to case.
func partOf(operator, whole, part string) (begin int, ok bool) {
	lower, lowerPart := strings.ToLower(whole), strings.ToLower(part)
	begin = strings.Index(lower, lowerPart)
	switch {
	case len(lower) != len(whole) || len(lowerPart) != len(part):
		return 0, false
	case operator == "sw":
		return 0, begin == 0
	case operator == "ew":
		return len(whole) - len(part), strings.HasSuffix(lower, lowerPart)
	}
	return begin, begin >= 0
}
