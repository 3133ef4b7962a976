package directory_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// version returns the entity tag of a resource, or "" if it does not exist.
func version(f *directorytest.Fixture, rt *scim.ResourceType, id string) string {
	r, err := f.Retrieve(f.Ctx, rt, id, scim.Projection{})
	if err != nil {
		return ""
	}
	return r.Version
}

// checkSummary fails the test unless the summary has these attributes, separated by spaces, and leads from
// versionBefore to the current version.
func checkSummary(f *directorytest.Fixture, request string, got directory.ChangeSummary, versionBefore string,
	rt *scim.ResourceType, id, attributes string, deprovisions bool) {
	f.Helper()
	want := directory.ChangeSummary{
		Attributes: strings.Fields(attributes), VersionBefore: versionBefore, VersionAfter: version(f, rt, id),
		Deprovisions: deprovisions,
	}
	if len(want.Attributes) == 0 {
		want.Attributes = nil
	}
	if !reflect.DeepEqual(got, want) {
		f.Errorf("%s: %+v, want %+v", request, got, want)
	}
}

func TestSummaryNamesChangedAttributes(t *testing.T) {
	t.Parallel()
	const enterprise = directorytest.EnterpriseSchema
	f := directorytest.New(t, directorytest.NewTable(t))
	r := f.Must(f.Create(f.Ctx, f.User, scim.Object{"userName": "u", "active": false, "name": scim.Object{"familyName": "x"},
		enterprise: scim.Object{"costCenter": "1", "department": "d"}}, scim.Projection{}))
	u, extension := r.ID(), enterprise+":costCenter "+enterprise+":department"
	checkSummary(f, "create", r.Summary, "", f.User, u, "active name "+extension+" userName", false)
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
		before := version(f, f.User, u)
		r := f.Must(f.Patch(f.User, u, `[`+c.operations+`]`))
		checkSummary(f, c.operations, r.Summary, before, f.User, u, c.attributes, c.deprovisions)
	}
	before := version(f, f.User, u)
	r = f.Must(f.Replace(f.Ctx, f.User, u, scim.Object{"userName": "U", "active": true}, nil, scim.Projection{}))
	checkSummary(f, "replace", r.Summary, before, f.User, u, "active emails name userName", false)
	before = r.Version
	summary, err := f.Directory.Delete(f.Ctx, f.User, u, nil)
	f.Must(r, err)
	checkSummary(f, "delete", summary, before, f.User, u, "active userName", true)
}

func TestSummaryNamesMembers(t *testing.T) {
	t.Parallel()
	small := store.Limits{
		TransactionActions: 20, ChangeItemMembers: 3, ChangeItemsPerTransaction: 20, SnapshotEdges: 7, SnapshotMembers: 7,
	}
	for name, limits := range map[string]store.Limits{"small changes": {}, "large changes": small} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := directorytest.New(t, directorytest.NewTable(t))
			f.Configure(func(c *directory.Config) { c.Store.Limits = limits })
			users := f.NewUsers(directory.MaxReturnedMembers + 20)
			r := f.Must(f.Create(f.Ctx, f.Group, directorytest.WithMembers("g", users[:30]...), scim.Projection{}))
			g := r.ID()
			checkSummary(f, "create", r.Summary, "", f.Group, g, "displayName members", false)
			for _, c := range []struct{ operations, attributes string }{
				{addMembers(users[10:30]...), ""},
				{addMembers(append(slices.Clone(users[20:40]), missingID)...), "members"},
				{removeMembers(users[40:50]...), ""},
				{`[{"op":"remove","path":"members","value":` + directorytest.MembersJSON(users[:1]) + `},` +
					`{"op":"add","path":"externalId","value":"x"}]`, "externalId members"},
				{`[{"op":"remove","path":"members[type eq \"Group\"]"}]`, ""},
				// afterward, the group has too many members for the response
				{`[{"op":"replace","path":"members","value":` + directorytest.MembersJSON(users) + `}]`, "members"},
				{`[{"op":"replace","path":"displayName","value":"h"}]`, "displayName"},
			} {
				before := version(f, f.Group, g)
				r := f.Must(f.Patch(f.Group, g, c.operations))
				checkSummary(f, c.operations, r.Summary, before, f.Group, g, c.attributes, false)
			}
			before := version(f, f.Group, g)
			summary, err := f.Directory.Delete(f.Ctx, f.Group, g, nil)
			f.Must(r, err)
			checkSummary(f, "delete", summary, before, f.Group, g, "displayName externalId members", false)
		})
	}
}

// A request that would deactivate or delete a user calls AllowDeprovisioning before it writes, and only once even if it
// retries after conflicts. If AllowDeprovisioning returns an error, the request writes nothing. No other request calls
// it.
func TestAllowDeprovisioning(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	var calls atomic.Int32
	conflicting := tabletest.Faults{Table: f.Config.Store.Table, Before: func(c tabletest.Call) error {
		if calls.Add(1)%7 != 0 && c.Method == "Write" {
			return &table.ConditionError{Items: map[int]table.Item{0: {"ver": table.N(1)}}}
		}
		return nil
	}}
	asked, denial := 0, error(nil)
	busy := f.With(func(c *directory.Config) {
		c.Store.Table = conflicting
		c.Store.Backoff = table.Backoff{Base: time.Millisecond, Cap: time.Millisecond}
		c.AllowDeprovisioning = func(context.Context) error { asked++; return denial }
	})
	user := func(active bool) scim.Object { return scim.Object{"userName": "u", "active": active} }
	u := f.Must(f.Create(f.Ctx, f.User, user(true), scim.Projection{})).ID()
	g := f.NewGroup("g", u)
	replace := func(active bool) func() error {
		return func() error {
			_, err := busy.Replace(f.Ctx, f.User, u, user(active), nil, scim.Projection{})
			return err
		}
	}
	patch := func(rt *scim.ResourceType, id, value string) func() error {
		return func() error { _, err := busy.Patch(rt, id, `[{"op":"replace","value":`+value+`}]`); return err }
	}
	remove := func(rt *scim.ResourceType, id string) func() error {
		return func() error { return busy.Delete(f.Ctx, rt, id, nil) }
	}
	for _, c := range []struct {
		request string
		send    func() error
		asks    int
	}{
		{"change of another attribute", patch(f.User, u, `{"title":"t"}`), 0},
		{"deactivation by PATCH", patch(f.User, u, `{"active":false}`), 1},
		{"repeated deactivation", patch(f.User, u, `{"active":false,"title":"x"}`), 0},
		{"activation", replace(true), 0},
		{"deactivation by PUT", replace(false), 1},
		{"delete of a group", remove(f.Group, g), 0},
		{"delete of an inactive user", remove(f.User, u), 1},
		{"delete of a deleted user", func() error {
			if err := busy.Delete(f.Ctx, f.User, u, nil); directorytest.Status(err) != 404 {
				return err
			}
			return nil
		}, 0},
		{"create of an inactive user", func() error {
			_, err := busy.Create(f.Ctx, f.User, user(false), scim.Projection{})
			return err
		}, 0},
	} {
		if before := f.Dump(); c.asks > 0 {
			asked, denial = 0, errors.New("denied")
			if err := c.send(); !errors.Is(err, denial) || asked != 1 || !reflect.DeepEqual(f.Dump(), before) {
				t.Errorf("%s, denied: AllowDeprovisioning was called %d times, %v", c.request, asked, err)
			}
		}
		asked, denial = 0, nil
		if err := c.send(); err != nil || asked != c.asks {
			t.Errorf("%s: AllowDeprovisioning was called %d times, want %d, %v", c.request, asked, c.asks, err)
		}
	}
}

func TestCountIsPerTypeAndTenant(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	f.NewUsers(40)
	f.NewGroup("g", f.NewUser("u"))
	f.ForTenant("other").NewUser("u")
	for rt, want := range map[*scim.ResourceType]int{f.User: 41, f.Group: 1} {
		if n, err := f.Count(f.Ctx, rt); n != want || err != nil {
			t.Errorf("%d resources of type %s, want %d, %v", n, rt.Name, want, err)
		}
	}
}
