package record

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// An existingResource is a resource that existed before the recording.
type existingResource struct {
	id, endpoint string
	attributes   map[string]any // as they were shown first
	members      []string       // IDs of the members before the recording
}

// history is what the exchanges so far tell about resources.
type history struct {
	existing  []*existingResource
	byID      map[string]*existingResource
	created   map[string]bool            // IDs of resources that the recording creates
	names     map[string]bool            // lower-case names of the resources that were created or shown, with the endpoint
	mentioned map[string]map[string]bool // ID of a changed resource → words in the bodies that changed it
	complete  map[string]bool            // IDs of groups whose members were shown
	cursors   map[string]bool            // cursors in responses
	conflicts []*existingResource        // names that a request could not use, without an ID
}

// addSetup sets the reason of each exchange that cannot be played. It returns the exchanges after those that create the
// resources that existed before. These resources are the ones that a response shows, or that a request to their path
// finds. Each is created as the first response shows it. b.ids gets the IDs of all resources.
func (b *recordingBuilder) addSetup(all []*exchange) []*exchange {
	h := &history{byID: map[string]*existingResource{}, created: map[string]bool{}, names: map[string]bool{},
		mentioned: map[string]map[string]bool{}, complete: map[string]bool{}, cursors: map[string]bool{}}
	for _, x := range all {
		x.check(h)
		h.add(x)
	}
	h.addConflicts()
	b.ids = h.created
	var setup []*exchange
	for _, r := range h.inOrder() {
		b.ids[r.id] = true
		setup = append(setup, r.create(len(setup), all[0]))
	}
	return append(setup, all...)
}

// check sets the reason why an exchange cannot be played.
func (x *exchange) check(h *history) {
	status := x.Response.Status
	switch cursor := x.parameter("cursor"); {
	case x.leftOut != "":
	case len(x.Response.Body) > 0 && !jsontext.Value(x.Response.Body).IsValid():
		x.leftOut = "The response is not JSON."
	case strings.EqualFold(x.endpoint, "Changes"):
		x.leftOut = "The list of changes differs on each server."
	case strings.EqualFold(x.endpoint, "Bulk") && status == http.StatusOK:
		x.leftOut = "A bulk request creates several resources."
	case status == http.StatusForbidden, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout,
		status >= 500 && status != http.StatusNotImplemented, status < 200:
		x.leftOut = fmt.Sprintf("The response depends on the token or the load (status %d).", status)
	case timeFilter().MatchString(x.parameter("filter")):
		x.leftOut = "The filter compares times or versions."
	case x.isPage():
		x.leftOut = "The response has only a part of the matches, and each server has another order."
	case cursor != "" && status == http.StatusOK && !h.cursors[cursor]:
		x.leftOut = "The cursor is older than the recording."
	}
}

var timeFilter = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)\bmeta\.(created|lastModified|version)\b|\bmeta\[`)
})

// parameter returns a parameter of a list, from the query or the body.
func (x *exchange) parameter(name string) string {
	for key, values := range x.query {
		if strings.EqualFold(key, name) {
			return values[0]
		}
	}
	var body map[string]any
	if x.id == ".search" && json.Unmarshal(x.RequestBody, &body) == nil {
		for key, v := range body {
			if text, ok := v.(string); ok && strings.EqualFold(key, name) {
				return text
			}
		}
	}
	return ""
}

// add adds an exchange to the history.
func (h *history) add(x *exchange) {
	var body map[string]any
	_ = json.Unmarshal(x.Response.Body, &body) // without a body, it shows nothing
	success := x.Response.Status/100 == 2
	isResource := x.id != "" && x.id != ".search" && !slices.Contains(discoveryEndpoints, x.endpoint)
	if isResource && (success || x.Response.Status == http.StatusNotModified || x.Response.Status == http.StatusConflict ||
		x.Response.Status == http.StatusPreconditionFailed) {
		h.note(x.id, x.endpoint)
	}
	switch {
	case x.Response.Status == http.StatusConflict:
		h.addConflict(x)
	case success && slices.Contains([]string{http.MethodPut, http.MethodPatch}, x.method):
		h.mention(x)
	case success && x.method == http.MethodPost && x.id == "":
		if id, _ := body["id"].(string); id != "" && x.leftOut == "" {
			h.created[id] = true
		}
	}
	for _, name := range []string{"nextCursor", "previousCursor"} {
		if cursor, _ := body[name].(string); cursor != "" {
			h.cursors[cursor] = true
		}
	}
	if !success || slices.Contains(discoveryEndpoints, x.endpoint) || body == nil {
		return
	}
	resources := []any{body}
	if list, ok := body["Resources"].([]any); ok {
		resources = list
	}
	for _, r := range resources {
		if r, ok := r.(map[string]any); ok {
			h.show(x, r)
		}
	}
}

// mention records the words of a body that changed a resource.
func (h *history) mention(x *exchange) {
	if h.mentioned[x.id] == nil {
		h.mentioned[x.id] = map[string]bool{}
	}
	w := walker{name: func(name string) string { return name }}
	w.value = func(_ []string, _ jsontext.Kind, text string) string {
		for _, word := range wordPattern().FindAllString(text, -1) {
			h.mentioned[x.id][word] = true
		}
		return text
	}
	w.walk(x.RequestBody, nil)
}

// wordPattern matches what can be an ID in a text.
var wordPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[^"/?&=#]+`) })

// note returns the resource with an ID, or nil if the recording creates it.
func (h *history) note(id, endpoint string) *existingResource {
	if id == "" || endpoint == "" || h.created[id] {
		return nil
	}
	if h.byID[id] == nil {
		h.byID[id] = &existingResource{id: id, endpoint: endpoint, attributes: map[string]any{}}
		h.existing = append(h.existing, h.byID[id])
	}
	return h.byID[id]
}

// show adds a resource that a response shows.
func (h *history) show(x *exchange, shown map[string]any) {
	id, _ := shown["id"].(string)
	endpoint := x.endpoint
	if meta, ok := shown["meta"].(map[string]any); ok {
		if location, _ := meta["location"].(string); location != "" {
			endpoint, _, _ = strings.Cut(lastTwoSegments(location), "/")
		}
	}
	if id == "" {
		return
	}
	h.names[nameKey(endpoint, shown)] = true
	r := h.note(id, endpoint)
	if r != nil && (len(r.attributes) == 0 || h.mentioned[id] == nil) {
		for name, v := range shown {
			if _, ok := r.attributes[name]; !ok {
				r.attributes[name] = v
			}
		}
	}
	h.showMembers(x, id, shown)
	h.showGroups(id, shown)
	for _, m := range managers(shown) {
		h.note(m.id, "Users").addName(m.display)
	}
}

// showMembers adds the members of a group. Those that the recording added were no members before.
func (h *history) showMembers(x *exchange, id string, shown map[string]any) {
	group := h.note(id, "Groups")
	for _, m := range references(shown["members"]) {
		member := h.note(m.id, m.endpoint("Users"))
		if member != nil && group != nil && !h.complete[id] && !h.mentioned[id][m.id] {
			group.addMember(m.id)
		}
		member.addName(m.display)
	}
	if _, ok := shown["members"]; ok || x.parameter("attributes") == "" && x.parameter("excludedAttributes") == "" {
		h.complete[id] = true
	}
	if group == nil && len(h.existing) > 0 {
		return
	}
	for _, m := range memberFilter().FindAllStringSubmatch(x.parameter("filter"), -1) {
		if h.note(m[1], "Users") != nil && group != nil && group.endpoint == "Groups" && !h.mentioned[id][m[1]] {
			group.addMember(m[1])
		}
	}
}

var memberFilter = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)\bmembers(?:\.value +|\[ *value +| +)eq +"([^"\\]+)"`)
})

// showGroups adds the groups of a user, with the user as a member, unless the recording made it one.
func (h *history) showGroups(user string, shown map[string]any) {
	for _, g := range references(shown["groups"]) {
		group := h.note(g.id, "Groups")
		group.addName(g.display)
		if group != nil && g.kind != "indirect" && !h.created[user] && !h.complete[g.id] && !h.mentioned[g.id][user] {
			group.addMember(user)
		}
	}
}

// managers returns the managers of a user, in each extension.
func managers(attributes map[string]any) (all []reference) {
	for _, extension := range attributes {
		if o, ok := extension.(map[string]any); ok && o["manager"] != nil {
			all = append(all, references([]any{o["manager"]})...)
		}
	}
	return all
}

func (r *existingResource) addMember(id string) {
	if !slices.Contains(r.members, id) {
		r.members = append(r.members, id)
	}
}

// addName adds the display name of a resource that is only referred to. r may be nil.
func (r *existingResource) addName(display string) {
	if r != nil && len(r.attributes) == 0 && display != "" {
		r.attributes["displayName"] = display
	}
}

// A reference is a value of members, groups, or manager.
type reference struct{ id, kind, ref, display string }

func references(v any) (all []reference) {
	values, _ := v.([]any)
	for _, v := range values {
		o, _ := v.(map[string]any)
		text := func(name string) string { s, _ := o[name].(string); return s }
		r := reference{id: text("value"), kind: text("type"), ref: text("$ref"), display: text("display")}
		if r.display == "" {
			r.display = text("displayName")
		}
		if r.id != "" {
			all = append(all, r)
		}
	}
	return all
}

// endpoint returns the endpoint of the resource.
func (r reference) endpoint(otherwise string) string {
	if endpoint, _, ok := strings.Cut(lastTwoSegments(r.ref), "/"); ok && r.ref != "" {
		return endpoint
	}
	if r.kind == "Group" {
		return "Groups"
	}
	return otherwise
}

// isPage reports whether a response has a part of the matches of a filter, or of a list by POST. Which part depends on
// the order of the IDs that a server assigns. Lists without a filter are compared without regard to pages.
func (x *exchange) isPage() bool {
	var list struct {
		TotalResults int
		Resources    []json.RawMessage
	}
	isList := x.Response.Status == http.StatusOK && (x.parameter("filter") != "" || x.id == ".search")
	return isList && json.Unmarshal(x.Response.Body, &list) == nil && list.TotalResults > len(list.Resources)
}
