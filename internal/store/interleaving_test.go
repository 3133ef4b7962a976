package store_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// A request on user u, user v and group g.
type interleaved func(f *directorytest.Fixture, u, v, g string) error

func deleteU(f *directorytest.Fixture, u, _, _ string) error { return f.Delete(f.Ctx, f.User, u, nil) }

func addU(f *directorytest.Fixture, u, _, g string) error {
	_, err := f.Patch(f.Group, g, addMembers(u))
	return err
}

func addV(f *directorytest.Fixture, _, v, g string) error {
	_, err := f.Patch(f.Group, g, addMembers(v))
	return err
}

func renameU(to string) interleaved {
	return func(f *directorytest.Fixture, u, _, _ string) error {
		_, err := f.Patch(f.User, u, `[{"op":"replace","value":{"userName":"`+to+`"}}]`)
		return err
	}
}

// A second request runs between the last read and the write of a first one. Neither is lost, and the invariants hold.
func TestRequestBetweenReadAndWrite(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		first, second interleaved
		members       string // of g at the end: u, v, uv; "-": g is deleted
	}{
		{"delete of u, add of u", deleteU, addU, ""},
		{"delete of u, add and removal of u", deleteU, func(f *directorytest.Fixture, u, v, g string) error {
			err := addU(f, u, v, g)
			if err == nil {
				_, err = f.Patch(f.Group, g, `[{"op":"remove","path":"members"}]`)
			}
			return err
		}, ""},
		{"delete of g, add of u", func(f *directorytest.Fixture, _, _, g string) error {
			return f.Delete(f.Ctx, f.Group, g, nil)
		}, addU, "-"},
		{"add of u, add of v", addU, addV, "uv"},
		{"add of u and v, delete of u", func(f *directorytest.Fixture, u, v, g string) error {
			_, err := f.Patch(f.Group, g, addMembers(u, v))
			return err
		}, deleteU, "v"},
		{"replace of g, add of v", func(f *directorytest.Fixture, u, _, g string) error {
			_, err := f.Replace(f.Ctx, f.Group, g, directorytest.WithMembers("new", u), nil, scim.Projection{})
			return err
		}, addV, "u"},
		{"rename of g, add of v", func(f *directorytest.Fixture, _, _, g string) error {
			_, err := f.Patch(f.Group, g, `[{"op":"replace","value":{"displayName":"new"}}]`)
			return err
		}, addV, "v"},
		{"rename of u, add of u", renameU("new"), addU, "u"},
		{"rename of u, another rename of u", renameU("new"), renameU("newer"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			u, v, g := f.NewUser("u"), f.NewUser("v"), f.NewGroup("g")
			interrupted := beforeFirst(f, "Write", "", func() {
				if err := c.second(f, u, v, g); err != nil {
					t.Error(err)
				}
			})
			if err := c.first(interrupted, u, v, g); err != nil {
				t.Error(err)
			}
			if f.CheckInvariants(); c.members == "-" {
				return
			}
			want := map[string][]string{"": nil, "u": {u}, "v": {v}, "uv": {u, v}}[c.members]
			if slices.Sort(want); !slices.Equal(f.Members(g), want) {
				t.Errorf("the group has %v, want %s (u is %s, v is %s)", f.Members(g), c.members, u, v)
			}
		})
	}
}

// If several conditions fail, the condition on the resource's own version determines the error. The others may have
// failed for an outdated reason.
func TestChangedVersionTakesPrecedenceOverTakenName(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	u := f.NewUser("u")
	version := f.Must(f.Retrieve(f.Ctx, f.User, u, scim.Projection{})).Version
	interrupted := beforeFirst(f, "Write", "", func() {
		f.Must(f.Patch(f.User, u, `[{"op":"add","path":"title","value":"x"}]`))
		f.NewUser("new")
	})
	match := func(entityTag string) bool { return entityTag == version }
	_, err := interrupted.Replace(f.Ctx, f.User, u, scim.Object{"userName": "new"}, match, scim.Projection{})
	if directorytest.Status(err) != 412 {
		t.Errorf("got %v, want 412, not 409 for the name", err)
	}
}

// A member joins between two reads of one response. The response shows the members of the version that it shows.
func TestRequestBetweenTwoReads(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(f *directorytest.Fixture, g string) (*directory.Resource, error){
		"GET": func(f *directorytest.Fixture, g string) (*directory.Resource, error) {
			return f.Retrieve(f.Ctx, f.Group, g, scim.Projection{})
		},
		"list": func(f *directorytest.Fixture, g string) (*directory.Resource, error) {
			l, err := f.List(f.Ctx, directory.ListParams{Types: directorytest.Only(f.Group), StartIndex: 1, Count: 10})
			if err != nil {
				return nil, err
			}
			return l.Resources[0], nil
		},
		"PATCH": func(f *directorytest.Fixture, g string) (*directory.Resource, error) {
			return f.Patch(f.Group, g, `[{"op":"replace","value":{"displayName":"g"}}]`)
		},
	} {
		for _, call := range []string{"Query", "Get"} {
			t.Run(name+" "+call, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t)
				u, v := f.NewUser("u"), f.NewUser("v")
				g := f.NewGroup("g", u)
				interrupted := beforeFirst(f, call, g, func() {
					if _, err := f.Patch(f.Group, g, addMembers(v)); err != nil {
						t.Error(err)
					}
				})
				r := f.Must(read(interrupted, g))
				if want := map[string]int{`W/"1"`: 1, `W/"2"`: 2}[r.Version]; len(directorytest.Values(r, "members")) != want {
					t.Errorf("version %s has %d members, want %d", r.Version, len(directorytest.Values(r, "members")), want)
				}
			})
		}
	}
}

func TestMemberDeletedDuringAReadIsNotShown(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	u := f.NewUser("u")
	g := f.NewGroup("g", u)
	interrupted := beforeFirst(f, "Get", u, func() {
		if err := f.Delete(f.Ctx, f.User, u, nil); err != nil {
			t.Error(err)
		}
	})
	if got := interrupted.Members(g); got != nil {
		t.Errorf("the response shows the deleted member: %v", got)
	}
}

// A list that is read while a user is renamed shows every other user, and no user twice.
func TestListDuringRenames(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, &tabletest.PartialVisibility{Table: directorytest.NewTable(t)})
	var users []string
	for i := range 8 {
		users = append(users, f.NewUser(fmt.Sprint("u", i)))
	}
	renamed := users[3]
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 100 {
			operation := fmt.Sprintf(`[{"op":"replace","path":"userName","value":"%c"}]`, 'a'+i%26)
			if _, err := f.Patch(f.User, renamed, operation); err != nil {
				t.Error(err)
			}
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		l, err := f.List(t.Context(), directory.ListParams{Types: directorytest.Only(f.User), StartIndex: 1, Count: 100})
		if err != nil {
			t.Fatal(err)
		}
		listed := map[string]bool{}
		for _, id := range directorytest.IDs(l) {
			if listed[id] {
				t.Fatalf("%v is listed twice", id)
			}
			listed[id] = true
		}
		for _, id := range users {
			if id != renamed && !listed[id] {
				t.Fatalf("%s is not listed", id)
			}
		}
	}
}

// One snapshot read looks up 99 members. A member joins between the snapshot reads of 250 members: all results must be
// from one version.
func TestReadMembershipsReturnsOneVersion(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var users []string
	for i := range 250 {
		users = append(users, f.NewUser(fmt.Sprint("u", i)))
	}
	slices.Sort(users)
	g := f.NewGroup("g", users[0])
	var reads atomic.Int32
	interrupted := f.Over(tabletest.Faults{Table: f.Config.Store.Table, Before: func(c tabletest.Call) error {
		if c.Method == "Snapshot" && reads.Add(1) == 2 {
			f.Must(f.Patch(f.Group, g, addMembers(users[249])))
		}
		return nil
	}})
	h, members, err := interrupted.Store.ReadMemberships(f.Ctx, f.Group, g, users)
	if want := []string{users[0], users[249]}; err != nil || h.Version != 2 || !slices.Equal(members, want) {
		t.Errorf("version %d has %v, want version 2 with %v (%v)", h.Version, members, want, err)
	}
}

// A PATCH that names many members that a small group does not have reads the group instead of looking up each member.
func TestRemovingManyUnknownMembersReadsTheGroup(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	g := f.NewGroup("g", f.NewUser("u"))
	var ids []string
	for i := range 5000 {
		ids = append(ids, f.User.NewID([16]byte{byte(i >> 8), byte(i)}))
	}
	ctx, usage := table.WithUsage(t.Context())
	f.Must(withContext(ctx, f).Patch(f.Group, g, removeMembers(ids...)))
	if u := usage(); u.ReadUnits > 20 {
		t.Errorf("%v read units to remove 5,000 unknown members from a group of one member", u.ReadUnits)
	}
}
