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

// owner is a client of a tenant that others use, too. What it knows of its own resources is certain: nobody else
// changes them. Its names begin with its prefix. In a group that belongs to all it answers for its own users.
type owner struct {
	*client
	random *rand.Rand
	prefix string
	made   int
	busy   int // answers of 429
	users  map[string]*known
	groups map[string]*known
	common *known
}

// known is a resource as the owner left it.
type known struct {
	id, name, title string
	members         map[string]bool
}

func newOwner(c *client, prefix, common string, seed uint64) *owner {
	return &owner{
		client: c, random: rand.New(rand.NewPCG(seed, 0)), prefix: prefix, users: map[string]*known{}, groups: map[string]*known{},
		common: &known{id: common, name: "common", members: map[string]bool{}},
	}
}

// ask repeats a request until it is done, as Okta does, but without the pause. repeated tells whether an attempt
// before the answer had been answered by 429; it may have happened.
func (o *owner) ask(method, path string, body any) (a answer, repeated bool) {
	text := ""
	if body != nil {
		b, _ := json.Marshal(body)
		text = string(b)
	}
	for range 200 {
		a = o.do(method, path, text)
		if a.status >= 500 {
			o.Errorf("%s %s: %d %s", method, path, a.status, a.text)
		}
		if a.status != 429 {
			return a, repeated
		}
		if n, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || n < 1 {
			o.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
		}
		repeated = true
		o.busy++
		time.Sleep(time.Millisecond)
	}
	o.Errorf("%s %s: 429 for ever", method, path)
	return a, repeated
}

// done asks for what must succeed. orElse is the status that a repetition may have because the first attempt happened.
func (o *owner) done(method, path string, body any, status, orElse int) answer {
	a, repeated := o.ask(method, path, body)
	if a.status != status && !(repeated && a.status == orElse) {
		o.Errorf("%s %s %v: %d %s, want %d (or %d: %v)", method, path, body, a.status, a.text, status, orElse, repeated)
	}
	return a
}

// step does one thing of many.
func (o *owner) step() {
	u, g := o.any(o.users), o.any(o.groups)
	switch n := o.random.IntN(18); {
	case n < 3 || u == nil:
		o.makeUser()
	case n < 5 || g == nil:
		o.makeGroup()
	case n == 5:
		o.nameTaken(u)
	case n == 6:
		o.rename(u)
	case n == 7:
		u.title = o.word("title")
		o.same(u, o.done("PATCH", "/Users/"+u.id, operations("replace", "title", u.title), 200, 0).body)
	case n > 15 && len(o.users) > 2:
		o.done("DELETE", "/Users/"+u.id, nil, 204, 404)
		o.forget(u)
	case (n == 8 || n == 9) && len(o.groups) > 1:
		o.done("DELETE", "/Groups/"+g.id, nil, 204, 404)
		delete(o.groups, g.id)
	case n == 10:
		g.name, g.members = o.word("group"), o.some()
		o.same(g, o.done("PUT", "/Groups/"+g.id, resource(g), 200, 0).body)
	case n == 11:
		o.find(u)
		o.list()
	case n == 12:
		o.nameTaken(u)
		o.list()
	case n == 13:
		o.check(o.common)
	case n == 14:
		o.members(o.common)
	default:
		o.members(g)
		o.check(u)
		o.check(g)
	}
}

func (o *owner) any(of map[string]*known) *known {
	if len(of) == 0 {
		return nil
	}
	all := slices.Sorted(maps.Keys(of))
	return of[all[o.random.IntN(len(all))]]
}

func (o *owner) some() map[string]bool {
	m := map[string]bool{}
	for range o.random.IntN(4) {
		m[o.any(o.users).id] = true
	}
	return m
}

func (o *owner) word(what string) string {
	o.made++
	return fmt.Sprintf("%s %s %d", o.prefix, what, o.made)
}

func (k *known) path() string {
	if k.members == nil {
		return "/Users"
	}
	return "/Groups"
}

// resource is what the owner sends for a user or a group.
func resource(k *known) scim.Object {
	if k.members == nil {
		return scim.Object{"userName": k.name, "title": k.title}
	}
	return scim.Object{"displayName": k.name, "members": list(k.members)}
}

func list(members map[string]bool) []any {
	l := []any{}
	for _, id := range slices.Sorted(maps.Keys(members)) {
		l = append(l, scim.Object{"value": id})
	}
	return l
}

func operations(op, path string, value any) scim.Object {
	return scim.Object{"Operations": []any{scim.Object{"op": op, "path": path, "value": value}}}
}

func (o *owner) makeUser() {
	u := &known{name: o.word("user"), title: o.word("title")}
	if o.make(u); u.id != "" {
		o.users[u.id] = u
	}
}

func (o *owner) makeGroup() {
	g := &known{name: o.word("group"), members: o.some()}
	if o.make(g); g.id != "" {
		o.groups[g.id] = g
	}
}

// make creates a resource; one whose name is taken by an attempt before is found by it.
func (o *owner) make(k *known) {
	a := o.done("POST", k.path(), resource(k), 201, 409)
	if a.status == 409 {
		a.body, _ = o.found(k).at("Resources.0").(scim.Object)
	}
	if k.id, _ = a.body["id"].(string); k.id != "" {
		o.same(k, a.body)
	}
}

func (o *owner) nameTaken(u *known) {
	if a, _ := o.ask("POST", "/Users", scim.Object{"userName": strings.ToUpper(u.name)}); a.status != 409 {
		o.Errorf("the name %s is taken: %d %s", u.name, a.status, a.text)
	}
}

// rename leaves the old name free.
func (o *owner) rename(u *known) {
	old := *u
	u.name, u.title = o.word("user"), o.word("title")
	o.same(u, o.done("PUT", "/Users/"+u.id, resource(u), 200, 0).body)
	if n := o.found(&old).at("totalResults"); fmt.Sprint(n) != "0" {
		o.Errorf("%s is still found under the name %s", u.id, old.name)
	}
}

func (o *owner) forget(u *known) {
	delete(o.users, u.id)
	delete(o.common.members, u.id)
	for _, g := range o.groups {
		delete(g.members, u.id)
	}
}

// members adds some and then removes some.
func (o *owner) members(g *known) {
	add, remove := o.some(), o.some()
	o.patch(g, "add", add)
	maps.Copy(g.members, add)
	o.patch(g, "remove", remove)
	for id := range remove {
		delete(g.members, id)
	}
	o.check(g)
}

// patch takes 204 for success, too: what is done but cannot be read back before the deadline.
func (o *owner) patch(g *known, op string, members map[string]bool) {
	if len(members) == 0 {
		return
	}
	if a, _ := o.ask("PATCH", "/Groups/"+g.id, operations(op, "members", list(members))); a.status != 200 && a.status != 204 {
		o.Errorf("PATCH %s %s %v: %d %s", g.id, op, members, a.status, a.text)
	}
}

func (o *owner) found(k *known) answer {
	attribute := map[string]string{"/Users": "userName", "/Groups": "displayName"}[k.path()]
	return o.done("GET", k.path()+"?filter="+url.QueryEscape(attribute+` eq "`+k.name+`"`), nil, 200, 0)
}

func (o *owner) find(k *known) {
	a := o.found(k)
	if first, _ := a.at("Resources.0").(scim.Object); fmt.Sprint(a.at("totalResults")) == "1" && first != nil {
		o.same(k, first)
		return
	}
	o.Errorf("%s is not found by its name: %s", k.name, a.text)
}

// list finds all of the owner's users by their prefix, and nobody else.
func (o *owner) list() {
	a := o.done("GET", "/Users?count=1000&filter="+url.QueryEscape(`userName sw "`+o.prefix+` "`), nil, 200, 0)
	got := map[string]bool{}
	resources, _ := a.body["Resources"].([]any)
	for _, r := range resources {
		got[r.(scim.Object)["id"].(string)] = true
	}
	if want := userIDs(o.users); !maps.Equal(got, want) || len(resources) != len(want) {
		o.Errorf("%s lists %v, want %v", o.prefix, got, want)
	}
}

func (o *owner) check(k *known) { o.same(k, o.done("GET", k.path()+"/"+k.id, nil, 200, 0).body) }

func (o *owner) checkAll() {
	o.list()
	o.check(o.common)
	for _, k := range slices.Concat(slices.Collect(maps.Values(o.users)), slices.Collect(maps.Values(o.groups))) {
		o.check(k)
		o.find(k)
	}
}

// same compares a resource with what the owner knows of it.
func (o *owner) same(k *known, got scim.Object) {
	if got["id"] != k.id {
		o.Errorf("want %s, got %v", k.id, got)
	}
	if k.members == nil {
		in := map[string]bool{}
		for _, g := range append(slices.Collect(maps.Values(o.groups)), o.common) {
			if g.members[k.id] {
				in[g.id] = true
			}
		}
		if groups := ids(got, "groups"); got["userName"] != k.name || got["title"] != k.title || !maps.Equal(groups, in) {
			o.Errorf("want %s, %s in %v, got %v", k.name, k.title, in, got)
		}
		return
	}
	members := ids(got, "members")
	if k == o.common {
		maps.DeleteFunc(members, func(id string, _ bool) bool { return o.users[id] == nil })
	}
	if got["displayName"] != k.name || !maps.Equal(members, k.members) {
		o.Errorf("want %s with %v, got %v", k.name, k.members, got)
	}
}

func userIDs(users map[string]*known) map[string]bool {
	is := map[string]bool{}
	for id := range users {
		is[id] = true
	}
	return is
}
