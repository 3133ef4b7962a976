package directory

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"serverless-scim/internal/scim"
)

// written is a resource as it writes itself, read again.
func (f *fixture) written(r *Resource, attributes, excluded string) (text string, o scim.Object) {
	f.Helper()
	p, err := scim.NewProjection(only(r.Type), attributes, excluded)
	if err != nil {
		f.Fatal(err)
	}
	b, err := r.AppendJSON([]byte("x"), p)
	if err != nil {
		f.Fatal(err)
	}
	if o, err = scim.ParseObject(b[1:]); err != nil {
		f.Fatalf("%v: %s", err, b)
	}
	return string(b[1:]), o
}

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// What a resource writes is what the projection shows of its tree, whichever way it takes.
func TestResourceWritesItsProjection(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	types, err := scim.Open([]string{"../server/testdata/types"}, os.DirFS)
	if err != nil {
		t.Fatal(err)
	}
	f.Types, f.user, f.group = types, types.ByName("User"), types.ByName("Group")
	f.Store = New(f.Config, "test", `https://scim.example.com/"v2"`)
	odd := "a\"b\\\u2028<&>\x01é \"" + enterprise + "\":{ \"password\":"
	bare := f.newUser("bare")
	full := f.must(f.Create(f.ctx, f.user, scim.Object{"userName": odd, "displayName": odd, "externalId": "x",
		"name": scim.Object{"givenName": "G", "familyName": "F"}, "emails": []any{scim.Object{"value": "a@b", "type": "work"}},
		enterprise: scim.Object{"department": odd, "manager": scim.Object{"value": bare}}}, scim.Projection{})).ID()
	inner := f.newGroup("inner", bare, full)
	f.newGroup(odd, full, bare, inner)
	other := types.ByName("TestResource")
	f.must(f.Create(f.ctx, other, scim.Object{"label": "l", "rare": "r", "fixed": "f"}, scim.Projection{}))
	for _, rt := range types.ResourceTypes {
		for _, named := range []string{"", "id", "members", "members.display", "members.value,members.type", "groups.$ref", "groups", "meta",
			"meta.version", "schemas", "userName,externalId", "name.givenName", "emails.type,rare", enterprise, enterprise + ":manager.value",
			"displayName", "nonsense", "secret,fixed"} {
			for _, p := range [][2]string{{named, ""}, {"", named}} {
				projection, _ := scim.NewProjection(only(rt), p[0], p[1])
				l, err := f.List(f.ctx, Params{Types: only(rt), StartIndex: 1, Count: 10, Projection: projection})
				if err != nil || len(l.Resources) == 0 {
					t.Fatal(rt.Name, err)
				}
				for _, r := range l.Resources {
					text, got := f.written(r, p[0], p[1])
					if want := rt.Project(r.Object(), projection); !reflect.DeepEqual(got, want) {
						t.Errorf("%s attributes=%s excludedAttributes=%s:\ngot  %s\nwant %v", rt.Name, p[0], p[1], text, want)
					}
				}
			}
		}
	}
}

// What is not returned by default is not, although the schema said otherwise when it was stored.
func TestResourceHidesWhatTheSchemaHides(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	r := f.must(f.Create(f.ctx, f.user, scim.Object{"userName": "ada"}, scim.Projection{}))
	r.state.head.Document = `{"password":"secret","userName":"ada"}`
	if text, _ := f.written(r, "", ""); strings.Contains(text, "secret") || !strings.Contains(text, "ada") {
		t.Error(text)
	}
}

// A damaged document is an error, and never a part of an answer.
func TestDamagedDocumentIsNotShown(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	r := f.must(f.Create(f.ctx, f.user, scim.Object{"userName": "ada"}, scim.Projection{}))
	for _, doc := range []string{"", "{", "}", "{}}", "[]", `"a"`, `{"userName":"a"`, `{"userName":"a"},{}`, `{"a":"b` + "\n" + `"}`,
		`{"a":1,"a":2}`, "{\"a\":\"\xff\"}", `{"a":1}{"b":2}`, `{"userName":"a"} `, `{"a":}`} {
		r.state.head.Document = doc
		for _, excluded := range []string{"", "title"} {
			p, _ := scim.NewProjection(only(f.user), "", excluded)
			if b, err := r.AppendJSON(nil, p); err == nil && !(excluded == "title" && doc == `{"userName":"a"} `) {
				t.Errorf("%q is shown: %s", doc, b)
			}
		}
	}
	r.state.head.Document = "{}"
	f.written(r, "", "")
}

// Of a group of more than maxShown members an answer tells who they are and, of groups, that they are; more if it is
// asked for by name. Up to that number it tells all.
func TestLargeGroupShowsWhoItsMembersAre(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	inner := f.newGroup("inner")
	users := f.newUsers(maxDisplayNames)
	first := func(g, attributes string) (string, string) {
		r := f.must(f.Retrieve(f.ctx, f.group, g, scim.Projection{}))
		_, o := f.written(r, attributes, "")
		list := o["members"].([]any)
		return fmt.Sprint(list[0]), fmt.Sprint(list[len(list)-1]) // groups come before users
	}
	small, large := f.newGroup("small", append(users[1:], inner)...), f.newGroup("large", append(users, inner)...)
	g, u := first(small, "")
	if !strings.Contains(g, "display:inner") || !strings.Contains(u, "$ref:"+base+"/Users/") || !strings.Contains(u, "type:User") {
		t.Errorf("the members of a small group are shown as %s and %s", g, u)
	}
	last := users[len(users)-1]
	for attributes, want := range map[string][2]string{
		"":             {"map[type:Group value:" + inner + "]", "map[value:" + last + "]"},
		"members":      {"map[type:Group value:" + inner + "]", "map[value:" + last + "]"},
		"members.type": {"map[type:Group]", "map[type:User]"},
		"members.$ref": {"map[$ref:" + base + "/Groups/" + inner + "]", "map[$ref:" + base + "/Users/" + last + "]"},
	} {
		if g, u := first(large, attributes); [2]string{g, u} != want {
			t.Errorf("attributes=%s: %s and %s, want %v", attributes, g, u, want)
		}
	}
}

// To write a group costs memory for the answer, and nothing for each member.
func TestLargeGroupIsWrittenWithoutAllocations(t *testing.T) {
	f := newFixture(t, memory(t))
	r := f.must(f.Create(f.ctx, f.group, scim.Object{"displayName": "all"}, scim.Projection{}))
	for range 100_000 {
		id, err := f.newID(f.user)
		if err != nil {
			t.Fatal(err)
		}
		r.state.members = append(r.state.members, id)
	}
	n := testing.AllocsPerRun(2, func() {
		if b, err := r.AppendJSON(nil, scim.Projection{}); err != nil || len(b) > r.EstimatedSize(scim.Projection{}) {
			t.Errorf("%d bytes, and not %d: %v", len(b), r.EstimatedSize(scim.Projection{}), err)
		}
	})
	if n > 20 {
		t.Errorf("%v allocations", n)
	}
}
