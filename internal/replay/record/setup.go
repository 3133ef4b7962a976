package record

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"serverless-scim/internal/replay"
)

// nameKey returns the unique name of a resource, in lower case, with the endpoint.
func nameKey(endpoint string, attributes map[string]any) string {
	name, _ := attributes[nameAttribute(endpoint)].(string)
	return endpoint + " " + strings.ToLower(name)
}

func nameAttribute(endpoint string) string {
	if strings.EqualFold(endpoint, "Users") {
		return "userName"
	}
	return "displayName"
}

// addConflict adds the resources that have a name in a rejected body, unless they are known already.
func (h *history) addConflict(x *exchange) {
	attribute := nameAttribute(x.endpoint)
	w := walker{name: func(name string) string { return name }}
	w.value = func(at []string, _ jsontext.Kind, text string) string {
		if len(at) == 1 && at[0] == strings.ToLower(attribute) {
			c := &existingResource{endpoint: x.endpoint, attributes: map[string]any{attribute: text}}
			if !h.names[nameKey(c.endpoint, c.attributes)] {
				h.conflicts = append(h.conflicts, c)
			}
		}
		return text
	}
	w.walk(x.RequestBody, nil)
}

// addConflicts adds the resources of conflicts that no response has shown.
func (h *history) addConflicts() {
	for i, c := range h.conflicts {
		key := nameKey(c.endpoint, c.attributes)
		hasName := func(r *existingResource) bool { return nameKey(r.endpoint, r.attributes) == key }
		if !slices.ContainsFunc(h.existing, hasName) {
			c.id = fmt.Sprintf("conflict-%d", i+1)
			h.existing = append(h.existing, c)
		}
	}
}

// inOrder returns the resources that existed before, each after those that it refers to, and otherwise in the order of
// their creation. This server lists resources in that order.
func (h *history) inOrder() (ordered []*existingResource) {
	slices.SortStableFunc(h.existing, func(a, b *existingResource) int { return cmp.Compare(a.created(), b.created()) })
	visited := map[string]bool{}
	var visit func(*existingResource)
	visit = func(r *existingResource) {
		if r == nil || visited[r.id] {
			return
		}
		visited[r.id] = true
		for _, id := range r.members {
			visit(h.byID[id])
		}
		for _, m := range managers(r.attributes) {
			visit(h.byID[m.id])
		}
		ordered = append(ordered, r)
	}
	for _, r := range h.existing {
		visit(r)
	}
	return ordered
}

// created returns when the resource was created, or "" if no response has shown it.
func (r *existingResource) created() string {
	meta, _ := r.attributes["meta"].(map[string]any)
	created, _ := meta["created"].(string)
	return created
}

// create returns an exchange that creates the resource, at the time of another exchange.
func (r *existingResource) create(n int, like *exchange) *exchange {
	body := maps.Clone(r.attributes)
	maps.DeleteFunc(body, func(name string, v any) bool {
		return slices.Contains([]string{"id", "meta", "groups", "members"}, name)
	})
	for name, v := range body {
		if m := managers(map[string]any{"": v}); len(m) > 0 {
			extension := maps.Clone(v.(map[string]any))
			extension["manager"] = map[string]any{"value": m[0].id}
			body[name] = extension
		}
	}
	if name := nameAttribute(r.endpoint); body[name] == nil {
		body[name] = fmt.Sprintf("existing-%d", n+1)
	}
	var members []any
	for _, id := range r.members {
		members = append(members, map[string]any{"value": id})
	}
	if members != nil {
		body["members"] = members
	}
	text, _ := json.Marshal(body) // it was decoded from JSON
	answer, _ := json.Marshal(map[string]any{"id": r.id})
	header := http.Header{"Content-Type": {"application/scim+json"}, "Authorization": {"Bearer scrubbed"}}
	return &exchange{method: http.MethodPost, endpoint: r.endpoint, setup: true, Exchange: Exchange{
		Request: &http.Request{Header: header}, RequestBody: text, Time: like.Time,
		Response: replay.Response{Status: http.StatusCreated, Body: answer},
	}}
}
