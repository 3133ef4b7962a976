package directory

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// before lets something happen just before the first call of a method that f makes on one of some keys' partitions.
func (f *fixture) before(method, partition string, happens func()) *fixture {
	var done atomic.Bool
	return f.over(tabletest.Faults{Table: f.Table, Before: func(c tabletest.Call) error {
		meant := func(k table.Key) bool { return strings.HasSuffix(k.PK, partition) }
		if c.Method == method && slices.ContainsFunc(c.Keys, meant) && !done.Swap(true) {
			happens()
		}
		return nil
	}})
}

// What another request does between the read and the write of one is neither lost nor broken.
func TestBetweenReadAndWrite(t *testing.T) {
	t.Parallel()
	add := func(ids ...string) string { return `[{"op":"add","path":"members","value":` + list(ids) + `}]` }
	for _, c := range []struct {
		what          string
		first, second func(f *fixture, u, v, g string) error
		members       string // of g in the end: u, v, uv; - where it is gone
	}{
		{"a user is deleted | it joins a group",
			func(f *fixture, u, v, g string) error { return f.Delete(f.ctx, f.user, u, nil) },
			func(f *fixture, u, v, g string) error { _, err := f.patch(f.group, g, add(u)); return err }, ""},
		{"a user is deleted | it joins and leaves a group",
			func(f *fixture, u, v, g string) error { return f.Delete(f.ctx, f.user, u, nil) },
			func(f *fixture, u, v, g string) error {
				_, err := f.patch(f.group, g, add(u))
				if err == nil {
					_, err = f.patch(f.group, g, `[{"op":"remove","path":"members"}]`)
				}
				return err
			}, ""},
		{"a group is deleted | a user joins it",
			func(f *fixture, u, v, g string) error { return f.Delete(f.ctx, f.group, g, nil) },
			func(f *fixture, u, v, g string) error { _, err := f.patch(f.group, g, add(u)); return err }, "-"},
		{"a user joins a group | another does",
			func(f *fixture, u, v, g string) error { _, err := f.patch(f.group, g, add(u)); return err },
			func(f *fixture, u, v, g string) error { _, err := f.patch(f.group, g, add(v)); return err }, "uv"},
		{"a user joins a group | and is deleted",
			func(f *fixture, u, v, g string) error { _, err := f.patch(f.group, g, add(u, v)); return err },
			func(f *fixture, u, v, g string) error { return f.Delete(f.ctx, f.user, u, nil) }, "v"},
		{"a group is replaced | a user joins it",
			func(f *fixture, u, v, g string) error {
				_, err := f.Replace(f.ctx, f.group, g, withMembers("new", u), nil, scim.Projection{})
				return err
			},
			func(f *fixture, u, v, g string) error { _, err := f.patch(f.group, g, add(v)); return err }, "u"},
		{"a group is renamed | a user joins it",
			func(f *fixture, u, v, g string) error {
				_, err := f.patch(f.group, g, `[{"op":"replace","value":{"displayName":"new"}}]`)
				return err
			},
			func(f *fixture, u, v, g string) error { _, err := f.patch(f.group, g, add(v)); return err }, "v"},
		{"a user is renamed | it joins a group",
			func(f *fixture, u, v, g string) error {
				_, err := f.patch(f.user, u, `[{"op":"replace","value":{"userName":"new"}}]`)
				return err
			},
			func(f *fixture, u, v, g string) error { _, err := f.patch(f.group, g, add(u)); return err }, "u"},
		{"a user is renamed | to another name",
			func(f *fixture, u, v, g string) error {
				_, err := f.patch(f.user, u, `[{"op":"replace","value":{"userName":"new"}}]`)
				return err
			},
			func(f *fixture, u, v, g string) error {
				_, err := f.patch(f.user, u, `[{"op":"replace","value":{"userName":"newer"}}]`)
				return err
			}, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, memory(t))
			u, v, g := f.newUser("u"), f.newUser("v"), f.newGroup("g")
			among := f.before("Write", "", func() {
				if err := c.second(f, u, v, g); err != nil {
					t.Error(err)
				}
			})
			if err := c.first(among, u, v, g); err != nil {
				t.Error(err)
			}
			if f.consistent(); c.members == "-" {
				return
			}
			want := map[string][]string{"": nil, "u": {u}, "v": {v}, "uv": {u, v}}[c.members]
			if slices.Sort(want); !slices.Equal(f.members(g), want) {
				t.Errorf("the group has %v, want %s (u is %s, v is %s)", f.members(g), c.members, u, v)
			}
		})
	}
}

// The resource's own version comes first: what else fails says nothing once that has moved.
func TestAStaleChangeIsStaleWhateverElseFails(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	u := f.newUser("u")
	version := f.must(f.Retrieve(f.ctx, f.user, u, scim.Projection{})).Version
	among := f.before("Write", "", func() {
		f.must(f.patch(f.user, u, `[{"op":"add","path":"title","value":"x"}]`))
		f.newUser("new")
	})
	_, err := among.Replace(f.ctx, f.user, u, scim.Object{"userName": "new"}, func(v string) bool { return v == version }, scim.Projection{})
	if status(err) != 412 {
		t.Errorf("want 412, and not 409 for the name that is taken, too: %v", err)
	}
}

// Between the reads of one answer, too: a group is shown with exactly the members of its version.
func TestBetweenTwoReads(t *testing.T) {
	t.Parallel()
	for what, read := range map[string]func(f *fixture, g string) (*Resource, error){
		"GET": func(f *fixture, g string) (*Resource, error) { return f.Retrieve(f.ctx, f.group, g, scim.Projection{}) },
		"list": func(f *fixture, g string) (*Resource, error) {
			l, err := f.List(f.ctx, Params{Types: only(f.group), StartIndex: 1, Count: 10})
			if err != nil {
				return nil, err
			}
			return l.Resources[0], nil
		},
		"PATCH": func(f *fixture, g string) (*Resource, error) {
			return f.patch(f.group, g, `[{"op":"replace","value":{"displayName":"g"}}]`)
		},
	} {
		for _, call := range []string{"Query", "Get"} {
			t.Run(what+" "+call, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, memory(t))
				u, v := f.newUser("u"), f.newUser("v")
				g := f.newGroup("g", u)
				among := f.before(call, g, func() {
					if _, err := f.patch(f.group, g, `[{"op":"add","path":"members","value":`+list([]string{v})+`}]`); err != nil {
						t.Error(err)
					}
				})
				r := f.must(read(among, g))
				if want := map[string]int{`W/"1"`: 1, `W/"2"`: 2}[r.Version]; len(values(r, "members")) != want {
					t.Errorf("version %s has %d members, want %d", r.Version, len(values(r, "members")), want)
				}
			})
		}
	}
}

func TestAMemberThatGoesMeanwhileIsNotShown(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	u := f.newUser("u")
	g := f.newGroup("g", u)
	among := f.before("Get", u, func() {
		if err := f.Delete(f.ctx, f.user, u, nil); err != nil {
			t.Error(err)
		}
	})
	if got := among.members(g); got != nil {
		t.Errorf("a deleted member is shown: %v", got)
	}
}

// An operation says what it means, also where that takes the names of the members.
func TestMembersAreRemovedByTheirNames(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	ada := f.must(f.Create(t.Context(), f.user, scim.Object{"userName": "a", "displayName": "Ada"}, scim.Projection{})).ID()
	u := f.newUser("u")
	g := f.newGroup("g", ada, u)
	f.must(f.patch(f.group, g, `[{"op":"remove","path":"members[display eq \"ada\"]"}]`))
	if got := f.members(g); !slices.Equal(got, []string{u}) {
		t.Errorf("members are %v, want %s alone", got, u)
	}
	f.must(f.patch(f.group, g, `[{"op":"remove","path":"members[type eq \"User\"]"}]`))
	if f.consistent(); f.members(g) != nil {
		t.Errorf("members are %v, want none", f.members(g))
	}
}

// A list that is read while somebody is renamed shows everybody, and nobody twice.
func TestAListDuringRenames(t *testing.T) {
	t.Parallel()
	f := newFixture(t, &tabletest.PartialVisibility{Table: memory(t)})
	var all []string
	for i := range 8 {
		all = append(all, f.newUser(fmt.Sprint("u", i)))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 100 {
			if _, err := f.patch(f.user, all[3], fmt.Sprintf(`[{"op":"replace","path":"userName","value":"%c"}]`, 'a'+i%26)); err != nil {
				t.Error(err)
			}
		}
	}()
	for busy := true; busy; {
		select {
		case <-done:
			busy = false
		default:
		}
		l, err := f.List(t.Context(), Params{Types: only(f.user), StartIndex: 1, Count: 100})
		if err != nil {
			t.Fatal(err)
		}
		seen := map[any]bool{}
		for _, r := range l.Resources {
			if id := r.Object()["id"]; seen[id] {
				t.Fatalf("%v is listed twice", id)
			} else {
				seen[id] = true
			}
		}
		for _, id := range all {
			if id != all[3] && !seen[id] {
				t.Fatalf("%s is not listed", id)
			}
		}
	}
}

// A fault in one of several calls at once is the caller's to recover.
func TestAPanicInACallReachesTheCaller(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() != "fault" {
			t.Error("want the call's panic")
		}
	}()
	runInGoroutines(func() error { panic("fault") }, func() error { return nil })
	t.Error("want a panic")
}

func TestWhatIsTooLargeForATransactionIs413(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	tooLarge := f.over(tabletest.Faults{Table: f.Table, Before: func(c tabletest.Call) error {
		if c.Method == "Write" {
			return &table.TooLargeError{Reason: "5 MB"}
		}
		return nil
	}})
	if _, err := tooLarge.Create(t.Context(), f.user, scim.Object{"userName": "u"}, scim.Projection{}); status(err) != 413 {
		t.Errorf("want 413, got %v", err)
	}
}

// Many members that a small group does not have are read as cheaply as the group.
func TestReadingFewOfManyNamed(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	g := f.newGroup("g", f.newUser("u"))
	var ids []string
	for i := range 5000 {
		ids = append(ids, f.user.NewID([16]byte{byte(i >> 8), byte(i)}))
	}
	ctx, usage := table.WithUsage(t.Context())
	with := *f
	with.ctx = ctx
	f.must((&with).patch(f.group, g, `[{"op":"remove","path":"members","value":`+list(ids)+`}]`))
	if u := usage(); u.ReadUnits > 20 {
		t.Errorf("%v read units, to remove nobody from a group of one", u.ReadUnits)
	}
}

// A Snapshot holds 99 members; more are read in several, which must be of one version.
func TestManyMembersAreReadAsOfOneVersion(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	var users []string
	for i := range 250 {
		users = append(users, f.newUser(fmt.Sprint("u", i)))
	}
	slices.Sort(users)
	g := f.newGroup("g", users[0])
	var reads atomic.Int32
	counted := f.over(tabletest.Faults{Table: f.Table, Before: func(c tabletest.Call) error {
		if c.Method == "Snapshot" && reads.Add(1) == 2 { // between the first and the second
			f.must(f.patch(f.group, g, `[{"op":"add","path":"members","value":`+list(users[249:])+`}]`))
		}
		return nil
	}})
	h, members, err := counted.ReadMemberships(f.ctx, f.group, g, users)
	if want := []string{users[0], users[249]}; err != nil || h.Version != 2 || !slices.Equal(members, want) {
		t.Errorf("version %d has %v, want version 2 with %v (%v)", h.Version, members, want, err)
	}
}

func TestANameThatIsOnesOwnIsNotTaken(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	stood := MarshalItem(NameItem{f.keys.Name(f.user, "n"), "u1"})
	if err := nameTakenHandler(f.user, "u1")(stood); err != table.ErrConflict {
		t.Errorf("an attempt that had got lost may have arrived: want another try, got %v", err)
	}
	if err := nameTakenHandler(f.user, "u2")(stood); status(err) != 409 {
		t.Errorf("want 409, got %v", err)
	}
}

func TestAMemberOfTooManyGroupsIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	u, g := f.newUser("u"), f.newGroup("g")
	var groups []string
	for i := range maxGroupsPerMember {
		groups = append(groups, fmt.Sprint("g", i))
	}
	if err := f.Table.Write(t.Context(), table.Update{Key: f.keys.Head(f.user, u), Add: table.Item{"groups": table.SS(groups...)}}); err != nil {
		t.Fatal(err)
	}
	_, err := f.patch(f.group, g, `[{"op":"add","path":"members","value":`+list([]string{u})+`}]`)
	if status(err) != 400 || !strings.Contains(err.Error(), u) {
		t.Errorf("want 400 that names the member, got %v", err)
	}
	if f.members(g) != nil {
		t.Error("nothing is changed")
	}
}
