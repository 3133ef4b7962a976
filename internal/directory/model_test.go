package directory_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
)

// missingID is the ID of a user that never exists.
const missingID = "u0000000000000000000000000a"

// A model is a simple implementation of a directory, which holds only names and members.
type model struct {
	names   map[string]string          // by ID
	members map[string]map[string]bool // IDs of the members, by ID of the group
}

// isNameTaken reports whether another resource has the name. The prefix of the IDs stands for the type.
func (m *model) isNameTaken(idPrefix, name, except string) bool {
	for id, n := range m.names {
		if id != except && id[:1] == idPrefix && strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

func (m *model) delete(id string) {
	delete(m.names, id)
	delete(m.members, id)
	for _, members := range m.members {
		delete(members, id)
	}
}

// groupsOf returns the IDs of the groups that a resource is in, sorted.
func (m *model) groupsOf(id string) (groups []string) {
	for g, members := range m.members {
		if members[id] {
			groups = append(groups, g)
		}
	}
	slices.Sort(groups)
	return groups
}

// The test sends random requests one after the other. Each status, and all that can be read afterward, must be that of
// the model.
func TestRequestsAgainstModel(t *testing.T) {
	t.Parallel()
	tab := directorytest.NewTable(t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		f := directorytest.New(t, tab).ForTenant(fmt.Sprint("run", run))
		m := &model{names: map[string]string{}, members: map[string]map[string]bool{}}
		for range rapid.IntRange(1, 25).Draw(rt, "requests") {
			sendRandomRequest(rt, f, m)
		}
		for g, members := range m.members {
			if got := f.Members(g); !slices.Equal(got, slices.Sorted(maps.Keys(members))) {
				rt.Fatalf("group %s has %v, want %v", g, got, members)
			}
		}
		for id := range m.names {
			if id[0] == 'u' && !slices.Equal(f.Groups(id), m.groupsOf(id)) {
				rt.Fatalf("user %s is in %v, want %v", id, f.Groups(id), m.groupsOf(id))
			}
		}
		if violations := f.Violations(); violations != nil {
			rt.Fatal(violations)
		}
	})
}

// sendRandomRequest sends a request and changes the model in the same way.
func sendRandomRequest(rt *rapid.T, f *directorytest.Fixture, m *model) {
	ids := append(slices.Sorted(maps.Keys(m.names)), missingID, "nobody")
	id := rapid.SampledFrom(ids).Draw(rt, "id")
	requested := rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 0, min(4, len(ids)), rapid.ID[string]).Draw(rt, "members")
	name := rapid.SampledFrom([]string{"a", "A", "b", "c"}).Draw(rt, "name")
	existing := func(group string) map[string]bool { // the requested members that the group can have
		members := map[string]bool{}
		for _, id := range requested {
			if _, exists := m.names[id]; exists && id != group {
				members[id] = true
			}
		}
		return members
	}
	_, exists := m.names[id]
	members, isGroup := m.members[id]
	ops := []string{"user", "group", "add", "remove", "put", "rename", "delete", "clear"}
	switch op := rapid.SampledFrom(ops).Draw(rt, "op"); op {
	case "user", "group":
		typ, o := f.User, scim.Object{"userName": name}
		if op == "group" {
			typ, o = f.Group, directorytest.WithMembers(name, requested...)
		}
		r, err := f.Create(f.Ctx, typ, o, scim.Projection{})
		if checkStatus(rt, err, m.isNameTaken(typ.Storage.IDPrefix, name, ""), 409) {
			if m.names[r.ID()] = name; op == "group" {
				m.members[r.ID()] = existing(r.ID())
			}
		}
	case "add":
		_, err := f.Patch(f.Group, id, addMembers(requested...))
		if checkStatus(rt, err, !isGroup, 404) {
			maps.Copy(members, existing(id))
		}
	case "remove":
		_, err := f.Patch(f.Group, id, removeMemberByPath(ids[0]))
		if checkStatus(rt, err, !isGroup, 404) {
			delete(members, ids[0])
		}
	case "clear":
		_, err := f.Patch(f.Group, id, `[{"op":"replace","path":"members","value":[]}]`)
		if checkStatus(rt, err, !isGroup, 404) {
			clear(members)
		}
	case "put":
		_, err := f.Replace(f.Ctx, f.Group, id, directorytest.WithMembers(name, requested...), nil, scim.Projection{})
		if !isGroup {
			checkStatus(rt, err, true, 404)
		} else if checkStatus(rt, err, m.isNameTaken("g", name, id), 409) {
			m.names[id], m.members[id] = name, existing(id)
		}
	case "rename":
		_, err := f.Patch(f.User, id, `[{"op":"replace","path":"userName","value":"`+name+`"}]`)
		if !exists || isGroup {
			checkStatus(rt, err, true, 404)
		} else if checkStatus(rt, err, m.isNameTaken("u", name, id), 409) {
			m.names[id] = name
		}
	case "delete":
		typ := f.User
		if isGroup {
			typ = f.Group
		}
		if checkStatus(rt, f.Delete(f.Ctx, typ, id, nil), !exists, 404) {
			m.delete(id)
		}
	}
}

// checkStatus fails the test unless err is an error with this status if fails is true, and nil otherwise. It reports
// whether the request has succeeded.
func checkStatus(rt *rapid.T, err error, fails bool, status int) bool {
	rt.Helper()
	if fails != (err != nil) || fails && directorytest.Status(err) != status {
		rt.Fatalf("got %v, want failure %v with status %d", err, fails, status)
	}
	return err == nil
}
