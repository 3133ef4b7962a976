package directory

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

func TestUserLifecycle(t *testing.T) {
	onEach(t, func(t *testing.T, tab table.Table) {
		f := newFixture(t, tab)
		o := scim.Object{"userName": "Ada@example.com", "externalId": "00u1", "active": true,
			"emails": []any{scim.Object{"value": "ADA@example.com", "primary": true}}}
		id := f.must(f.Create(t.Context(), f.user, o, scim.Projection{})).ID()
		for _, by := range []string{`userName eq "ADA@EXAMPLE.COM"`, `externalId eq "00u1"`, `emails eq "ada@example.com"`,
			`emails.value eq "Ada@Example.com"`, `id eq "` + id + `"`, `title pr or userName sw "ada"`} {
			if l := f.find(f.user, by); l.TotalResults != 1 || l.Resources[0].Object()["id"] != id {
				t.Errorf("%s must find the user, found %d", by, l.TotalResults)
			}
		}
		if l := f.find(f.user, `externalId eq "00U1"`); l.TotalResults != 0 {
			t.Error("externalId is compared with its case")
		}
		r := f.must(f.Replace(t.Context(), f.user, id, scim.Object{"userName": "lovelace@example.com"}, nil, scim.Projection{}))
		if r.Version != `W/"2.0"` || r.Object()["active"] != nil {
			t.Errorf("a PUT clears what it leaves out and moves the version: %v", r)
		}
		if f.find(f.user, `userName eq "ada@example.com"`).TotalResults+f.find(f.user, `emails eq "ada@example.com"`).TotalResults != 0 {
			t.Error("an old name or address finds nothing")
		}
		f.newUser("ada@example.com") // the name is free again
		if _, err := f.patch(f.user, id, `[{"op":"replace","path":"userName","value":"ADA@example.com"}]`); status(err) != 409 {
			t.Errorf("a rename to a taken name must be 409, got %v", err)
		}
		f.consistent()
		if err := f.Delete(t.Context(), f.user, id, nil); err != nil {
			t.Fatal(err)
		}
		if err := f.Delete(t.Context(), f.user, id, nil); status(err) != 404 {
			t.Errorf("what is deleted is gone, got %v", err)
		}
		f.consistent()
	})
}

// In a table that is near, resources are listed in the order of their creation, whatever the random bytes of their ids.
func TestIDsAreInTheOrderOfCreation(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	f.InProcess = true
	now := time.UnixMilli(1 << 40) // more than 32 bits, so that an overflow shows
	f.Now = func() time.Time { now = now.Add(time.Millisecond); return now }
	var made, listed []string
	for i := range 100 { // a page
		made = append(made, f.newUser(strconv.Itoa(i)))
	}
	for _, r := range f.find(f.user, "userName pr").Resources {
		listed = append(listed, r.ID())
	}
	if !slices.Equal(listed, made) {
		t.Errorf("made in the order %v, listed in the order %v", made, listed)
	}
}

func TestWhatChangesNothingWritesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	u := f.newUser("u")
	g := f.newGroup("g", u)
	before := f.dump()
	f.must(f.patch(f.user, u, `[{"op":"replace","value":{"userName":"u"}}]`))
	f.must(f.patch(f.group, g, `[{"op":"add","path":"members","value":[{"value":"`+u+`"}]},{"op":"replace","value":{"displayName":"g"}}]`))
	f.must(f.patch(f.group, g, `[{"op":"remove","path":"members[value eq \"u0000000000000000000000000a\"]"}]`))
	f.must(f.Replace(t.Context(), f.group, g, withMembers("g", u), nil, scim.Projection{}))
	f.must(f.Replace(t.Context(), f.user, u, scim.Object{"userName": "u"}, nil, scim.Projection{}))
	if after := f.dump(); fmt.Sprint(keysAndVersions(after)) != fmt.Sprint(keysAndVersions(before)) {
		t.Error("RFC 7644 §3.5.2: a request that changes nothing must leave version and lastModified")
	}
}

func keysAndVersions(items map[table.Key]table.Item) map[table.Key]string {
	v := map[table.Key]string{}
	for k, it := range items {
		v[k] = fmt.Sprint(table.IntValue(it["ver"]), it["modified"])
	}
	return v
}

func TestMembersThatCannotBeAreLeftOut(t *testing.T) {
	onEach(t, func(t *testing.T, tab table.Table) {
		f := newFixture(t, tab)
		u, gone := f.newUser("u"), f.newUser("gone")
		if err := f.Delete(t.Context(), f.user, gone, nil); err != nil {
			t.Fatal(err)
		}
		other := f.tenant("other").newUser("u")
		strangers := []string{gone, other, "nobody", "u#@", "../" + u}
		g := f.newGroup("g", append(strangers, u, u)...)
		if got := f.members(g); !slices.Equal(got, []string{u}) {
			t.Errorf("members are %v, want %s alone", got, u)
		}
		for _, id := range append(strangers, g) { // a group is never its own member
			f.must(f.patch(f.group, g, `[{"op":"add","path":"members","value":[{"value":"`+id+`"}]}]`))
		}
		if got := f.members(g); !slices.Equal(got, []string{u}) {
			t.Errorf("members are %v, want %s alone", got, u)
		}
		f.consistent()
	})
}

func TestDeletesLeaveNoEdge(t *testing.T) {
	onEach(t, func(t *testing.T, tab table.Table) {
		f := newFixture(t, tab)
		u, v := f.newUser("u"), f.newUser("v")
		inner := f.newGroup("inner", u, v)
		outer := f.newGroup("outer", inner, u)
		f.must(f.patch(f.group, inner, `[{"op":"add","path":"members","value":[{"value":"`+outer+`"}]}]`)) // a cycle
		version := f.must(f.Retrieve(t.Context(), f.group, outer, scim.Projection{})).Version
		if err := f.Delete(t.Context(), f.group, inner, nil); err != nil {
			t.Fatal(err)
		}
		if f.consistent(); !slices.Equal(f.members(outer), []string{u}) || !slices.Equal(f.groups(u), []string{outer}) || f.groups(v) != nil {
			t.Errorf("outer has %v, u is in %v, v in %v", f.members(outer), f.groups(u), f.groups(v))
		}
		if f.must(f.Retrieve(t.Context(), f.group, outer, scim.Projection{})).Version == version {
			t.Error("a member that is deleted moves the version of its groups")
		}
		if err := f.Delete(t.Context(), f.user, u, nil); err != nil {
			t.Fatal(err)
		}
		if f.consistent(); f.members(outer) != nil {
			t.Errorf("outer still has %v", f.members(outer))
		}
	})
}

func TestTenantsDoNotMeet(t *testing.T) {
	t.Parallel()
	a := newFixture(t, memory(t))
	b := a.tenant("te#st%") // looks like a key
	u := a.newUser("same")
	g := a.newGroup("same", u)
	b.newUser("same")
	if _, err := b.Retrieve(t.Context(), b.user, u, scim.Projection{}); status(err) != 404 {
		t.Errorf("another tenant's user must be 404, got %v", err)
	}
	if _, err := b.patch(b.group, g, `[{"op":"add","path":"displayName","value":"mine"}]`); status(err) != 404 {
		t.Errorf("another tenant's group must be 404, got %v", err)
	}
	if l := b.find(b.user, `userName pr`); l.TotalResults != 1 {
		t.Errorf("another tenant's users are listed: %d", l.TotalResults)
	}
	for _, x := range []string{"a", "a#User", "a%23User", "a%", "%", "#", ""} {
		for _, y := range []string{"a", "a#User", "a%23User", "a%", "%", "#", ""} {
			if x != y && NewKeys(x).tenant == NewKeys(y).tenant {
				t.Errorf("the tenants %q and %q share their keys", x, y)
			}
		}
	}
	a.consistent()
}

// Whatever makes a key, the table of a directory refuses those of others; also where it comes from another's, and where
// the tenant has no name.
func TestADirectoryReachesItsOwnItemsAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	tenants := []string{"t", "t2", "", "#", "unfinished"}
	for _, x := range tenants {
		d := f.tenant(x).tenant("t").tenant(x)
		ctx, usage := table.WithUsage(t.Context())
		for _, y := range tenants {
			for _, k := range []table.Key{NewKeys(y).Head(f.user, nobody), NewKeys(y).IntentMarker(f.user, nobody, "")} {
				_, err := d.Config.Table.Get(ctx, nil, k)
				if invalid := (*table.InvalidError)(nil); errors.As(err, &invalid) != (x != y) {
					t.Errorf("%q asks for %q: %v", x, k, err)
				}
			}
		}
		if n := usage().Calls; n != 2 {
			t.Errorf("%q: %d calls are counted, want 2", x, n)
		}
	}
}

func TestPagesHoldEverybodyOnce(t *testing.T) {
	onEach(t, func(t *testing.T, tab table.Table) {
		f := newFixture(t, tab)
		want := []string{}
		for i := range 23 {
			want = append(want, f.newUser(fmt.Sprintf("u%02d", i)))
		}
		slices.Sort(want)
		for _, size := range []int{1, 7, 23, 24, 100} {
			var got []string
			for start := 1; ; start += size {
				l, err := f.List(t.Context(), Params{Types: only(f.user), StartIndex: start, Count: size})
				if err != nil {
					t.Fatal(err)
				}
				if l.TotalResults != 23 {
					t.Errorf("totalResults at %d of size %d is %d, want 23", start, size, l.TotalResults)
				}
				for _, r := range l.Resources {
					got = append(got, r.ID())
				}
				if start+size > l.TotalResults {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("pages of %d hold %d users in another order or number", size, len(got))
			}
		}
		for _, q := range []Params{{Types: only(f.user), StartIndex: 1, Count: 0}, {Types: only(f.user), StartIndex: 24, Count: 5}} {
			if l, err := f.List(t.Context(), q); err != nil || len(l.Resources) != 0 || l.TotalResults != 23 {
				t.Errorf("%+v: %v %v", q, l, err)
			}
		}
	})
}

// Clients stop at totalResults, so it must not be behind while there is more, whatever the counts say.
func TestTotalReachesBehindThePage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	for i := range 5 {
		f.newUser(fmt.Sprint("u", i))
	}
	if err := f.Table.Write(t.Context(), table.Update{Key: f.keys.Counter(f.user, 0), Add: table.Item{"n": table.N(-4)}}); err != nil {
		t.Fatal(err)
	}
	for start, want := range map[int]int{1: 3, 3: 5, 5: 5} {
		if l, err := f.List(t.Context(), Params{Types: only(f.user), StartIndex: start, Count: 2}); err != nil || l.TotalResults != want {
			t.Errorf("startIndex %d: totalResults is %d, want %d", start, l.TotalResults, want)
		}
	}
}

// A page is found however many ids are before it, also where these are tested, a batch at a time.
func TestAFarPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	users := f.newUsers(scanBatch + 60) // in the order of ids
	for _, tests := range []filter.Expr{nil, parsed(t, `userName pr`)} {
		for _, start := range []int{1, scanBatch - 20, scanBatch, scanBatch + 1, scanBatch + 30} {
			q := Params{Types: only(f.user), Filter: tests, StartIndex: start, Count: 40, Client: strconv.Itoa(start)}
			want := users[start-1 : min(start-1+q.Count, len(users))]
			if l := f.query(t, q); !slices.Equal(idsOf(l), want) || l.TotalResults != len(users) {
				t.Errorf("startIndex %d, tested by %v: %d of %d, want %d of %d", start, tests, len(l.Resources), l.TotalResults, len(want), len(users))
			}
		}
	}
}

func TestLongValuesAreFound(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	for _, n := range []int{512, 513, 3000} {
		long := strings.Repeat("x", n)
		f.must(f.Create(t.Context(), f.user, scim.Object{"userName": fmt.Sprint("u", n), "externalId": long}, scim.Projection{}))
		for value, want := range map[string]int{long: 1, long + "x": 0} {
			if got := f.find(f.user, `externalId eq "`+value+`"`).TotalResults; got != want {
				t.Errorf("an externalId of %d bytes: %d found, want %d", len(value), got, want)
			}
		}
	}
	f.consistent()
}

// Whether a filter goes by keys or walks, it finds what it means.
func TestKeysFindWhatAWalkFinds(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	var all []*Resource
	for i := range 12 {
		r := f.must(f.Create(t.Context(), f.user, scim.Object{"userName": fmt.Sprint("U", i), "externalId": fmt.Sprint("e", i%5),
			"title": fmt.Sprint(i % 2), "emails": []any{scim.Object{"value": fmt.Sprintf("%d@X", i%3), "type": fmt.Sprint(i % 4)}}}, scim.Projection{}))
		all = append(all, r)
	}
	atoms := []string{`userName eq "u3"`, `USERNAME eq "U99"`, `externalId eq "e1"`, `externalId eq "E1"`, `emails eq "1@x"`, `emails.value eq "2@X"`,
		`emails[value eq "1@x" and type eq "1"]`, `emails.type eq "1"`, `title eq "1"`, `id eq "` + all[4].ID() + `"`,
		`id eq "nobody"`, `userName ne "u3"`, `externalId ne "e1"`, `groups pr`, `groups.display eq "x"`}
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.SampledFrom(atoms).Draw(rt, "atom")
		for range rapid.IntRange(0, 3).Draw(rt, "more") {
			text = rapid.SampledFrom([]string{"(%s) and %s", "(%s) or %s", "not (%s) and %s", "%s and not (%[2]s and %[1]s)"}).Draw(rt, "form")
			text = fmt.Sprintf(text, rapid.SampledFrom(atoms).Draw(rt, "x"), rapid.SampledFrom(atoms).Draw(rt, "y"))
		}
		e, err := filter.Parse(text)
		if err != nil {
			rt.Fatal(err)
		}
		match, err := f.user.Matcher(e)
		if err != nil {
			rt.Fatal(err)
		}
		want := 0
		for _, r := range all {
			if match(r.Object()) {
				want++
			}
		}
		if l, err := f.List(t.Context(), Params{Types: only(f.user), Filter: e, StartIndex: 1, Count: 100}); err != nil || l.TotalResults != want {
			rt.Fatalf("%s finds %v %v, want %d", text, l, err, want)
		}
	})
}
