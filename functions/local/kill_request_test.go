package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// request is a writing request and its effect.
type request struct {
	method, path string
	body         any
	name         string      // of the resource, after the request
	effect       func(state) // applies the effect to a state
}

type object = map[string]any

// chooseRequest returns a random request.
func (c *client) chooseRequest() request {
	switch {
	case len(c.state.users) == 0, len(c.state.users) < c.users && c.rand.IntN(2) == 0:
		return c.createUser()
	case len(c.ownGroups()) == 0, len(c.ownGroups()) < c.groups && c.rand.IntN(2) == 0:
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

func (c *client) createGroup() request { return c.createGroupNamed(c.newName()) }

func (c *client) createGroupNamed(name string) request {
	members := c.pickUsers()
	return request{"POST", "/Groups?attributes=id", object{"displayName": name, "members": c.memberValues(members)}, name,
		func(s state) { s.groups[name] = nameSet(members) }}
}

func (c *client) replaceUser() request {
	name, title := pick(c.rand, sortedKeys(c.state.users)), c.newTitle()
	return request{"PUT", c.userPath(name), object{"userName": name, "title": title}, name,
		func(s state) { s.users[name] = title }}
}

func (c *client) patchUser() request {
	name, title := pick(c.rand, sortedKeys(c.state.users)), c.newTitle()
	return request{"PATCH", c.userPath(name), patchBody(object{"op": "replace", "path": "title", "value": title}), name,
		func(s state) { s.users[name] = title }}
}

func (c *client) deleteUser() request {
	name := pick(c.rand, sortedKeys(c.state.users))
	return request{"DELETE", c.userPath(name), nil, name, func(s state) {
		delete(s.users, name)
		for _, members := range s.groups {
			delete(members, name)
		}
	}}
}

func (c *client) replaceGroup() request {
	name, members := pick(c.rand, c.ownGroups()), c.pickUsers()
	return request{"PUT", c.groupPath(name), object{"displayName": name, "members": c.memberValues(members)}, name,
		func(s state) { s.groups[name] = nameSet(members) }}
}

// patchMembers adds members to any group, removes members, or both. It may also rename a group that is not shared.
func (c *client) patchMembers() request {
	name, add, remove := pick(c.rand, sortedKeys(c.state.groups)), c.pickUsers(), c.pickUsers()
	var operations []any
	if c.rand.IntN(3) > 0 {
		operations = append(operations, object{"op": "add", "path": "members", "value": c.memberValues(add)})
	} else {
		add = nil
	}
	if add == nil || c.rand.IntN(2) == 0 {
		operations = append(operations, object{"op": "remove", "path": "members", "value": c.memberValues(remove)})
	} else {
		remove = nil
	}
	newName := name
	if c.rand.IntN(3) == 0 && !strings.HasPrefix(name, "shared-") {
		newName = c.newName()
		operations = append(operations, object{"op": "replace", "path": "displayName", "value": newName})
	}
	return request{"PATCH", c.groupPath(name), patchBody(operations...), newName, func(s state) {
		members := s.groups[name]
		maps.Copy(members, nameSet(add))
		maps.DeleteFunc(members, func(user string, _ bool) bool { return slices.Contains(remove, user) })
		delete(s.groups, name)
		s.groups[newName] = members
	}}
}

func (c *client) deleteGroup() request {
	name := pick(c.rand, c.ownGroups())
	return request{"DELETE", c.groupPath(name), nil, name, func(s state) { delete(s.groups, name) }}
}

func (c *client) userPath(name string) string  { return "/Users/" + c.ids[name] + "?attributes=id" }
func (c *client) groupPath(name string) string { return "/Groups/" + c.ids[name] + "?attributes=id" }

func (c *client) newName() string {
	c.created++
	return fmt.Sprint(c.name, "-", c.created)
}

func (c *client) newTitle() string { return fmt.Sprint(c.rand.Uint32()) }

// ownGroups returns the names of the client's groups, without the shared ones.
func (c *client) ownGroups() []string {
	isShared := func(name string) bool { return strings.HasPrefix(name, "shared-") }
	return slices.DeleteFunc(sortedKeys(c.state.groups), isShared)
}

// pickUsers returns random users of the client: up to three, half of them, or all.
func (c *client) pickUsers() []string {
	users := sortedKeys(c.state.users)
	n := pick(c.rand, []int{min(3, len(users)), len(users) / 2, len(users)})
	c.rand.Shuffle(len(users), func(i, j int) { users[i], users[j] = users[j], users[i] })
	return users[:n]
}

// memberValues returns the JSON values of members.
func (c *client) memberValues(users []string) []any {
	list := []any{}
	for _, name := range users {
		list = append(list, object{"value": c.ids[name]})
	}
	return list
}

func patchBody(operations ...any) object {
	return object{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": operations}
}

func nameSet(names []string) map[string]bool {
	s := map[string]bool{}
	for _, name := range names {
		s[name] = true
	}
	return s
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }
