package traffic

import (
	"net/http"
	"strings"
)

// TokenPath is the path of the token endpoint (RFC 6749 §3.2) after the base path.
const TokenPath = "/oauth/token"

// Describe returns what an exchange means, in one sentence of at most maxSentenceLength characters. The sentence is plain
// text, and contains names that the client chose. It has no value of a password, and no other values but names.
func Describe(e *Exchange) string {
	switch {
	case e.Status == http.StatusUnauthorized && e.Path == TokenPath:
		return subject(e.Client) + " does not authenticate as an OAuth client (401)"
	case e.Status == http.StatusUnauthorized && e.Header.Get("Authorization") == "":
		return subject(e.Client) + " sends no token (401)"
	case e.Status == http.StatusUnauthorized:
		return subject(e.Client) + " sends no valid token (401)"
	}
	s := newStory(e)
	a := s.action()
	if problem, ending := s.problem(); problem != "" {
		begin := subject(e.Client) + " cannot " + a.text(func(verb string) string { return verb })
		return fit(begin+": "+problem, ending)
	}
	return fit(subject(e.Client)+" "+a.text(thirdPerson), a.result)
}

// action returns what the request asks for.
func (s story) action() action {
	search := s.Method == http.MethodPost && (s.endpoint == ".search" || strings.EqualFold(s.id, ".search"))
	get := s.Method == http.MethodGet || s.Method == http.MethodHead
	switch {
	case s.endpoint == "bulk" && s.Method == http.MethodPost:
		return s.bulk()
	case s.Path == TokenPath && s.Method == http.MethodPost:
		return simple("request", "an access token", "")
	case s.endpoint == "changes" && get:
		return s.readChanges()
	case s.discovery() != "" && get:
		return simple("read", s.discovery(), "")
	case search, s.isResource() && s.id == "" && get:
		return s.list()
	case !s.isResource():
		return s.other()
	case s.id == "" && s.Method == http.MethodPost:
		return s.create()
	case s.id == "":
		return s.other()
	}
	switch s.Method {
	case http.MethodGet, http.MethodHead:
		return s.read()
	case http.MethodDelete:
		return simple("delete", s.object(), "")
	case http.MethodPut:
		return s.replace()
	case http.MethodPatch:
		return s.patch()
	}
	return s.other()
}

// other returns the action of a request that has no meaning in SCIM.
func (s story) other() action {
	path := clean(shortenBytes("/" + strings.TrimLeft(s.Path, "/")))
	return simple("send", strings.TrimSpace(shorten(clean(s.Method), 10)+" to "+shorten(path, maxNameLength)), "")
}
