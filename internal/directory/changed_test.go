package directory

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// version is the version of a resource, "" where there is none.
func (f *fixture) version(rt *scim.ResourceType, id string) string {
	r, err := f.Retrieve(f.ctx, rt, id, scim.Projection{})
	if err != nil {
		return ""
	}
	return r.Version
}

// tells fails the test unless a change is this one, from the version before to the one that there is now.
func (f *fixture) tells(what string, c ChangeSummary, before string, rt *scim.ResourceType, id, attributes string, gone bool) {
	f.Helper()
	want := ChangeSummary{strings.Fields(attributes), before, f.version(rt, id), gone}
	if len(want.Attributes) == 0 {
		want.Attributes = nil
	}
	if !reflect.DeepEqual(c, want) {
		f.Errorf("%s: %+v, want %+v", what, c, want)
	}
}

func TestARequestTellsWhatItHasChanged(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	r := f.must(f.Create(f.ctx, f.user, scim.Object{"userName": "u", "active": false, "name": scim.Object{"familyName": "x"},
		enterprise: scim.Object{"costCenter": "1", "department": "d"}}, scim.Projection{}))
	u, extension := r.ID(), enterprise+":costCenter "+enterprise+":department"
	f.tells("create", r.Summary, "", f.user, u, "active name "+extension+" userName", false)
	for _, c := range []struct {
		operations, attributes string
		deprovisions           bool
	}{
		{`{"op":"replace","path":"active","value":false}`, "", false},
		{`{"op":"replace","path":"active","value":true}`, "active", false},
		{`{"op":"replace","path":"active","value":false},{"op":"replace","path":"active","value":true}`, "", false},
		{`{"op":"replace","value":{"active":false,"title":"t"}}`, "active title", true},
		{`{"op":"add","path":"title","value":"other"}`, "title", false},
		{`{"op":"remove","path":"active"}`, "active", false},
		{`{"op":"add","path":"active","value":false}`, "active", true},
		{`{"op":"add","path":"name.familyName","value":"y"},{"op":"remove","path":"title"}`, "name title", false},
		{`{"op":"add","path":"` + enterprise + `:costCenter","value":"2"}`, enterprise + ":costCenter", false},
		{`{"op":"remove","path":"` + enterprise + `"}`, extension, false},
		{`{"op":"add","path":"emails","value":[{"value":"a@example.com"}]}`, "emails", false},
		{`{"op":"add","path":"emails","value":[{"value":"b@example.com"}]}`, "emails", false},
		{`{"op":"replace","path":"emails[value eq \"b@example.com\"].type","value":"work"}`, "emails", false},
	} {
		before := f.version(f.user, u)
		r := f.must(f.patch(f.user, u, `[`+c.operations+`]`))
		f.tells(c.operations, r.Summary, before, f.user, u, c.attributes, c.deprovisions)
	}
	before := f.version(f.user, u)
	r = f.must(f.Replace(f.ctx, f.user, u, scim.Object{"userName": "U", "active": true}, nil, scim.Projection{}))
	f.tells("replace", r.Summary, before, f.user, u, "active emails name userName", false)
	before = r.Version
	c, err := f.Store.Delete(f.ctx, f.user, u, nil)
	f.must(r, err)
	f.tells("delete", c, before, f.user, u, "active userName", true)
}

func TestAChangeOfMembersIsOneOfMembers(t *testing.T) {
	t.Parallel()
	small := batchLimits{transactionActions: 20, changeItemMembers: 3, changeItemsPerTransaction: 20, snapshotEdges: 7, snapshotMembers: 7}
	for name, of := range map[string]batchLimits{"in one transaction": {}, "beyond one": small} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, memory(t))
			if of != (batchLimits{}) {
				f.sizes = of
			}
			users := f.newUsers(maxReturnedMembers + 20)
			r := f.must(f.Create(f.ctx, f.group, withMembers("g", users[:30]...), scim.Projection{}))
			g := r.ID()
			f.tells("create", r.Summary, "", f.group, g, "displayName members", false)
			for _, c := range []struct{ operations, attributes string }{
				{`{"op":"add","path":"members","value":` + list(users[10:30]) + `}`, ""},
				{`{"op":"add","path":"members","value":` + list(append(users[20:40], nobody)) + `}`, "members"},
				{`{"op":"remove","path":"members","value":` + list(users[40:50]) + `}`, ""},
				{`{"op":"remove","path":"members","value":` + list(users[:1]) + `},{"op":"add","path":"externalId","value":"x"}`,
					"externalId members"},
				{`{"op":"remove","path":"members[type eq \"Group\"]"}`, ""},
				{`{"op":"replace","path":"members","value":` + list(users) + `}`, "members"}, // too many to be read back
				{`{"op":"replace","path":"displayName","value":"h"}`, "displayName"},
			} {
				before := f.version(f.group, g)
				r := f.must(f.patch(f.group, g, `[`+c.operations+`]`))
				f.tells(c.operations, r.Summary, before, f.group, g, c.attributes, false)
			}
			before := f.version(f.group, g)
			c, err := f.Store.Delete(f.ctx, f.group, g, nil)
			f.must(r, err)
			f.tells("delete", c, before, f.group, g, "displayName externalId members", false)
		})
	}
}

// Who would deactivate or delete a user asks before, once however often it meets others, and does as it is told. Nobody
// else asks.
func TestDeprovisioningIsAskedFor(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	var calls atomic.Int32
	in := f.over(tabletest.Faults{Table: f.Table, Before: func(c tabletest.Call) error {
		if calls.Add(1)%7 != 0 && c.Method == "Write" {
			return &table.ConditionError{Items: map[int]table.Item{0: {"ver": table.N(1)}}}
		}
		return nil
	}})
	in.Backoff = table.Backoff{Base: time.Millisecond, Cap: time.Millisecond}
	asked, answer := 0, error(nil)
	in.AllowDeprovisioning = func(context.Context) error { asked++; return answer }
	user := func(active bool) scim.Object { return scim.Object{"userName": "u", "active": active} }
	u := f.must(f.Create(f.ctx, f.user, user(true), scim.Projection{})).ID()
	g := f.newGroup("g", u)
	put := func(active bool) func() error {
		return func() error { _, err := in.Replace(f.ctx, f.user, u, user(active), nil, scim.Projection{}); return err }
	}
	patch := func(rt *scim.ResourceType, id, value string) func() error {
		return func() error { _, err := in.patch(rt, id, `[{"op":"replace","value":`+value+`}]`); return err }
	}
	remove := func(rt *scim.ResourceType, id string) func() error {
		return func() error { return in.Delete(f.ctx, rt, id, nil) }
	}
	for _, c := range []struct {
		what string
		do   func() error
		asks int
	}{
		{"another attribute", patch(f.user, u, `{"title":"t"}`), 0},
		{"deactivation by PATCH", patch(f.user, u, `{"active":false}`), 1},
		{"once more", patch(f.user, u, `{"active":false,"title":"x"}`), 0},
		{"activation", put(true), 0},
		{"deactivation by PUT", put(false), 1},
		{"a group", remove(f.group, g), 0},
		{"delete of who is not active", remove(f.user, u), 1},
		{"delete of nobody", func() error {
			if err := in.Delete(f.ctx, f.user, u, nil); status(err) != 404 {
				return err
			}
			return nil
		}, 0},
		{"creation of who is not active", func() error {
			_, err := in.Create(f.ctx, f.user, user(false), scim.Projection{})
			return err
		}, 0},
	} {
		if before := f.dump(); c.asks > 0 {
			asked, answer = 0, errors.New("no")
			if err := c.do(); !errors.Is(err, answer) || asked != 1 || !reflect.DeepEqual(f.dump(), before) {
				t.Errorf("%s that must not be: asked %d times, %v", c.what, asked, err)
			}
		}
		asked, answer = 0, nil
		if err := c.do(); err != nil || asked != c.asks {
			t.Errorf("%s: asked %d times, want %d, %v", c.what, asked, c.asks, err)
		}
	}
}

func TestCountIsOfOneType(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	f.newUsers(40)
	f.newGroup("g", f.newUser("u"))
	f.tenant("other").newUser("u")
	for rt, want := range map[*scim.ResourceType]int{f.user: 41, f.group: 1} {
		if n, err := f.Store.Count(f.ctx, rt); n != want || err != nil {
			t.Errorf("%d of %s, want %d, %v", n, rt.Name, want, err)
		}
	}
}
