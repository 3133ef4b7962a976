package directory_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// tag returns the entity tag of a resource as it is now, with a projection.
func tag(f *directorytest.Fixture, rt *scim.ResourceType, id, attributes, excluded string) string {
	f.Helper()
	p := project(f, rt, attributes, excluded)
	return f.Must(f.Retrieve(f.Ctx, rt, id, p)).EntityTag(p)
}

func setDisplayName(f *directorytest.Fixture, rt *scim.ResourceType, id, name string) {
	f.Helper()
	f.Must(f.Patch(rt, id, `[{"op":"replace","path":"displayName","value":"`+name+`"}]`))
}

func write(f *directorytest.Fixture, w table.Write) {
	f.Helper()
	if err := f.Config.Store.Table.Write(f.Ctx, w); err != nil {
		f.Fatal(err)
	}
}

var withDigest = regexp.MustCompile(`^W/"[0-9]+(\.[0-9]+)?-[0-9a-f]{8}"$`)

// An entity tag depends on the display names that the response shows, and on no others.
func TestEntityTagCoversDisplayNames(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	user := f.Must(f.Create(f.Ctx, f.User, scim.Object{"userName": "u", "displayName": "U"}, scim.Projection{})).ID()
	inner := f.NewGroup("inner", user)
	group := f.NewGroup("outer", user, inner)
	for _, c := range []struct {
		rt                       *scim.ResourceType
		id, attributes, excluded string
		shown                    bool
	}{
		{f.User, user, "", "", true},
		{f.User, user, "groups", "", true},
		{f.User, user, "groups.display", "", true},
		{f.User, user, "groups.value", "", false},
		{f.User, user, "meta", "", false},
		{f.User, user, "", "groups", false},
		{f.User, user, "", "groups.display", false},
		{f.Group, group, "", "", true},
		{f.Group, group, "members.display,meta", "", true},
		{f.Group, group, "members.value", "", false},
		{f.Group, group, "", "members", false},
		{f.Group, group, "", "members.display", false},
	} {
		setDisplayName(f, f.Group, inner, "inner")
		before := tag(f, c.rt, c.id, c.attributes, c.excluded)
		setDisplayName(f, f.Group, inner, "renamed")
		after := tag(f, c.rt, c.id, c.attributes, c.excluded)
		if withDigest.MatchString(before) != c.shown || (before != after) != c.shown || directory.VersionOf(before) != directory.VersionOf(after) {
			t.Errorf("%s attributes=%s excludedAttributes=%s: the tag is %s, and after a rename %s", c.rt.Name, c.attributes, c.excluded, before, after)
		}
		setDisplayName(f, f.Group, inner, "inner")
		if again := tag(f, c.rt, c.id, c.attributes, c.excluded); again != before {
			t.Errorf("%s: the same representation has the tags %s and %s", c.rt.Name, before, again)
		}
	}
	bare := f.NewGroup("bare", f.NewUser("without displayName"))
	if got := tag(f, f.Group, bare, "", ""); got != `W/"1"` {
		t.Errorf("a group whose members have no display names has the tag %s", got)
	}
}

// Display names that move between members change the tag. Their order in the table does not.
func TestEntityTagDependsOnTheHolderOfEachName(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	var users []string
	for _, name := range []string{"a", "b", "ab"} {
		users = append(users, f.Must(f.Create(f.Ctx, f.User, scim.Object{"userName": name, "displayName": name}, scim.Projection{})).ID())
	}
	slices.Sort(users)
	slices.Reverse(users)
	created := f.Must(f.Create(f.Ctx, f.Group, directorytest.WithMembers("g", users...), scim.Projection{}))
	g := created.ID()
	tags := map[string]bool{}
	for _, names := range [][3]string{{"a", "b", "ab"}, {"b", "a", "ab"}, {"ab", "a", "b"}, {"a", "bab", "x"}, {"ab", "ab", "x"}} {
		for i, name := range names {
			setDisplayName(f, f.User, users[i], name)
		}
		tags[tag(f, f.Group, g, "", "")] = true
	}
	if len(tags) != 5 {
		t.Errorf("5 representations have the tags %v", tags)
	}
	r := f.Must(f.Retrieve(f.Ctx, f.Group, g, scim.Projection{}))
	before := r.EntityTag(scim.Projection{})
	if r.SetMembers(users); r.EntityTag(scim.Projection{}) != before {
		t.Error("the tag depends on the order of the members")
	}
}

// The responses to POST and PATCH, a list, and a GET of the same state have the same tag.
func TestEntityTagIsTheSameInEachResponse(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	inner := f.NewGroup("inner")
	check := func(r *directory.Resource) {
		t.Helper()
		want := tag(f, f.Group, r.ID(), "", "")
		if got := r.EntityTag(scim.Projection{}); got != want || directorytest.Object(r)["meta"].(scim.Object)["version"] != want || !withDigest.MatchString(want) {
			t.Errorf("the tag is %s and meta is %v, want %s as of GET", got, directorytest.Object(r)["meta"], want)
		}
	}
	r := f.Must(f.Create(f.Ctx, f.Group, directorytest.WithMembers("g", inner), scim.Projection{}))
	check(r)
	check(f.Must(f.Patch(f.Group, r.ID(), `[{"op":"add","path":"externalId","value":"x"}]`)))
	check(f.Must(f.Patch(f.Group, r.ID(), `[{"op":"add","path":"externalId","value":"x"}]`))) // changes nothing
	check(f.Must(f.Replace(f.Ctx, f.Group, r.ID(), directorytest.WithMembers("h", inner), nil, scim.Projection{})))
	check(f.Find(f.Group, `displayName eq "h"`).Resources[0])
	if l := f.Find(f.Group, `meta.version eq "W/\"3\""`); len(l.Resources) != 1 || l.Resources[0].ID() != r.ID() {
		t.Errorf("a filter compares meta.version without the digest; found %v", directorytest.IDs(l))
	}
}

// What a response does not show does not count: a display name that is too long, and the names in a large group. A missing
// resource counts, because the response omits it.
func TestEntityTagCoversOnlyWhatIsShown(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	named, user := f.NewUser("named"), f.NewUser("u")
	g := f.NewGroup("g", named, user)
	setDisplayName(f, f.User, named, strings.Repeat("x", 2000))
	if got := tag(f, f.Group, g, "", ""); got != `W/"1"` {
		t.Errorf("with a display name that is too long, the tag is %s", got)
	}
	for _, attributes := range []string{"", "members.value"} {
		before, head := tag(f, f.Group, g, attributes, ""), f.Store.Keys.Head(f.User, user)
		write(f, table.Update{Key: head, Set: table.Item{"deleting": table.BOOL(true)}})
		if got := tag(f, f.Group, g, attributes, ""); !withDigest.MatchString(got) || got == before {
			t.Errorf("attributes=%s: the tag is %s, and without a member that is being deleted %s", attributes, before, got)
		}
		write(f, table.Update{Key: head, Remove: []string{"deleting"}})
	}
	large := f.NewGroup("large", append(f.NewUsers(directory.MaxDisplayNames), named)...)
	setDisplayName(f, f.User, named, "short")
	if got := tag(f, f.Group, large, "", ""); got != `W/"1"` {
		t.Errorf("a large group has the tag %s", got)
	}
}

func TestVersionOfRemovesTheDigest(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{
		`W/"2.1-0123abcd"`: `W/"2.1"`, `"2.1-0123abcd"`: `"2.1"`, `W/"2-0123abcd"`: `W/"2"`, `W/"2.1"`: `W/"2.1"`, `*`: `*`, "": "",
		`"2.1-0123abc"`: `"2.1-0123abc"`, `"2.1-0123abcde"`: `"2.1-0123abcde"`, `"2.1-0123abcg"`: `"2.1-0123abcg"`,
		`"2.1-0123ABCD"`: `"2.1-0123ABCD"`, `"2.1-0123abcd`: `"2.1-0123abcd`, `"2.1-"`: `"2.1-"`, `"2-1-0123abcd"`: `"2-1-0123abcd"`,
	} {
		if got := directory.VersionOf(tag); got != want {
			t.Errorf("VersionOf(%s) = %s, want %s", tag, got, want)
		}
	}
}
