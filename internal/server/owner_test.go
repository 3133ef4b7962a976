package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"serverless-scim/internal/scim"
)

// An owner is one of several clients of a tenant. It only changes its own resources, so it knows their exact state.
// Their names begin with its prefix. In the common group, it only changes and checks the memberships of its own users.
type owner struct {
	*client
	random          *rand.Rand
	prefix          string
	texts           int
	tooManyRequests int // number of 429 responses
	users           map[string]*ownedResource
	groups          map[string]*ownedResource
	common          *ownedResource
}

// An ownedResource is the expected state of a resource. members is nil for a user.
type ownedResource struct {
	id, name, title string
	members         map[string]bool
}

func newOwner(c *client, prefix, common string, seed uint64) *owner {
	return &owner{
		client: c, random: rand.New(rand.NewPCG(seed, 0)), prefix: prefix, users: map[string]*ownedResource{}, groups: map[string]*ownedResource{},
		common: &ownedResource{id: common, name: "common", members: map[string]bool{}},
	}
}

// sendUntilServed repeats a request until the status is not 429, as Okta does, but without the pause. repeated reports
// whether an attempt returned 429. Such an attempt may have taken effect.
func (o *owner) sendUntilServed(method, path string, body any) (resp clientResponse, repeated bool) {
	text := ""
	if body != nil {
		b, _ := json.Marshal(body)
		text = string(b)
	}
	for range 200 {
		resp = o.do(method, path, text)
		if resp.status >= 500 {
			o.Errorf("%s %s: %d %s", method, path, resp.status, resp.text)
		}
		if resp.status != 429 {
			return resp, repeated
		}
		if n, err := strconv.Atoi(resp.header.Get("Retry-After")); err != nil || n < 1 {
			o.Errorf("Retry-After is %q", resp.header.Get("Retry-After"))
		}
		repeated = true
		o.tooManyRequests++
		time.Sleep(time.Millisecond)
	}
	o.Errorf("%s %s: 429 after 200 attempts", method, path)
	return resp, repeated
}

// sendExpecting sends a request that must succeed with status. If an attempt returned 429, repeatedStatus is allowed,
// too, because that attempt may have taken effect.
func (o *owner) sendExpecting(method, path string, body any, status, repeatedStatus int) clientResponse {
	resp, repeated := o.sendUntilServed(method, path, body)
	if resp.status != status && !(repeated && resp.status == repeatedStatus) {
		o.Errorf("%s %s %v: %d %s, want %d (or %d: %v)", method, path, body, resp.status, resp.text, status, repeatedStatus, repeated)
	}
	return resp
}

// step sends the requests of one random action and checks the responses.
func (o *owner) step() {
	u, g := o.pickResource(o.users), o.pickResource(o.groups)
	switch n := o.random.IntN(18); {
	case n < 3 || u == nil:
		o.createUser()
	case n < 5 || g == nil:
		o.createGroup()
	case n == 5:
		o.checkNameTaken(u)
	case n == 6:
		o.rename(u)
	case n == 7:
		u.title = o.newText("title")
		o.compare(u, o.sendExpecting("PATCH", "/Users/"+u.id, patchBody("replace", "title", u.title), 200, 0).body)
	case n > 15 && len(o.users) > 2:
		o.sendExpecting("DELETE", "/Users/"+u.id, nil, 204, 404)
		o.forget(u)
	case (n == 8 || n == 9) && len(o.groups) > 1:
		o.sendExpecting("DELETE", "/Groups/"+g.id, nil, 204, 404)
		delete(o.groups, g.id)
	case n == 10:
		g.name, g.members = o.newText("group"), o.pickMembers()
		o.compare(g, o.sendExpecting("PUT", "/Groups/"+g.id, requestBody(g), 200, 0).body)
	case n == 11:
		o.checkFilterByName(u)
		o.checkList()
	case n == 12:
		o.checkNameTaken(u)
		o.checkList()
	case n == 13:
		o.checkResource(o.common)
	case n == 14:
		o.changeMembers(o.common)
	default:
		o.changeMembers(g)
		o.checkResource(u)
		o.checkResource(g)
	}
}

// pickResource returns a random resource, or nil if there are none.
func (o *owner) pickResource(resources map[string]*ownedResource) *ownedResource {
	if len(resources) == 0 {
		return nil
	}
	all := slices.Sorted(maps.Keys(resources))
	return resources[all[o.random.IntN(len(all))]]
}

// pickMembers returns the IDs of at most three random users.
func (o *owner) pickMembers() map[string]bool {
	m := map[string]bool{}
	for range o.random.IntN(4) {
		m[o.pickResource(o.users).id] = true
	}
	return m
}

// newText returns a unique text that begins with the prefix of the owner.
func (o *owner) newText(kind string) string {
	o.texts++
	return fmt.Sprintf("%s %s %d", o.prefix, kind, o.texts)
}

func (r *ownedResource) path() string {
	if r.members == nil {
		return "/Users"
	}
	return "/Groups"
}

// requestBody returns the body of a POST or PUT of a resource.
func requestBody(r *ownedResource) scim.Object {
	if r.members == nil {
		return scim.Object{"userName": r.name, "title": r.title}
	}
	return scim.Object{"displayName": r.name, "members": memberValues(r.members)}
}

func memberValues(members map[string]bool) []any {
	l := []any{}
	for _, id := range slices.Sorted(maps.Keys(members)) {
		l = append(l, scim.Object{"value": id})
	}
	return l
}

func patchBody(op, path string, value any) scim.Object {
	return scim.Object{"Operations": []any{scim.Object{"op": op, "path": path, "value": value}}}
}

func (o *owner) createUser() {
	u := &ownedResource{name: o.newText("user"), title: o.newText("title")}
	if o.createResource(u); u.id != "" {
		o.users[u.id] = u
	}
}

func (o *owner) createGroup() {
	g := &ownedResource{name: o.newText("group"), members: o.pickMembers()}
	if o.createResource(g); g.id != "" {
		o.groups[g.id] = g
	}
}

// createResource creates a resource and sets its ID. If an earlier attempt has created it, the filter by name finds it.
func (o *owner) createResource(r *ownedResource) {
	resp := o.sendExpecting("POST", r.path(), requestBody(r), 201, 409)
	if resp.status == 409 {
		resp.body, _ = o.filterByName(r).value("Resources.0").(scim.Object)
	}
	if r.id, _ = resp.body["id"].(string); r.id != "" {
		o.compare(r, resp.body)
	}
}

func (o *owner) checkNameTaken(u *ownedResource) {
	if resp, _ := o.sendUntilServed("POST", "/Users", scim.Object{"userName": strings.ToUpper(u.name)}); resp.status != 409 {
		o.Errorf("the name %s is taken, but POST returns %d %s", u.name, resp.status, resp.text)
	}
}

// rename changes the name of a user and checks that the old name is free.
func (o *owner) rename(u *ownedResource) {
	old := *u
	u.name, u.title = o.newText("user"), o.newText("title")
	o.compare(u, o.sendExpecting("PUT", "/Users/"+u.id, requestBody(u), 200, 0).body)
	if n := o.filterByName(&old).value("totalResults"); fmt.Sprint(n) != "0" {
		o.Errorf("the filter still finds %s by its old name %s", u.id, old.name)
	}
}

// forget removes a deleted user from the expected state.
func (o *owner) forget(u *ownedResource) {
	delete(o.users, u.id)
	delete(o.common.members, u.id)
	for _, g := range o.groups {
		delete(g.members, u.id)
	}
}

// changeMembers adds random members to a group and then removes random members.
func (o *owner) changeMembers(g *ownedResource) {
	add, remove := o.pickMembers(), o.pickMembers()
	o.patchMembers(g, "add", add)
	maps.Copy(g.members, add)
	o.patchMembers(g, "remove", remove)
	for id := range remove {
		delete(g.members, id)
	}
	o.checkResource(g)
}

// patchMembers adds or removes members. It also accepts 204, which means that the change is complete but could not be
// read back before the deadline.
func (o *owner) patchMembers(g *ownedResource, op string, members map[string]bool) {
	if len(members) == 0 {
		return
	}
	if resp, _ := o.sendUntilServed("PATCH", "/Groups/"+g.id, patchBody(op, "members", memberValues(members))); resp.status != 200 && resp.status != 204 {
		o.Errorf("PATCH %s %s %v: %d %s", g.id, op, members, resp.status, resp.text)
	}
}

// filterByName returns the list of resources with the name of k.
func (o *owner) filterByName(r *ownedResource) clientResponse {
	attribute := map[string]string{"/Users": "userName", "/Groups": "displayName"}[r.path()]
	return o.sendExpecting("GET", r.path()+"?filter="+url.QueryEscape(attribute+` eq "`+r.name+`"`), nil, 200, 0)
}

func (o *owner) checkFilterByName(r *ownedResource) {
	resp := o.filterByName(r)
	if first, _ := resp.value("Resources.0").(scim.Object); fmt.Sprint(resp.value("totalResults")) == "1" && first != nil {
		o.compare(r, first)
		return
	}
	o.Errorf("the filter does not find %s by its name: %s", r.name, resp.text)
}

// checkList checks that a filter by the prefix finds exactly the owner's users.
func (o *owner) checkList() {
	resp := o.sendExpecting("GET", "/Users?count=1000&filter="+url.QueryEscape(`userName sw "`+o.prefix+` "`), nil, 200, 0)
	got := map[string]bool{}
	resources, _ := resp.body["Resources"].([]any)
	for _, r := range resources {
		got[r.(scim.Object)["id"].(string)] = true
	}
	if want := userIDs(o.users); !maps.Equal(got, want) || len(resources) != len(want) {
		o.Errorf("%s lists %v, want %v", o.prefix, got, want)
	}
}

func (o *owner) checkResource(r *ownedResource) {
	o.compare(r, o.sendExpecting("GET", r.path()+"/"+r.id, nil, 200, 0).body)
}

func (o *owner) checkAll() {
	o.checkList()
	o.checkResource(o.common)
	for _, r := range slices.Concat(slices.Collect(maps.Values(o.users)), slices.Collect(maps.Values(o.groups))) {
		o.checkResource(r)
		o.checkFilterByName(r)
	}
}

// compare compares a received resource with its expected state.
func (o *owner) compare(r *ownedResource, got scim.Object) {
	if got["id"] != r.id {
		o.Errorf("want %s, got %v", r.id, got)
	}
	if r.members == nil {
		groups := map[string]bool{}
		for _, g := range append(slices.Collect(maps.Values(o.groups)), o.common) {
			if g.members[r.id] {
				groups[g.id] = true
			}
		}
		if got["userName"] != r.name || got["title"] != r.title || !maps.Equal(referencedIDs(got, "groups"), groups) {
			o.Errorf("want %s, %s in %v, got %v", r.name, r.title, groups, got)
		}
		return
	}
	members := referencedIDs(got, "members")
	if r == o.common {
		maps.DeleteFunc(members, func(id string, _ bool) bool { return o.users[id] == nil })
	}
	if got["displayName"] != r.name || !maps.Equal(members, r.members) {
		o.Errorf("want %s with %v, got %v", r.name, r.members, got)
	}
}

func userIDs(users map[string]*ownedResource) map[string]bool {
	ids := map[string]bool{}
	for id := range users {
		ids[id] = true
	}
	return ids
}
