package directory_test

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
)

// render returns the JSON of a resource, and the object that the JSON holds.
func render(f *directorytest.Fixture, r *directory.Resource, attributes, excluded string) (string, scim.Object) {
	f.Helper()
	b, err := r.AppendJSON([]byte("x"), project(f, r.Type, attributes, excluded))
	if err != nil {
		f.Fatal(err)
	}
	o, err := scim.ParseObject(b[1:])
	if err != nil {
		f.Fatalf("%v: %s", err, b)
	}
	return string(b[1:]), o
}

// AppendJSON must render the same as an object that is built and then projected.
func TestAppendJSONAppliesTheProjection(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	types, err := scim.Open([]string{"../server/testdata/types"}, os.DirFS)
	if err != nil {
		t.Fatal(err)
	}
	f.Configure(func(c *directory.Config) { c.Store.Types = types })
	f.User, f.Group = types.ByName("User"), types.ByName("Group")
	f.Directory = directory.New(f.Config, "test", `https://scim.example.com/"v2"`)
	const enterprise = directorytest.EnterpriseSchema
	escaped := "a\"b\\\u2028<&>\x01é \"" + enterprise + "\":{ \"password\":" // JSON or Go escapes some of these characters
	bare := f.NewUser("bare")
	full := f.Must(f.Create(f.Ctx, f.User, scim.Object{"userName": escaped, "displayName": escaped, "externalId": "x",
		"name": scim.Object{"givenName": "G", "familyName": "F"}, "emails": []any{scim.Object{"value": "a@b", "type": "work"}},
		enterprise: scim.Object{"department": escaped, "manager": scim.Object{"value": bare}}}, scim.Projection{})).ID()
	inner := f.NewGroup("inner", bare, full)
	f.NewGroup(escaped, full, bare, inner)
	custom := types.ByName("TestResource")
	f.Must(f.Create(f.Ctx, custom, scim.Object{"label": "l", "rare": "r", "fixed": "f"}, scim.Projection{}))
	for _, rt := range types.ResourceTypes {
		for _, names := range []string{"", "id", "members", "members.display", "members.value,members.type", "groups.$ref",
			"groups", "meta", "meta.version", "schemas", "userName,externalId", "name.givenName", "emails.type,rare",
			enterprise, enterprise + ":manager.value", "displayName", "nonsense", "secret,fixed"} {
			for _, p := range [][2]string{{names, ""}, {"", names}} {
				projection := project(f, rt, p[0], p[1])
				params := directory.ListParams{Types: directorytest.Only(rt), StartIndex: 1, Count: 10, Projection: projection}
				l, err := f.List(f.Ctx, params)
				if err != nil || len(l.Resources) == 0 {
					t.Fatal(rt.Name, err)
				}
				for _, r := range l.Resources {
					text, got := render(f, r, p[0], p[1])
					want := rt.Project(r.Object(), projection)
					if meta, _ := want["meta"].(scim.Object); meta["version"] == r.Version {
						meta["version"] = r.EntityTag(projection)
					}
					if !reflect.DeepEqual(got, want) {
						t.Errorf("%s attributes=%s excludedAttributes=%s:\ngot  %s\nwant %v", rt.Name, p[0], p[1], text, want)
					}
				}
			}
		}
	}
}

// A stored attribute that the current schema does not return by default is not shown, even if it was returned by
// default when it was stored.
func TestAppendJSONFollowsTheCurrentSchema(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	r := f.Must(f.Create(f.Ctx, f.User, scim.Object{"userName": "ada"}, scim.Projection{}))
	r.SetDocument(`{"password":"secret","userName":"ada"}`)
	if text, _ := render(f, r, "", ""); strings.Contains(text, "secret") || !strings.Contains(text, "ada") {
		t.Error(text)
	}
}

func TestAppendJSONRejectsCorruptDocuments(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	r := f.Must(f.Create(f.Ctx, f.User, scim.Object{"userName": "ada"}, scim.Projection{}))
	const trailingSpace = `{"userName":"a"} ` // valid JSON, but only a document that is copied must end with "}"
	for _, doc := range []string{"", "{", "}", "{}}", "[]", `"a"`, `{"userName":"a"`, `{"userName":"a"},{}`,
		`{"a":"b` + "\n" + `"}`, `{"a":1,"a":2}`, "{\"a\":\"\xff\"}", `{"a":1}{"b":2}`, trailingSpace, `{"a":}`} {
		r.SetDocument(doc)
		for _, excluded := range []string{"", "title"} {
			b, err := r.AppendJSON(nil, project(f, f.User, "", excluded))
			if err == nil && !(excluded == "title" && doc == trailingSpace) {
				t.Errorf("%q is shown: %s", doc, b)
			}
		}
	}
	r.SetDocument("{}")
	render(f, r, "", "")
}

// Of a group with more than directory.MaxDisplayNames members, a response shows the IDs of the members and the type of
// those that are not users. It shows a type or a $ref of all members if the client names the sub-attribute. Of a group
// with fewer members, it shows everything.
func TestLargeGroupShowsMembersInShortForm(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	inner := f.NewGroup("inner")
	users := f.NewUsers(directory.MaxDisplayNames)
	ends := func(g, attributes string) (first, last string) {
		_, o := render(f, f.Must(f.Retrieve(f.Ctx, f.Group, g, scim.Projection{})), attributes, "")
		list := o["members"].([]any)
		return fmt.Sprint(list[0]), fmt.Sprint(list[len(list)-1])
	}
	small, large := f.NewGroup("small", append(users[1:], inner)...), f.NewGroup("large", append(users, inner)...)
	g, u := ends(small, "") // the group, because the IDs of groups come first, and a user
	const usersURL, groupsURL = directorytest.BaseURL + "/Users/", directorytest.BaseURL + "/Groups/"
	if !strings.Contains(g, "display:inner") || !strings.Contains(u, "$ref:"+usersURL) || !strings.Contains(u, "type:User") {
		t.Errorf("the members of a small group are shown as %s and %s", g, u)
	}
	last := users[len(users)-1]
	for attributes, want := range map[string][2]string{
		"":             {"map[type:Group value:" + inner + "]", "map[value:" + last + "]"},
		"members":      {"map[type:Group value:" + inner + "]", "map[value:" + last + "]"},
		"members.type": {"map[type:Group]", "map[type:User]"},
		"members.$ref": {"map[$ref:" + groupsURL + inner + "]", "map[$ref:" + usersURL + last + "]"},
	} {
		if g, u := ends(large, attributes); [2]string{g, u} != want {
			t.Errorf("attributes=%s: %s and %s, want %v", attributes, g, u, want)
		}
	}
}

// AppendJSON allocates the text of the response once, and nothing for each member.
func TestAppendJSONOfALargeGroupAllocatesOnce(t *testing.T) {
	f := directorytest.New(t, directorytest.NewTable(t))
	r := f.Must(f.Create(f.Ctx, f.Group, scim.Object{"displayName": "all"}, scim.Projection{}))
	members := make([]string, 100_000)
	for i := range members {
		members[i] = newID(f)
	}
	r.SetMembers(members)
	allocations := testing.AllocsPerRun(2, func() {
		b, err := r.AppendJSON(nil, scim.Projection{})
		if estimate := r.EstimatedSize(scim.Projection{}); err != nil || len(b) > estimate {
			t.Errorf("%d bytes, %v; the estimate is %d bytes", len(b), err, estimate)
		}
	})
	if allocations > 20 {
		t.Errorf("%v allocations", allocations)
	}
}
