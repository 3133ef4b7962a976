package store_test

import (
	"crypto/rand"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// A memberRequest adds members to group g, or to a new group.
type memberRequest struct {
	name string
	send func(f *directorytest.Fixture, g string, members []string) (*directory.Resource, error)
}

func memberRequests() []memberRequest {
	// %s is the list of members.
	patch := func(format string) func(*directorytest.Fixture, string, []string) (*directory.Resource, error) {
		return func(f *directorytest.Fixture, g string, members []string) (*directory.Resource, error) {
			return f.Patch(f.Group, g, fmt.Sprintf(format, directorytest.MembersJSON(members)))
		}
	}
	return []memberRequest{
		{"POST", func(f *directorytest.Fixture, _ string, members []string) (*directory.Resource, error) {
			return f.Create(f.Ctx, f.Group, directorytest.WithMembers(rand.Text(), members...), scim.Projection{})
		}},
		{"PUT", func(f *directorytest.Fixture, g string, members []string) (*directory.Resource, error) {
			return f.Replace(f.Ctx, f.Group, g, directorytest.WithMembers("g", members...), nil, scim.Projection{})
		}},
		{"PATCH add", patch(`[{"op":"add","path":"members","value":%s}]`)},
		{"PATCH replace", patch(`[{"op":"replace","path":"members","value":%s},
			{"op":"add","path":"externalId","value":"x"}]`)},
		{"PATCH add, remove by filter", patch(`[{"op":"add","path":"members","value":%s},
			{"op":"remove","path":"members[type eq \"Group\"]"}]`)},
	}
}

// With StrictMembers, a request that adds missing members writes nothing, and the error names all of them. Without it,
// the request adds only the members that exist. Both hold for small and large changes, and for every reason why a
// member is missing.
func TestMissingMembers(t *testing.T) {
	t.Parallel()
	limitsBySize := map[string]store.Limits{"small change": {}, "large change": largeFromTenMembers}
	for size, limits := range limitsBySize {
		for _, request := range memberRequests() {
			t.Run(request.name+", "+size, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t)
				setLimits(f, limits)
				users := f.NewUsers(14)
				missing := map[string][]string{
					"malformed": {"x", "U#1"}, "never created": {unknownID},
					"deleted": {f.NewUser("deleted")}, "being deleted": {f.NewUser("being deleted")},
				}
				if err := f.Delete(f.Ctx, f.User, missing["deleted"][0], nil); err != nil {
					t.Fatal(err)
				}
				markDeleting := table.Update{
					Key: f.Store.Keys.Head(f.User, missing["being deleted"][0]), Set: table.Item{"deleting": table.BOOL(true)},
				}
				if err := f.Store.Table.Write(f.Ctx, markDeleting); err != nil {
					t.Fatal(err)
				}
				g := f.NewGroup("g", users[0])
				if request.name != "POST" {
					missing["the group itself"] = []string{g}
				}
				missing["all"] = slices.Concat(slices.Collect(maps.Values(missing))...)
				for reason, ids := range missing {
					checkRejected(f, request, g, reason, users, ids)
				}
				setStrictMembers(f, true)
				f.Must(request.send(f, g, users))
				setStrictMembers(f, false)
				r := f.Must(request.send(f, g, append(missing["all"], users...)))
				f.CheckMembers(r.ID(), users)
				f.CheckInvariants()
			})
		}
	}
}

// checkRejected sends a request with StrictMembers that adds missing members, and fails the test unless it returns 400,
// lists the missing members, and writes nothing.
func checkRejected(f *directorytest.Fixture, request memberRequest, g, reason string, users, missing []string) {
	f.Helper()
	setStrictMembers(f, true)
	before := f.Dump()
	_, err := request.send(f, g, slices.Concat(users, missing, missing))
	e, _ := err.(*scim.Error)
	if e == nil || e.Status != 400 || e.Type != scim.InvalidValue {
		f.Fatalf("%s: got %v, want 400 invalidValue", reason, err)
	}
	if n := strings.Count(e.Detail, `"`) / 2; n != len(missing) {
		f.Errorf("%s: the detail lists %d members, want %d: %s", reason, n, len(missing), e.Detail)
	}
	for _, id := range missing {
		if !strings.Contains(e.Detail, fmt.Sprintf("%q", id)) {
			f.Errorf("%s: the detail does not list %q: %s", reason, id, e.Detail)
		}
	}
	if !reflect.DeepEqual(f.Dump(), before) {
		f.Errorf("%s: the rejected request has written something", reason)
	}
}

func TestMissingMembersDetailIsShort(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	setStrictMembers(f, true)
	var ids []string
	for i := range 23 {
		ids = append(ids, fmt.Sprint("x", 100+i), "u"+strings.Repeat("é", 100))
	}
	_, err := f.Create(f.Ctx, f.Group, directorytest.WithMembers("g", ids...), scim.Projection{})
	if directorytest.Status(err) != 400 || len(err.Error()) > 500 ||
		strings.Count(err.Error(), `"`) != 2*20 || !strings.Contains(err.Error(), ` and 4 more. `) {
		t.Errorf("got %v, want 20 members and 4 more", err)
	}
}

func TestRemovingMissingMembersIsNotRejected(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	setStrictMembers(f, true)
	u := f.NewUser("u")
	g := f.NewGroup("g", u)
	missing := directorytest.MembersJSON([]string{unknownID, "x", g})
	f.Must(f.Patch(f.Group, g, `[{"op":"remove","path":"members","value":`+missing+`},
		{"op":"add","path":"members","value":[{"value":"y"}]},{"op":"remove","path":"members[value eq \"y\"]"}]`))
	f.CheckMembers(g, []string{u})
}
