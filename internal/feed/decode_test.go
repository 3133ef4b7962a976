package feed_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/feed"
	"serverless-scim/internal/fsck"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
)

// A fixture is a directory on a table with a stream.
type fixture struct {
	*directorytest.Fixture
	file *bolt.Table
	ids  map[string]string // names in descriptions, by resource ID
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	file, err := bolt.Open(":memory:", bolt.Watch(feed.IsWatched))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	f := &fixture{directorytest.New(t, file), file, map[string]string{}}
	f.Configure(func(c *directory.Config) {
		c.Store.Origin = store.Origin{Request: "r1", Token: "t1"}
		c.Store.Limits = store.Limits{TransactionActions: 8, ChangeItemMembers: 2, ChangeItemsPerTransaction: 8, SnapshotEdges: 7,
			SnapshotMembers: 70, QueryEdgesPerSnapshotEdge: 80, ApplyConcurrency: 1}
	})
	return f
}

// users creates users with the names u1, u2, and so on.
func (f *fixture) users(n int) (ids []string) {
	f.Helper()
	for i := range n {
		id := f.NewUser(fmt.Sprint("u", i+1))
		f.ids[id] = fmt.Sprint("u", i+1)
		ids = append(ids, id)
	}
	return ids
}

// changes returns a description of each change in the records since the last call, in their order.
func (f *fixture) changes() (list []string) {
	f.Helper()
	for more := 1; more > 0; {
		n, err := f.file.Receive(f.Ctx, func(_ context.Context, records []table.Record) error {
			for _, r := range records {
				e, ok, err := feed.Decode(f.Config.Store.Types, r)
				if err != nil {
					f.Errorf("%v: %v", r.Key, err)
				}
				if ok {
					list = append(list, f.describe(e))
				}
			}
			return nil
		})
		if err != nil {
			f.Fatal(err)
		}
		more = n
	}
	return list
}

func (f *fixture) describe(e feed.ResourceChange) string {
	names := func(ids []string) string {
		var list []string
		for _, id := range ids {
			list = append(list, f.name(id))
		}
		return strings.Join(list, " ")
	}
	text := fmt.Sprintf("%s %s %d.%d", strings.Join(e.Types(), ","), f.name(e.ResourceID), e.Version, e.GroupsVersion)
	for _, part := range []struct{ label, value string }{
		{"attributes", strings.Join(e.Attributes, " ")}, {"joined", names(e.Joined)}, {"left", names(e.Left)},
		{"by", strings.TrimSpace(e.Request + " " + e.Token)},
	} {
		if part.value != "" {
			text += "; " + part.label + " " + part.value
		}
	}
	var events []string
	for _, uri := range e.Events(false) {
		events = append(events, strings.TrimPrefix(uri, "urn:ietf:params:scim:event:"))
	}
	return text + "; " + strings.Join(events, " ")
}

func (f *fixture) name(id string) string {
	if f.ids[id] == "" {
		return "x"
	}
	return f.ids[id]
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) patch(rt *scim.ResourceType, id, operations string) {
	f.Helper()
	f.Must(f.Patch(rt, id, operations))
}

// newGroup creates a group named g.
func (f *fixture) newGroup(members ...string) string {
	f.Helper()
	id := f.NewGroup("g", members...)
	f.ids[id] = "g"
	return id
}

// Every kind of write leads to the changes that an application must see, and to no others.
func TestDecode(t *testing.T) {
	t.Parallel()
	const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	for name, c := range map[string]struct {
		prepare func(f *fixture, u []string)
		do      func(f *fixture, u []string)
		want    []string
	}{
		"create": {nil, func(f *fixture, _ []string) { f.NewUser("new") },
			[]string{"user.created x 1.0; by r1 t1; prov:create:notice"}},
		"replace": {nil, func(f *fixture, u []string) {
			o := scim.Object{"userName": "u1", "nickName": "n", "name": scim.Object{"givenName": "G"}}
			f.Must(f.Replace(f.Ctx, f.User, u[0], o, nil, scim.Projection{}))
		}, []string{"user.updated u1 2.0; attributes name.givenName nickName; by r1 t1; prov:put:notice"}},
		"modify": {nil, func(f *fixture, u []string) {
			f.patch(f.User, u[0], `[{"op":"add","value":{"emails":[{"value":"a@b.c"}],"`+enterprise+`:department":"d"}}]`)
		}, []string{"user.updated u1 2.0; attributes emails " + enterprise + ":department; by r1 t1; prov:patch:notice"}},
		"rename": {nil, func(f *fixture, u []string) {
			f.patch(f.User, u[0], `[{"op":"replace","path":"userName","value":"z"}]`)
		},
			[]string{"user.updated u1 2.0; attributes userName; by r1 t1; prov:patch:notice"}},
		"modify nothing": {nil, func(f *fixture, u []string) {
			f.patch(f.User, u[0], `[{"op":"replace","path":"userName","value":"u1"}]`)
		}, nil},
		"deactivate": {nil, func(f *fixture, u []string) { f.patch(f.User, u[0], `[{"op":"replace","value":{"active":false}}]`) },
			[]string{"user.deactivated,user.updated u1 2.0; attributes active; by r1 t1; prov:deactivate prov:patch:notice"}},
		"activate": {func(f *fixture, u []string) { f.patch(f.User, u[0], `[{"op":"replace","value":{"active":false}}]`) },
			func(f *fixture, u []string) { f.patch(f.User, u[0], `[{"op":"replace","value":{"active":true}}]`) },
			[]string{"user.activated,user.updated u1 3.0; attributes active; by r1 t1; prov:activate prov:patch:notice"}},
		"create a group": {nil, func(f *fixture, u []string) { f.newGroup(u[0]) }, []string{
			"group.created g 1.0; by r1 t1; prov:create:notice",
			"user.groups_changed u1 1.1; attributes groups; joined g; by r1 t1; prov:patch:notice"}},
		"join and leave": {func(f *fixture, u []string) { f.newGroup(u[0]) }, func(f *fixture, u []string) {
			f.patch(f.Group, f.id("g"), `[{"op":"replace","path":"members","value":[{"value":"`+u[1]+`"}]}]`)
		}, []string{
			"group.members_changed g 2.0; attributes members; by r1 t1; prov:patch:notice",
			"user.groups_changed u1 1.2; attributes groups; left g; by r1 t1; prov:patch:notice",
			"user.groups_changed u2 1.1; attributes groups; joined g; by r1 t1; prov:patch:notice"}},
		"replace a group": {func(f *fixture, u []string) { f.newGroup(u[0]) }, func(f *fixture, u []string) {
			f.Must(f.Replace(f.Ctx, f.Group, f.id("g"), directorytest.WithMembers("h"), nil, scim.Projection{}))
		}, []string{
			"group.updated,group.members_changed g 2.0; attributes displayName members; by r1 t1; prov:put:notice",
			"user.groups_changed u1 1.2; attributes groups; left g; by r1 t1; prov:patch:notice"}},
		"nested group": {func(f *fixture, u []string) { f.newGroup() }, func(f *fixture, _ []string) {
			f.ids[f.NewGroup("parent", f.id("g"))] = "parent"
		}, []string{
			"group.created parent 1.0; by r1 t1; prov:create:notice",
			"group.groups_changed g 1.1; attributes groups; joined parent; by r1 t1; prov:patch:notice"}},
		"large change": {func(f *fixture, u []string) { f.newGroup() }, func(f *fixture, u []string) {
			f.patch(f.Group, f.id("g"), `[{"op":"add","path":"members","value":`+directorytest.MembersJSON(u[:5])+`}]`)
		}, []string{
			"group.members_changed g 2.0; attributes members; by r1 t1; prov:patch:notice",
			"user.groups_changed u1 1.1; attributes groups; joined g; by r1 t1; prov:patch:notice",
			"user.groups_changed u2 1.1; attributes groups; joined g; by r1 t1; prov:patch:notice",
			"user.groups_changed u3 1.1; attributes groups; joined g; by r1 t1; prov:patch:notice",
			"user.groups_changed u4 1.1; attributes groups; joined g; by r1 t1; prov:patch:notice",
			"user.groups_changed u5 1.1; attributes groups; joined g; by r1 t1; prov:patch:notice"}},
		"delete": {nil, func(f *fixture, u []string) { f.must(f.Delete(f.Ctx, f.User, u[0], nil)) },
			[]string{"user.deleted u1 1.0; prov:delete"}},
		"delete a member": {func(f *fixture, u []string) { f.newGroup(u[0]) },
			func(f *fixture, u []string) { f.must(f.Delete(f.Ctx, f.User, u[0], nil)) }, []string{
				"group.members_changed g 2.0; attributes members; by r1 t1; prov:patch:notice", "user.deleted u1 1.1; prov:delete"}},
		"large delete": {func(f *fixture, u []string) { f.newGroup(u[:5]...) },
			func(f *fixture, u []string) { f.must(f.Delete(f.Ctx, f.Group, f.id("g"), nil)) }, []string{
				"group.deleted g 2.0; by r1 t1; prov:delete",
				"user.groups_changed u1 1.2; attributes groups; left g; by r1 t1; prov:patch:notice",
				"user.groups_changed u2 1.2; attributes groups; left g; by r1 t1; prov:patch:notice",
				"user.groups_changed u3 1.2; attributes groups; left g; by r1 t1; prov:patch:notice",
				"user.groups_changed u4 1.2; attributes groups; left g; by r1 t1; prov:patch:notice",
				"user.groups_changed u5 1.2; attributes groups; left g; by r1 t1; prov:patch:notice"}},
		"repair of totals": {func(f *fixture, u []string) {
			f.newGroup(u[0])
			f.must(f.file.Write(f.Ctx, table.Update{Key: f.Store.Keys.Head(f.Group, f.id("g")), Add: table.Item{"n": table.N(1)}}))
		}, func(f *fixture, _ []string) { f.repair() }, nil},
		"repair of a groups set": {func(f *fixture, u []string) {
			f.must(f.file.Write(f.Ctx, table.Update{Key: f.Store.Keys.Head(f.User, u[0]), Add: table.Item{"groups": table.SS(f.Group.NewID([16]byte{}))}}))
		}, func(f *fixture, _ []string) { f.repair() }, []string{"user.groups_changed u1 1.1; attributes groups; left x; prov:patch:notice"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			u := f.users(6)
			if c.prepare != nil {
				c.prepare(f, u)
			}
			f.changes()
			c.do(f, u)
			got := f.changes()
			slices.Sort(got) // a transaction has no order
			if slices.Sort(c.want); !slices.Equal(got, c.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(c.want, "\n  "))
			}
		})
	}
}

func (f *fixture) id(name string) string {
	for id, n := range f.ids {
		if n == name {
			return id
		}
	}
	f.Fatalf("no resource is named %s", name)
	return ""
}

func (f *fixture) repair() {
	f.Helper()
	check := fsck.Checker{Config: f.Config.Store, Repair: true, Report: func(fsck.Finding) {}}
	if s, err := check.Run(f.Ctx); err != nil || s.Repaired != 1 {
		f.Fatalf("%+v, %v", s, err)
	}
}

// These records are no changes of a resource, or cannot be decoded.
func TestDecodeOfOtherRecords(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.NewUser("u")
	k := f.Store.Keys.Head(f.User, id)
	items, err := f.file.Get(f.Ctx, nil, k)
	if err != nil {
		t.Fatal(err)
	}
	head := items[0]
	with := func(name string, v string) table.Item {
		it := table.Item{}
		for n, value := range head {
			it[n] = value
		}
		it[name] = table.S(v)
		return it
	}
	for name, c := range map[string]struct {
		record  table.Record
		ok, err bool
	}{
		"restored item":       {table.Record{Key: k, New: head}, true, false},
		"time to live":        {table.Record{Key: k, Old: head, Expired: true}, false, false},
		"edge item":           {table.Record{Key: table.Key{PK: k.PK, SK: "Member#x"}, New: table.Item{}}, false, false},
		"token":               {table.Record{Key: table.Key{PK: "token#x", SK: "@"}, New: table.Item{}}, false, false},
		"index state":         {table.Record{Key: table.Key{PK: "test#User#index", SK: "@"}, New: table.Item{}}, false, false},
		"nothing":             {table.Record{Key: k}, false, false},
		"damaged document":    {table.Record{Key: k, New: with("doc", "{")}, false, true},
		"damaged, replaced":   {table.Record{Key: k, Old: with("doc", "{"), New: bump(head)}, true, false},
		"wrong type":          {table.Record{Key: k, New: with("ver", "x")}, false, true},
		"unknown type":        {table.Record{Key: table.Key{PK: "test#Robot#" + id, SK: "@"}, New: head}, false, true},
		"undecodable record":  {table.Record{Key: k, Err: fmt.Errorf("damaged")}, false, true},
		"same versions":       {table.Record{Key: k, Old: head, New: with("display", "x")}, false, false},
		"removed, was marked": {table.Record{Key: k, Old: deleting(head)}, false, false},
	} {
		if _, ok, err := feed.Decode(f.Config.Store.Types, c.record); ok != c.ok || (err != nil) != c.err {
			t.Errorf("%s: %t, %v; want %t, error %t", name, ok, err, c.ok, c.err)
		}
	}
}

// bump returns a head item of the next version.
func bump(it table.Item) table.Item {
	u, _ := table.Update{Key: it.Key(), Add: table.Item{"ver": table.N(1)}}.Apply(it)
	return u
}

func deleting(it table.Item) table.Item {
	u, _ := table.Update{Key: it.Key(), Set: table.Item{"deleting": table.BOOL(true)}}.Apply(it)
	return u
}
