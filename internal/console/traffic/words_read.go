package traffic

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// read returns the action of a GET of one resource.
func (s story) read() action {
	object := s.inactive(s.reply) + s.resourceName()
	if s.Status == http.StatusNotModified {
		return simple("read", object, ": not modified (304)")
	}
	return simple("read", object, "")
}

// readChanges returns the action of a GET of the change feed. Its first pages list all resources.
func (s story) readChanges() action {
	changes := elements(s.reply, "changes")
	listed := 0
	for _, c := range changes {
		for _, t := range elements(c, "type") {
			if t, _ := t.(string); strings.HasSuffix(t, ".listed") {
				listed++
			}
		}
	}
	more := ""
	if member(s.reply, "more") == true {
		more = ", more follow"
	}
	switch {
	case changes == nil:
		return simple("read", "the changes", "")
	case s.parameter("cursor") == "":
		return simple("begin", "to read the changes", ": "+count(len(changes), "resource")+more)
	case listed > 0 && listed == len(changes):
		return simple("read", count(listed, "resource")+" of the list before the changes", more)
	case len(changes) == 0:
		return simple("read", "no changes", more)
	}
	return simple("read", count(len(changes), "change"), more)
}

// count returns a number of things.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// A listedPage holds the numbers of a list response (RFC 7644 §3.4.2).
type listedPage struct {
	known            bool
	total, start, n  int
	resources        []any
	byCursor, isLast bool
}

func (s story) listedPage() listedPage {
	var p listedPage
	p.total, p.known = number(s.reply, "totalResults")
	p.resources = elements(s.reply, "Resources")
	p.n = len(p.resources)
	if n, ok := number(s.reply, "itemsPerPage"); ok {
		p.n = n
	}
	p.start, _ = number(s.reply, "startIndex")
	p.start = max(p.start, 1)
	next := text(s.reply, "nextCursor")
	p.byCursor = next != "" || s.parameter("cursor") != ""
	p.isLast = next == ""
	return p
}

// yesOrNo returns whether there is a result.
func (p listedPage) yesOrNo() string {
	switch {
	case !p.known:
		return ""
	case p.total == 0:
		return ": no"
	}
	return ": yes"
}

// list returns the action of a GET of an endpoint, or of a search.
func (s story) list() action {
	filter, p, nouns := s.parameter("filter"), s.listedPage(), s.noun(true)
	switch {
	case filter != "":
		return s.find(filter, p)
	case s.Client == "Okta" && s.endpoint == "users" && s.parameter("startIndex") == "1" && s.parameter("count") == "2":
		return simple("test", "the connection", p.summary(nouns)) // "Test Connector Configuration"
	case !p.known:
		return simple("list", nouns, "")
	case p.total == 0:
		return simple("list", nouns, ": none")
	case s.parameter("count") == "0":
		return simple("count", nouns, ": "+strconv.Itoa(p.total))
	case p.byCursor && p.isLast:
		return simple("list", fmt.Sprintf("the last %d of %d %s", p.n, p.total, nouns), "")
	case p.byCursor:
		return simple("list", fmt.Sprintf("%d of %d %s by cursor", p.n, p.total, nouns), "")
	case p.total > 0 && p.n == 0:
		return simple("list", fmt.Sprintf("%s from %d", nouns, p.start), fmt.Sprintf(": none, there are %d", p.total))
	case p.n >= p.total:
		return simple("list", nouns, p.summary(nouns))
	}
	return simple("list", fmt.Sprintf("%s from %d to %d of %d", nouns, p.start, min(p.start-1+p.n, p.total), p.total), "")
}

// summary returns how many of the resources the page has.
func (p listedPage) summary(nouns string) string {
	switch {
	case !p.known:
		return ""
	case p.total == 0:
		return ": no " + nouns
	case p.n >= p.total:
		return fmt.Sprintf(": all %d", p.total)
	}
	return fmt.Sprintf(": %d of %d %s", p.n, p.total, nouns)
}

var (
	// equality matches a filter that compares one attribute with a string.
	equality = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?is)^\s*([a-z$][\w:.$-]*(?:\[[^\]]*\])?[\w.]*)\s+eq\s+"((?:[^"\\]|\\.)*)"\s*$`)
	})
	// memberTest matches a filter that asks whether a group has a member. Entra ID sends it.
	memberTest = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)^\s*id\s+eq\s+"([^"\\]*)"\s+and\s+members(?:\.value)?\s+eq\s+"([^"\\]*)"\s*$`)
	})
	// guid matches the random userName by which Entra ID tests a connection.
	guid = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	})
)

// find returns the action of a list with a filter.
func (s story) find(filter string, p listedPage) action {
	if len(filter) > 10_000 { // the server accepts no longer one
		filter = filter[:10_000]
	}
	if m := memberTest().FindStringSubmatch(filter); m != nil && s.endpoint == "groups" {
		return simple("ask", "whether "+shortID(m[2])+" is a member of the group "+shortID(m[1]), p.yesOrNo())
	}
	m := equality().FindStringSubmatch(filter)
	if m == nil {
		return s.search(filter, p)
	}
	attribute, value := attributeName(m[1]), unescape(m[2])
	if isSecretName(attribute) {
		return s.search(attribute, p)
	}
	isUserName := s.endpoint == "users" && strings.EqualFold(attribute, "userName")
	if isUserName && s.Client != "Okta" && guid().MatchString(value) && p.known && p.total == 0 {
		return simple("test", "the connection by a random userName", ": none")
	}
	return simple("look", fmt.Sprintf("for %s by %s %s", article(s.noun(false)), attribute, quoteName(value)), s.found(value, p))
}

// search returns the action of a list with a filter that is more than one comparison.
func (s story) search(filter string, p listedPage) action {
	result := ""
	if p.known {
		result = fmt.Sprintf(": %d found", p.total)
	}
	return simple("search", s.noun(true)+" by "+shorten(clean(shortenBytes(filter)), 60), result)
}

// found returns what a look-up by a value found.
func (s story) found(value string, p listedPage) string {
	switch {
	case !p.known:
		return ""
	case p.total == 0:
		return ": none"
	case p.total > 1 || len(p.resources) != 1:
		return fmt.Sprintf(": %d found", p.total)
	}
	result := "found"
	if n := nameOf(s.endpoint, p.resources[0]); n != "" && !strings.EqualFold(n, value) {
		result = quoteName(n)
	}
	if isInactive(p.resources[0]) {
		result += " (inactive)"
	}
	return ": " + result
}

// unescape returns the value of a string in a filter, which is a JSON string (RFC 7644 §3.4.2.2).
func unescape(s string) string {
	if v, complete := parseJSON(`"` + s + `"`); complete {
		s, _ = v.(string)
	}
	return s
}

func isSecretName(attribute string) bool {
	attribute = strings.ToLower(attribute)
	return strings.Contains(attribute, "password") || strings.Contains(attribute, "secret") || strings.Contains(attribute, "token")
}

// attributeName returns the name of an attribute for a sentence: without its schema, and of values that a filter selects,
// without the filter and the sub-attribute.
func attributeName(path string) string {
	path, _, _ = strings.Cut(shortenBytes(path), "[")
	if len(path) > 4 && strings.EqualFold(path[:4], "urn:") {
		path = path[strings.LastIndexByte(path, ':')+1:]
	}
	return quoteName(strings.TrimSpace(path))
}
