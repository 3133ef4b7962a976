package traffic

import (
	"fmt"
	"net/http"
	"strconv"
)

// bulk returns the action of a bulk request (RFC 7644 §3.7).
func (s story) bulk() action {
	failed := 0
	for _, operation := range elements(s.reply, "Operations") {
		status, _ := strconv.Atoi(text(operation, "status"))
		if n, ok := number(operation, "status"); ok {
			status = n
		}
		if status >= http.StatusBadRequest {
			failed++
		}
	}
	result := ""
	if failed > 0 {
		result = fmt.Sprintf(": %d failed", failed)
	}
	object := "a bulk request"
	if n := len(elements(s.request, "Operations")); n > 0 {
		object += " with " + s.atLeast(n, "operation")
	}
	return simple("send", object, result)
}

// atLeast returns a number of things in the request. If the request is cut off, there may be more.
func (s story) atLeast(n int, noun string) string {
	if !s.requestComplete {
		return "at least " + count(n, noun)
	}
	return count(n, noun)
}

// create returns the action of a POST.
func (s story) create() action {
	object := article(s.noun(false))
	for _, resource := range []any{s.request, s.reply} {
		if n := nameOf(s.endpoint, resource); n != "" {
			object = s.inactive(s.request) + quoteName(n)
			break
		}
	}
	if n := len(elements(s.request, "members")); n > 0 {
		object += " with " + s.atLeast(n, "member")
	}
	return simple("create", object, "")
}

// replace returns the action of a PUT. It says more if the request deactivates, activates or renames the resource.
func (s story) replace() action {
	object, result := s.object(), ""
	members, isArray := member(s.request, "members").([]any)
	switch {
	case isArray && len(members) == 0:
		result = ": no members"
	case isArray:
		result = ": " + s.atLeast(len(members), "member")
	}
	a := simple("replace", object, result+s.unchanged())
	oldName, newName := nameOf(s.endpoint, s.before), nameOf(s.endpoint, s.after)
	if oldName != "" && newName != "" && oldName != newName {
		a.phrases = append(a.phrases, phrase{verb: "rename", end: "to " + quoteName(newName)})
	}
	written := s.before != nil && s.after != nil
	switch {
	case written && isInactive(s.before) && !isInactive(s.after):
		a.phrases = append(a.phrases, phrase{verb: "activate"})
	case written && !isInactive(s.before) && isInactive(s.after):
		a.phrases = append(a.phrases, phrase{verb: "deactivate"})
	case !written && isInactive(s.request):
		a.object += " with active false"
	}
	return a
}
