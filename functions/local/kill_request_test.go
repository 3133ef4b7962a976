package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// request is one that writes, and what it does.
type request struct {
	method, path string
	body         any
	name         string // of the resource, afterwards
	effect       func(state)
}

type object = map[string]any

// choose is what a client does next.
func (c *client) choose() request {
	switch {
	case len(c.state.users) == 0, len(c.state.users) < c.users && c.rand.IntN(2) == 0:
		return c.createUser()
	case len(c.own()) == 0, len(c.own()) < c.groups && c.rand.IntN(2) == 0:
		return c.createGroup()
	}
	return pick(c.rand, []func() request{c.patchMembers, c.patchMembers, c.patchMembers, c.patchMembers, c.replaceGroup,
		c.replaceUser, c.patchUser, c.deleteUser, c.deleteGroup})()
}

func (c *client) createUser() request {
	name, title := c.newName(), c.newTitle()
	return request{"POST", "/Users?attributes=id", object{"userName": name, "title": title}, name,
		func(s state) { s.users[name] = title }}
}

func (c *client) createGroup() request { return c.createGroupCalled(c.newName()) }

func (c *client) createGroupCalled(name string) request {
	members := c.some()
	return request{"POST", "/Groups?attributes=id", object{"displayName": name, "members": c.values(members)}, name,
		func(s state) { s.groups[name] = set(members) }}
}

func (c *client) replaceUser() request {
	name, title := pick(c.rand, sorted(c.state.users)), c.newTitle()
	return request{"PUT", c.user(name), object{"userName": name, "title": title}, name,
		func(s state) { s.users[name] = title }}
}

func (c *client) patchUser() request {
	name, title := pick(c.rand, sorted(c.state.users)), c.newTitle()
	return request{"PATCH", c.user(name), patches(object{"op": "replace", "path": "title", "value": title}), name,
		func(s state) { s.users[name] = title }}
}

func (c *client) deleteUser() request {
	name := pick(c.rand, sorted(c.state.users))
	return request{"DELETE", c.user(name), nil, name, func(s state) {
		delete(s.users, name)
		for _, members := range s.groups {
			delete(members, name)
		}
	}}
}

func (c *client) replaceGroup() request {
	name, members := pick(c.rand, c.own()), c.some()
	return request{"PUT", c.group(name), object{"displayName": name, "members": c.values(members)}, name,
		func(s state) { s.groups[name] = set(members) }}
}

// patchMembers adds members to any group, removes some, or both; one of its own it may rename at the same time.
func (c *client) patchMembers() request {
	name, add, remove := pick(c.rand, sorted(c.state.groups)), c.some(), c.some()
	var operations []any
	if c.rand.IntN(3) > 0 {
		operations = append(operations, object{"op": "add", "path": "members", "value": c.values(add)})
	} else {
		add = nil
	}
	if add == nil || c.rand.IntN(2) == 0 {
		operations = append(operations, object{"op": "remove", "path": "members", "value": c.values(remove)})
	} else {
		remove = nil
	}
	called := name
	if c.rand.IntN(3) == 0 && !strings.HasPrefix(name, "shared-") {
		called = c.newName()
		operations = append(operations, object{"op": "replace", "path": "displayName", "value": called})
	}
	return request{"PATCH", c.group(name), patches(operations...), called, func(s state) {
		members := s.groups[name]
		maps.Copy(members, set(add))
		maps.DeleteFunc(members, func(user string, _ bool) bool { return slices.Contains(remove, user) })
		delete(s.groups, name)
		s.groups[called] = members
	}}
}

func (c *client) deleteGroup() request {
	name := pick(c.rand, c.own())
	return request{"DELETE", c.group(name), nil, name, func(s state) { delete(s.groups, name) }}
}

func (c *client) user(name string) string  { return "/Users/" + c.ids[name] + "?attributes=id" }
func (c *client) group(name string) string { return "/Groups/" + c.ids[name] + "?attributes=id" }

func (c *client) newName() string {
	c.made++
	return fmt.Sprint(c.name, "-", c.made)
}

func (c *client) newTitle() string { return fmt.Sprint(c.rand.Uint32()) }

// own is the names of its groups.
func (c *client) own() []string {
	return slices.DeleteFunc(sorted(c.state.groups), func(name string) bool { return strings.HasPrefix(name, "shared-") })
}

// some is a few of its users, half of them or all.
func (c *client) some() []string {
	users := sorted(c.state.users)
	n := pick(c.rand, []int{min(3, len(users)), len(users) / 2, len(users)})
	c.rand.Shuffle(len(users), func(i, j int) { users[i], users[j] = users[j], users[i] })
	return users[:n]
}

// values is a list of members.
func (c *client) values(users []string) []any {
	list := []any{}
	for _, name := range users {
		list = append(list, object{"value": c.ids[name]})
	}
	return list
}

func patches(operations ...any) object {
	return object{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": operations}
}

func set(names []string) map[string]bool {
	s := map[string]bool{}
	for _, name := range names {
		s[name] = true
	}
	return s
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }
