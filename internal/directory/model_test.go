package directory

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"serverless-scim/internal/scim"
)

// model is the same directory, told in the plainest way: who exists under what name, and who is in which group.
type model struct {
	names   map[string]string          // by id
	members map[string]map[string]bool // of each group
}

func (m *model) taken(rtLetter, name, except string) bool {
	for id, n := range m.names {
		if id != except && id[:1] == rtLetter && strings.EqualFold(n, name) {
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

// TestAgainstTheModel runs random requests one after the other: each answer, and everything that can be read
// afterwards, must be what the model says.
func TestAgainstTheModel(t *testing.T) {
	t.Parallel()
	tab := memory(t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		f := newFixture(t, tab).tenant(fmt.Sprint("run", run))
		m := &model{names: map[string]string{}, members: map[string]map[string]bool{}}
		for range rapid.IntRange(1, 25).Draw(rt, "requests") {
			step(rt, f, m)
		}
		for g, members := range m.members {
			if got := f.members(g); !slices.Equal(got, slices.Sorted(maps.Keys(members))) {
				rt.Fatalf("group %s has %v, want %v", g, got, members)
			}
		}
		for id := range m.names {
			var in []string
			for g, members := range m.members {
				if members[id] {
					in = append(in, g)
				}
			}
			if slices.Sort(in); id[0] == 'u' && !slices.Equal(f.groups(id), in) {
				rt.Fatalf("user %s is in %v, want %v", id, f.groups(id), in)
			}
		}
		if found := f.damage(); found != nil {
			rt.Fatal(found)
		}
	})
}

func step(rt *rapid.T, f *fixture, m *model) {
	ids := append(slices.Sorted(maps.Keys(m.names)), "u0000000000000000000000000a", "nobody")
	pick := rapid.SampledFrom(ids).Draw(rt, "id")
	some := rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 0, min(4, len(ids)), rapid.ID[string]).Draw(rt, "members")
	name := rapid.SampledFrom([]string{"a", "A", "b", "c"}).Draw(rt, "name")
	known := func(g string) map[string]bool {
		is := map[string]bool{}
		for _, id := range some {
			if _, ok := m.names[id]; ok && id != g {
				is[id] = true
			}
		}
		return is
	}
	members, isGroup := m.members[pick]
	switch op := rapid.SampledFrom([]string{"user", "group", "add", "remove", "put", "rename", "delete", "clear"}).Draw(rt, "op"); op {
	case "user", "group":
		typ, o := f.user, scim.Object{"userName": name}
		if op == "group" {
			typ, o = f.group, withMembers(name, some...)
		}
		r, err := f.Create(f.ctx, typ, o, scim.Projection{})
		if expect(rt, err, m.taken(typ.Storage.IDPrefix, name, ""), 409) {
			id := r.ID()
			if m.names[id] = name; op == "group" {
				m.members[id] = known(id)
			}
		}
	case "add":
		_, err := f.patch(f.group, pick, `[{"op":"add","path":"members","value":`+list(some)+`}]`)
		if expect(rt, err, !isGroup, 404) {
			maps.Copy(members, known(pick))
		}
	case "remove":
		_, err := f.patch(f.group, pick, `[{"op":"remove","path":"members[value eq \"`+ids[0]+`\"]"}]`)
		if expect(rt, err, !isGroup, 404) {
			delete(members, ids[0])
		}
	case "clear":
		_, err := f.patch(f.group, pick, `[{"op":"replace","path":"members","value":[]}]`)
		if expect(rt, err, !isGroup, 404) {
			clear(members)
		}
	case "put":
		_, err := f.Replace(f.ctx, f.group, pick, withMembers(name, some...), nil, scim.Projection{})
		if !isGroup {
			expect(rt, err, true, 404)
		} else if expect(rt, err, m.taken("g", name, pick), 409) {
			m.names[pick], m.members[pick] = name, known(pick)
		}
	case "rename":
		_, err := f.patch(f.user, pick, `[{"op":"replace","path":"userName","value":"`+name+`"}]`)
		if _, ok := m.names[pick]; !ok || isGroup {
			expect(rt, err, true, 404)
		} else if expect(rt, err, m.taken("u", name, pick), 409) {
			m.names[pick] = name
		}
	case "delete":
		typ := f.user
		if isGroup {
			typ = f.group
		}
		_, there := m.names[pick]
		if expect(rt, f.Delete(f.ctx, typ, pick, nil), !there, 404) {
			m.delete(pick)
		}
	}
}

// expect checks an error against whether there must be one, and tells whether the request succeeded.
func expect(rt *rapid.T, err error, fails bool, with int) bool {
	rt.Helper()
	if fails != (err != nil) || fails && status(err) != with {
		rt.Fatalf("got %v, want failure %v with %d", err, fails, with)
	}
	return err == nil
}
