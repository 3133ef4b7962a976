package directory_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/dynamo"
)

// Round trips are the larger part of the time that a client waits.
func TestRoundTripsOfOperations(t *testing.T) {
	t.Parallel()
	for _, o := range budgetedOperations {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // a virtual clock, so that calls overlap whenever they can
				o.check(t, directorytest.NewTable(t), "test", time.Millisecond)
			})
		})
	}
}

func TestRoundTripsOfOperationsOnDynamoDB(t *testing.T) {
	directorytest.OnEach(t, func(t *testing.T, tab table.Table) {
		if _, isDynamo := tab.(*dynamo.Table); !isDynamo {
			return
		}
		for _, o := range budgetedOperations {
			t.Run(o.name, func(t *testing.T) { o.check(t, tab, o.name, 50*time.Millisecond) })
		}
	})
}

// check performs the operation on a table whose calls take at least delay, and compares its cost with the budget.
func (o budgetedOperation) check(t *testing.T, tab table.Table, tenant string, delay time.Duration) {
	f := directorytest.New(t, tab).ForTenant(tenant)
	users := f.NewUsers(101)
	slices.Sort(users)
	s := scene{member: users[0], others: users[1:]} // the first in the order of IDs is on the first page of a list
	s.loner = f.Must(f.Create(t.Context(), f.User, scim.Object{"userName": "loner", "externalId": "e",
		"emails": []any{scim.Object{"value": "loner@example.com"}}}, scim.Projection{})).ID()
	s.group = f.NewGroup("g", s.member)
	ctx, usage := table.WithUsage(t.Context())
	s.Fixture, s.setUp = f.Over(directorytest.Slow(tab, delay)), f.Ctx
	s.Ctx = ctx
	if err := o.do(s); err != nil {
		t.Fatal(err)
	}
	if u := usage(); u.RoundTrips != o.roundTrips || u.ItemsWritten != o.itemsWritten {
		t.Errorf("%s: %d round trips and %d items written, want %d and %d", o.name,
			u.RoundTrips, u.ItemsWritten, o.roundTrips, o.itemsWritten)
	}
}

// ReadGroup reads the members of a large group in two round trips: the first table page, then all others concurrently.
func TestRoundTripsOfALargeGroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := directorytest.New(t, directorytest.NewTable(t))
		g := f.NewGroup("g")
		ids := addEdges(f, g, 40_000)
		ctx, usage := table.WithUsage(t.Context())
		slow := f.Over(directorytest.Slow(f.Config.Store.Table, time.Millisecond))
		_, members, err := slow.Store.ReadGroup(ctx, f.Group, g, math.MaxInt64)
		if slices.Sort(ids); err != nil || !slices.Equal(members, ids) {
			t.Errorf("%d members, %v", len(members), err)
		}
		if u := usage(); u.RoundTrips != 2 {
			t.Errorf("%d round trips, want 2", u.RoundTrips)
		}
	})
}

// addEdges adds members that do not exist to a group, and returns their IDs.
func addEdges(f *directorytest.Fixture, group string, n int) (ids []string) {
	f.Helper()
	tab := f.Config.Store.Table
	for len(ids) < n {
		var all []table.Write
		for range table.MaxTransactionActions {
			id := newID(f)
			edge := store.EdgeItem{Key: f.Store.Keys.Edge(f.Group, group, id), Type: f.User.Name}
			ids, all = append(ids, id), append(all, table.Put{Item: store.MarshalItem(edge)})
		}
		if err := tab.Write(f.Ctx, all...); err != nil {
			f.Fatal(err)
		}
	}
	err := tab.Write(f.Ctx, table.Update{Key: f.Store.Keys.Head(f.Group, group),
		Add: table.Item{"n": table.N(int64(n)), "sum": table.N(store.SumHashes(ids))}})
	if err != nil {
		f.Fatal(err)
	}
	return ids
}

// newID returns the ID of a user that does not exist.
func newID(f *directorytest.Fixture) string {
	f.Helper()
	id, err := f.Store.NewID(f.User)
	if err != nil {
		f.Fatal(err)
	}
	return id
}

// project returns a projection for a resource type.
func project(f *directorytest.Fixture, rt *scim.ResourceType, attributes, excluded string) scim.Projection {
	f.Helper()
	p, err := scim.NewProjection(directorytest.Only(rt), attributes, excluded, nil)
	if err != nil {
		f.Fatal(err)
	}
	return p
}

// A scene is a directory with a group of one member and with 101 users in no group. Its context measures usage.
type scene struct {
	*directorytest.Fixture
	setUp                context.Context // does not measure usage
	loner, member, group string          // IDs
	others               []string        // IDs
}

func (s scene) patch(rt *scim.ResourceType, id, operations string) error {
	_, err := s.Patch(rt, id, operations)
	return err
}

func (s scene) retrieve(rt *scim.ResourceType, id string) error {
	_, err := s.Retrieve(s.Ctx, rt, id, scim.Projection{})
	return err
}

// list requests the first page of the resources that match a filter. An empty filter matches all resources.
func (s scene) list(rt *scim.ResourceType, text string, count int, p scim.Projection) error {
	params := directory.ListParams{Types: directorytest.Only(rt), StartIndex: 1, Count: count, Projection: p}
	if text != "" {
		params.Filter = directorytest.Parse(s.T, text)
	}
	_, err := s.List(s.Ctx, params)
	return err
}

// search requests the first 100 resources that match a filter, with all attributes.
func (s scene) search(rt *scim.ResourceType, text string) error {
	return s.list(rt, text, 100, scim.Projection{})
}

// secondPage requests the second page of 50 users. Only this request is measured.
func (s scene) secondPage(p directory.ListParams) error {
	p.Types, p.Count, p.Projection = directorytest.Only(s.User), 50, project(s.Fixture, s.User, "userName", "")
	l, err := s.List(s.setUp, p)
	if err != nil {
		return err
	}
	directorytest.NextPage(&p, l)
	_, err = s.List(s.Ctx, p)
	return err
}

type budgetedOperation struct {
	name         string
	roundTrips   int
	itemsWritten int
	do           func(scene) error
}

// A figure here may be lowered, never raised.
var budgetedOperations = []budgetedOperation{
	{"GET of a user", 1, 0, func(s scene) error { return s.retrieve(s.User, s.loner) }},
	{"GET of a user, with the names of its groups", 2, 0, func(s scene) error { return s.retrieve(s.User, s.member) }},
	{"GET of a group, with the names of its members", 2, 0, func(s scene) error { return s.retrieve(s.Group, s.group) }},
	{"GET of a malformed ID", 0, 0, func(s scene) error {
		if err := s.retrieve(s.User, "00919288221112222"); directorytest.Status(err) != 404 {
			return fmt.Errorf("want 404, got %w", err)
		}
		return nil
	}},
	{"probe by userName that misses", 1, 0, func(s scene) error { return s.search(s.User, `userName eq "nobody"`) }},
	{"probe by userName that hits", 2, 0, func(s scene) error { return s.search(s.User, `userName eq "loner"`) }},
	{"probe by externalId that hits", 2, 0, func(s scene) error { return s.search(s.User, `externalId eq "e"`) }},
	{"probe by e-mail that hits", 2, 0, func(s scene) error {
		return s.search(s.User, `emails.value eq "LONER@example.com"`)
	}},
	{"members of a group", 3, 0, func(s scene) error { return s.search(s.User, `groups.value eq "`+s.group+`"`) }},
	{"groups of a member, without their members", 2, 0, func(s scene) error {
		return s.list(s.Group, `members.value eq "`+s.member+`"`, 100, project(s.Fixture, s.Group, "", "members"))
	}},
	{"one of several names, addresses and IDs", 2, 0, func(s scene) error {
		return s.search(s.User, `userName eq "loner" or emails eq "x" or emails eq "y" or externalId eq "e"`)
	}},
	{"full scan of 100 users", 2, 0, func(s scene) error { return s.search(s.User, `title pr`) }},
	{"probe by displayName of a group without its members", 2, 0, func(s scene) error {
		return s.list(s.Group, `displayName eq "g"`, 1, project(s.Fixture, s.Group, "", "members"))
	}},
	{"create of a user", 1, 6, func(s scene) error {
		_, err := s.Create(s.Ctx, s.User, scim.Object{"userName": "new", "externalId": "e",
			"emails": []any{scim.Object{"value": "new@example.com"}}}, scim.Projection{})
		return err
	}},
	{"create of a group with 48 members", 1, 100, func(s scene) error {
		_, err := s.Create(s.Ctx, s.Group, directorytest.WithMembers("new", s.others[:48]...), scim.Projection{})
		return err
	}},
	{"PUT of a user", 2, 3, func(s scene) error {
		_, err := s.Replace(s.Ctx, s.User, s.member, scim.Object{"userName": "renamed"}, nil, scim.Projection{})
		return err
	}},
	{"PUT of a group", 2, 85, func(s scene) error {
		o := directorytest.WithMembers("renamed", s.others[:40]...)
		_, err := s.Replace(s.Ctx, s.Group, s.group, o, nil, scim.Projection{})
		return err
	}},
	{"PATCH of a user", 2, 1, func(s scene) error {
		return s.patch(s.User, s.loner, `[{"op":"replace","value":{"active":false}}]`)
	}},
	{"PATCH of a user that changes nothing", 1, 0, func(s scene) error {
		return s.patch(s.User, s.loner, replaceAttribute("userName", "loner"))
	}},
	{"add of one member", 2, 3, func(s scene) error { return s.patch(s.Group, s.group, addMembers(s.others[:1]...)) }},
	{"add of 49 members", 2, 99, func(s scene) error { return s.patch(s.Group, s.group, addMembers(s.others[:49]...)) }},
	{"remove of one member", 2, 3, func(s scene) error { return s.patch(s.Group, s.group, removeMemberByPath(s.member)) }},
	{"rename of a group", 2, 3, func(s scene) error {
		return s.patch(s.Group, s.group, `[{"op":"replace","value":{"id":"`+s.group+`","displayName":"renamed"}}]`)
	}},
	{"page of 100 users", 2, 1, func(s scene) error {
		return s.list(s.User, "", 100, project(s.Fixture, s.User, "", "groups"))
	}},
	{"page of 100 users, with the names of their groups", 3, 1, func(s scene) error { return s.search(s.User, "") }},
	{"second page of 50 users by startIndex", 3, 1, func(s scene) error {
		return s.secondPage(directory.ListParams{StartIndex: 1})
	}},
	{"second page of 50 users by cursor", 2, 0, func(s scene) error { return s.secondPage(directory.ListParams{}) }},
	{"membership check of Entra ID", 1, 0, func(s scene) error {
		text := `id eq "` + s.group + `" and members eq "` + s.member + `"`
		return s.list(s.Group, text, 1, project(s.Fixture, s.Group, "", "members"))
	}},
	{"add of 100 members", 9, 219, func(s scene) error { return s.patch(s.Group, s.group, addMembers(s.others...)) }},
	{"delete of a user", 2, 6, func(s scene) error { return s.Delete(s.Ctx, s.User, s.member, nil) }},
}
