package directory

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/dynamo"
)

// slow makes each call take a while, so that calls that could overlap do.
type slow struct {
	table.Table
	time.Duration
}

func (s slow) Get(ctx context.Context, attributes []string, keys ...table.Key) ([]table.Item, error) {
	time.Sleep(s.Duration)
	return s.Table.Get(ctx, attributes, keys...)
}

func (s slow) Snapshot(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	time.Sleep(s.Duration)
	return s.Table.Snapshot(ctx, keys...)
}

func (s slow) Query(ctx context.Context, r table.Range) (table.Page, error) {
	time.Sleep(s.Duration)
	return s.Table.Query(ctx, r)
}

func (s slow) Write(ctx context.Context, writes ...table.Write) error {
	time.Sleep(s.Duration)
	return s.Table.Write(ctx, writes...)
}

// The calls to the table that wait for each other are what a client waits for. A figure here may be lowered, never raised.
func TestCallsThatWait(t *testing.T) {
	t.Parallel()
	for _, c := range budget {
		t.Run(c.operation, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { c.check(t, memory(t), "test", time.Millisecond) }) // of the test's own time
		})
	}
}

// They are the same on DynamoDB.
func TestCallsThatWaitOnDynamoDB(t *testing.T) {
	onEach(t, func(t *testing.T, tab table.Table) {
		if _, ok := tab.(*dynamo.Table); !ok {
			return
		}
		for _, c := range budget {
			t.Run(c.operation, func(t *testing.T) {
				c.check(t, tab, c.operation, 50*time.Millisecond)
			})
		}
	})
}

func (c budgeted) check(t *testing.T, tab table.Table, tenant string, slowly time.Duration) {
	f := newFixture(t, tab).tenant(tenant)
	s := scene{fixture: f, member: f.newUser("member")}
	s.loner = f.must(f.Create(t.Context(), f.user, scim.Object{"userName": "loner", "externalId": "e",
		"emails": []any{scim.Object{"value": "loner@example.com"}}}, scim.Projection{})).ID()
	s.others = f.newUsers(100)
	s.g = f.newGroup("g", s.member)
	config := s.Config
	config.Table = slow{tab, slowly}
	s.Store = New(config, tenant, base)
	ctx, usage := table.WithUsage(t.Context())
	if err := c.do(ctx, s); err != nil {
		t.Fatal(err)
	}
	if u := usage(); u.RoundTrips != c.waits || u.ItemsWritten != c.written {
		t.Errorf("%s: %d calls wait for each other and %d items are written, want %d and %d", c.operation,
			u.RoundTrips, u.ItemsWritten, c.waits, c.written)
	}
}

// The members of a large group are read in two calls that wait: the first page, and all behind it at once.
func TestCallsThatWaitForManyMembers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, memory(t))
		g := f.newGroup("g")
		ids := f.edgesOnly(g, 40_000)
		ctx, usage := table.WithUsage(t.Context())
		_, members, err := f.over(slow{f.Table, time.Millisecond}).ReadGroup(ctx, f.group, g, math.MaxInt64)
		if slices.Sort(ids); err != nil || !slices.Equal(members, ids) {
			t.Errorf("%d members, %v", len(members), err)
		}
		if u := usage(); u.RoundTrips != 2 {
			t.Errorf("%d calls wait for each other, want 2", u.RoundTrips)
		}
	})
}

// edgesOnly writes edges to members who are not there, and counts them in the group.
func (f *fixture) edgesOnly(g string, n int) (ids []string) {
	f.Helper()
	for len(ids) < n {
		var all []table.Write
		for range table.MaxTransactionActions {
			id, err := f.newID(f.user)
			if err != nil {
				f.Fatal(err)
			}
			ids = append(ids, id)
			all = append(all, table.Put{Item: MarshalItem(EdgeItem{Key: f.keys.Edge(f.group, g, id), Type: f.user.Name})})
		}
		if err := f.Table.Write(f.ctx, all...); err != nil {
			f.Fatal(err)
		}
	}
	err := f.Table.Write(f.ctx, table.Update{Key: f.keys.Head(f.group, g),
		Add: table.Item{"n": table.N(int64(n)), "sum": table.N(SumHashes(ids))}})
	if err != nil {
		f.Fatal(err)
	}
	return ids
}

type scene struct {
	*fixture
	loner, member, g string
	others           []string
}

func (s scene) modify(ctx context.Context, rt *scim.ResourceType, id, operations string) error {
	_, err := s.with(ctx).patch(rt, id, operations)
	return err
}

// with is the fixture with another context.
func (s scene) with(ctx context.Context) *fixture {
	f := *s.fixture
	f.ctx = ctx
	return &f
}

func (s scene) query(ctx context.Context, rt *scim.ResourceType, text string, count int) (err error) {
	q := Params{Types: only(rt), StartIndex: 1, Count: count}
	if text != "" {
		if q.Filter, err = filter.Parse(text); err != nil {
			return err
		}
	}
	_, err = s.List(ctx, q)
	return err
}

// list is members in a request.
func list(ids []string) string {
	if len(ids) == 0 {
		return "[]"
	}
	return `[{"value":"` + strings.Join(ids, `"},{"value":"`) + `"}]`
}

type budgeted struct {
	operation string
	waits     int
	written   int
	do        func(context.Context, scene) error
}

var budget = []budgeted{
	{"GET of a user", 1, 0, func(ctx context.Context, s scene) error {
		_, err := s.Retrieve(ctx, s.user, s.loner, scim.Projection{})
		return err
	}},
	{"GET of a user, with the names of its groups", 2, 0, func(ctx context.Context, s scene) error {
		_, err := s.Retrieve(ctx, s.user, s.member, scim.Projection{})
		return err
	}},
	{"GET of a group, with the names of its members", 2, 0, func(ctx context.Context, s scene) error {
		_, err := s.Retrieve(ctx, s.group, s.g, scim.Projection{})
		return err
	}},
	{"GET of an id that is none", 0, 0, func(ctx context.Context, s scene) error {
		_, err := s.Retrieve(ctx, s.user, "00919288221112222", scim.Projection{})
		if status(err) == 404 {
			return nil
		}
		return fmt.Errorf("want 404, got %w", err)
	}},
	{"probe by userName that misses", 1, 0, func(ctx context.Context, s scene) error {
		return s.query(ctx, s.user, `userName eq "nobody"`, 100)
	}},
	{"probe by userName that hits", 2, 0, func(ctx context.Context, s scene) error {
		return s.query(ctx, s.user, `userName eq "loner"`, 100)
	}},
	{"probe by externalId that hits", 2, 0, func(ctx context.Context, s scene) error {
		return s.query(ctx, s.user, `externalId eq "e"`, 100)
	}},
	{"probe by e-mail that hits", 2, 0, func(ctx context.Context, s scene) error {
		return s.query(ctx, s.user, `emails.value eq "LONER@example.com"`, 100)
	}},
	{"members of a group", 3, 0, func(ctx context.Context, s scene) error {
		return s.query(ctx, s.user, `groups.value eq "`+s.g+`"`, 100)
	}},
	{"groups of a member, without their members", 2, 0, func(ctx context.Context, s scene) error {
		p, err := scim.NewProjection(only(s.group), "", "members")
		if err == nil {
			_, err = s.List(ctx, Params{Types: only(s.group), StartIndex: 1, Count: 100, Projection: p,
				Filter: parsed(s.T, `members.value eq "`+s.member+`"`)})
		}
		return err
	}},
	{"one of several names, addresses and ids", 2, 0, func(ctx context.Context, s scene) error {
		return s.query(ctx, s.user, `userName eq "loner" or emails eq "x" or emails eq "y" or externalId eq "e"`, 100)
	}},
	{"walk past 100 users whom no key tells apart", 2, 0, func(ctx context.Context, s scene) error {
		return s.query(ctx, s.user, `title pr`, 100)
	}},
	{"probe by displayName of a group without its members", 2, 0, func(ctx context.Context, s scene) error {
		p, err := scim.NewProjection(only(s.group), "", "members")
		if err == nil {
			_, err = s.List(ctx, Params{Types: only(s.group), Filter: &filter.Compare{Attr: filter.Attr{Name: "displayName"}, Op: filter.EQ, Value: "g"},
				StartIndex: 1, Count: 1, Projection: p})
		}
		return err
	}},
	{"create of a user", 1, 6, func(ctx context.Context, s scene) error {
		_, err := s.Create(ctx, s.user, scim.Object{"userName": "new", "externalId": "e",
			"emails": []any{scim.Object{"value": "new@example.com"}}}, scim.Projection{})
		return err
	}},
	{"create of a group with 48 members", 1, 100, func(ctx context.Context, s scene) error {
		_, err := s.Create(ctx, s.group, withMembers("new", s.others[:48]...), scim.Projection{})
		return err
	}},
	{"PUT of a user", 2, 3, func(ctx context.Context, s scene) error {
		_, err := s.Replace(ctx, s.user, s.member, scim.Object{"userName": "renamed"}, nil, scim.Projection{})
		return err
	}},
	{"PUT of a group", 2, 85, func(ctx context.Context, s scene) error {
		_, err := s.Replace(ctx, s.group, s.g, withMembers("renamed", s.others[:40]...), nil, scim.Projection{})
		return err
	}},
	{"PATCH of a user", 2, 1, func(ctx context.Context, s scene) error {
		return s.modify(ctx, s.user, s.loner, `[{"op":"replace","value":{"active":false}}]`)
	}},
	{"PATCH of a user that changes nothing", 1, 0, func(ctx context.Context, s scene) error {
		return s.modify(ctx, s.user, s.loner, `[{"op":"replace","value":{"userName":"loner"}}]`)
	}},
	{"add of one member", 2, 3, func(ctx context.Context, s scene) error {
		return s.modify(ctx, s.group, s.g, `[{"op":"add","path":"members","value":`+list(s.others[:1])+`}]`)
	}},
	{"add of 49 members", 2, 99, func(ctx context.Context, s scene) error {
		return s.modify(ctx, s.group, s.g, `[{"op":"add","path":"members","value":`+list(s.others[:49])+`}]`)
	}},
	{"remove of one member", 2, 3, func(ctx context.Context, s scene) error {
		return s.modify(ctx, s.group, s.g, `[{"op":"remove","path":"members[value eq \"`+s.member+`\"]"}]`)
	}},
	{"rename of a group", 2, 3, func(ctx context.Context, s scene) error {
		return s.modify(ctx, s.group, s.g, `[{"op":"replace","value":{"id":"`+s.g+`","displayName":"renamed"}}]`)
	}},
	{"page of 100 users", 2, 1, func(ctx context.Context, s scene) error {
		p, err := scim.NewProjection(only(s.user), "", "groups")
		if err == nil {
			_, err = s.List(ctx, Params{Types: only(s.user), StartIndex: 1, Count: 100, Projection: p})
		}
		return err
	}},
	{"page of 100 users, with the names of their groups", 3, 1, func(ctx context.Context, s scene) error {
		return s.query(ctx, s.user, "", 100)
	}},
	{"page of 50 users further on in a walk", 3, 1, func(ctx context.Context, s scene) error {
		q := Params{Types: only(s.user), StartIndex: 1, Count: 50, Projection: projected(s.fixture, "userName")}
		if _, err := s.List(s.ctx, q); err != nil {
			return err
		}
		q.StartIndex = 51
		_, err := s.List(ctx, q)
		return err
	}},
	{"page of 50 users by cursor", 2, 0, func(ctx context.Context, s scene) error {
		q := Params{Types: only(s.user), Count: 50, Projection: projected(s.fixture, "userName")}
		l, err := s.List(s.ctx, q)
		if err != nil {
			return err
		}
		q.Cursor = l.NextCursor
		_, err = s.List(ctx, q)
		return err
	}},
	{"is one a member of a group, as Entra ID asks", 1, 0, func(ctx context.Context, s scene) error {
		p, err := scim.NewProjection(only(s.group), "", "members")
		if err == nil {
			_, err = s.List(ctx, Params{Types: only(s.group), StartIndex: 1, Count: 1, Projection: p,
				Filter: parsed(s.T, `id eq "`+s.g+`" and members eq "`+s.member+`"`)})
		}
		return err
	}},
	{"add of 100 members", 9, 219, func(ctx context.Context, s scene) error {
		return s.modify(ctx, s.group, s.g, `[{"op":"add","path":"members","value":`+list(s.others)+`}]`)
	}},
	{"delete of a user", 2, 6, func(ctx context.Context, s scene) error {
		return s.Delete(ctx, s.user, s.member, nil)
	}},
}
