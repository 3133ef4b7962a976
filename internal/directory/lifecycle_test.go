package directory_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

func TestUserLifecycle(t *testing.T) {
	directorytest.OnEach(t, func(t *testing.T, tab table.Table) {
		f := directorytest.New(t, tab)
		o := scim.Object{"userName": "Ada@example.com", "externalId": "00u1", "active": true,
			"emails": []any{scim.Object{"value": "ADA@example.com", "primary": true}}}
		id := f.Must(f.Create(t.Context(), f.User, o, scim.Projection{})).ID()
		for _, text := range []string{`userName eq "ADA@EXAMPLE.COM"`, `externalId eq "00u1"`, `emails eq "ada@example.com"`,
			`emails.value eq "Ada@Example.com"`, `id eq "` + id + `"`, `title pr or userName sw "ada"`} {
			if l := f.Find(f.User, text); l.TotalResults != 1 || directorytest.Object(l.Resources[0])["id"] != id {
				t.Errorf("%s finds %d resources, want the user", text, l.TotalResults)
			}
		}
		if l := f.Find(f.User, `externalId eq "00U1"`); l.TotalResults != 0 {
			t.Error("externalId is compared without regard to case")
		}
		r := f.Must(f.Replace(t.Context(), f.User, id, scim.Object{"userName": "lovelace@example.com"}, nil, scim.Projection{}))
		if r.Version != `W/"2.0"` || directorytest.Object(r)["active"] != nil {
			t.Errorf("PUT must increment the version and clear attributes that the client leaves out: %v", r)
		}
		for _, text := range []string{`userName eq "ada@example.com"`, `emails eq "ada@example.com"`} {
			if l := f.Find(f.User, text); l.TotalResults != 0 {
				t.Errorf("%s finds the user by a value that was replaced", text)
			}
		}
		f.NewUser("ada@example.com") // another user can have the name now
		_, err := f.Patch(f.User, id, `[{"op":"replace","path":"userName","value":"ADA@example.com"}]`)
		if directorytest.Status(err) != 409 {
			t.Errorf("a rename to the name of another user: %v, want 409", err)
		}
		f.CheckInvariants()
		if err := f.Delete(t.Context(), f.User, id, nil); err != nil {
			t.Fatal(err)
		}
		if err := f.Delete(t.Context(), f.User, id, nil); directorytest.Status(err) != 404 {
			t.Errorf("delete of a deleted user: %v, want 404", err)
		}
		f.CheckInvariants()
	})
}

// In an embedded table, resources are listed in the order of their creation, although their IDs have random bytes.
func TestEmbeddedIDsAreInOrderOfCreation(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	now := time.UnixMilli(1 << 40) // more than 32 bits, so that an overflow would fail the test
	f.Configure(func(c *directory.Config) {
		c.Store.Embedded = true
		c.Store.Now = func() time.Time { now = now.Add(time.Millisecond); return now }
	})
	var created []string
	for i := range 100 { // one page
		created = append(created, f.NewUser(fmt.Sprint(i)))
	}
	if listed := directorytest.IDs(f.Find(f.User, "userName pr")); !slices.Equal(listed, created) {
		t.Errorf("created in the order %v, listed in the order %v", created, listed)
	}
}

// RFC 7644 §3.5.2: a request that changes nothing leaves version and lastModified.
func TestUnchangedResourceKeepsItsVersion(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	u := f.NewUser("u")
	g := f.NewGroup("g", u)
	before := versions(f)
	f.Must(f.Patch(f.User, u, `[{"op":"replace","value":{"userName":"u"}}]`))
	f.Must(f.Patch(f.Group, g, `[{"op":"add","path":"members","value":[{"value":"`+u+`"}]},
		{"op":"replace","value":{"displayName":"g"}}]`))
	f.Must(f.Patch(f.Group, g, removeMemberByPath(missingID)))
	f.Must(f.Replace(t.Context(), f.Group, g, directorytest.WithMembers("g", u), nil, scim.Projection{}))
	f.Must(f.Replace(t.Context(), f.User, u, scim.Object{"userName": "u"}, nil, scim.Projection{}))
	if after := versions(f); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("versions and lastModified are %v, want %v", after, before)
	}
}

// versions returns the version and lastModified of each item.
func versions(f *directorytest.Fixture) map[table.Key]string {
	f.Helper()
	all := map[table.Key]string{}
	for k, it := range f.Dump() {
		all[k] = fmt.Sprint(table.IntValue(it["ver"]), it["modified"])
	}
	return all
}

// A create or a PATCH leaves out members that do not exist, and a group as its own member.
func TestMissingMembersAreLeftOut(t *testing.T) {
	directorytest.OnEach(t, func(t *testing.T, tab table.Table) {
		f := directorytest.New(t, tab)
		u, deleted := f.NewUser("u"), f.NewUser("deleted")
		if err := f.Delete(t.Context(), f.User, deleted, nil); err != nil {
			t.Fatal(err)
		}
		ofOtherTenant := f.ForTenant("other").NewUser("u")
		missing := []string{deleted, ofOtherTenant, "nobody", "u#@", "../" + u}
		g := f.NewGroup("g", append(missing, u, u)...)
		if got := f.Members(g); !slices.Equal(got, []string{u}) {
			t.Errorf("the members are %v, want only %s", got, u)
		}
		for _, id := range append(missing, g) {
			f.Must(f.Patch(f.Group, g, addMembers(id)))
		}
		if got := f.Members(g); !slices.Equal(got, []string{u}) {
			t.Errorf("the members are %v, want only %s", got, u)
		}
		f.CheckInvariants()
	})
}

func TestDeleteRemovesMemberships(t *testing.T) {
	directorytest.OnEach(t, func(t *testing.T, tab table.Table) {
		f := directorytest.New(t, tab)
		u, v := f.NewUser("u"), f.NewUser("v")
		inner := f.NewGroup("inner", u, v)
		outer := f.NewGroup("outer", inner, u)
		f.Must(f.Patch(f.Group, inner, addMembers(outer))) // a cycle
		before := version(f, f.Group, outer)
		if err := f.Delete(t.Context(), f.Group, inner, nil); err != nil {
			t.Fatal(err)
		}
		f.CheckInvariants()
		if !slices.Equal(f.Members(outer), []string{u}) || !slices.Equal(f.Groups(u), []string{outer}) || f.Groups(v) != nil {
			t.Errorf("outer has the members %v, u is in %v, v in %v", f.Members(outer), f.Groups(u), f.Groups(v))
		}
		if version(f, f.Group, outer) == before {
			t.Error("the delete of a member must change the version of the group")
		}
		if err := f.Delete(t.Context(), f.User, u, nil); err != nil {
			t.Fatal(err)
		}
		if f.CheckInvariants(); f.Members(outer) != nil {
			t.Errorf("outer has the members %v, want none", f.Members(outer))
		}
	})
}

func TestTenantsAreIsolated(t *testing.T) {
	t.Parallel()
	a := directorytest.New(t, directorytest.NewTable(t))
	b := a.ForTenant("te#st%") // the name contains the separator of keys
	u := a.NewUser("same")
	g := a.NewGroup("same", u)
	b.NewUser("same")
	if _, err := b.Retrieve(t.Context(), b.User, u, scim.Projection{}); directorytest.Status(err) != 404 {
		t.Errorf("GET of another tenant's user: %v, want 404", err)
	}
	if _, err := b.Patch(b.Group, g, `[{"op":"add","path":"displayName","value":"mine"}]`); directorytest.Status(err) != 404 {
		t.Errorf("PATCH of another tenant's group: %v, want 404", err)
	}
	if l := b.Find(b.User, `userName pr`); l.TotalResults != 1 {
		t.Errorf("%d users are listed, want the one of the tenant", l.TotalResults)
	}
	names := []string{"a", "a#User", "a%23User", "a%", "%", "#", ""}
	for _, x := range names {
		for _, y := range names {
			if x != y && store.NewKeys(x).Tenant() == store.NewKeys(y).Tenant() {
				t.Errorf("the keys of the tenants %q and %q begin with the same name", x, y)
			}
		}
	}
	a.CheckInvariants()
}

// The table of a store rejects every key of another tenant. This also holds for a store that is made from the
// configuration of another tenant's store, and for a tenant without a name.
func TestStoreRejectsKeysOfOtherTenants(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	tenants := []string{"t", "t2", "", "#", "unfinished"}
	for _, x := range tenants {
		s := store.New(f.Config.Store, x)
		s = store.New(s.Config, "t")
		s = store.New(s.Config, x)
		ctx, usage := table.WithUsage(t.Context())
		for _, y := range tenants {
			keys := store.NewKeys(y)
			for _, k := range []table.Key{keys.Head(f.User, missingID), keys.IntentMarker(f.User, missingID, "")} {
				_, err := s.Table.Get(ctx, nil, k)
				if invalid := (*table.InvalidError)(nil); errors.As(err, &invalid) != (x != y) {
					t.Errorf("%q reads %q: %v", x, k, err)
				}
			}
		}
		if n := usage().Calls; n != 2 {
			t.Errorf("%q: %d calls are counted, want 2", x, n)
		}
	}
}
