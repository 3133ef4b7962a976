// Package directorytest holds what the tests of store, query, fsck and directory share: a fixture around the directory of
// one tenant, a checker of the table's invariants, and a seeder that writes large tables quickly. Begin with [NewTable] and
// [New]. Only tests import the package.
package directorytest

import (
	"context"
	"crypto/rand"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/filter"
	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// BaseURL is the base URL of the directories.
const BaseURL = "https://scim.example.com"

// A Fixture is the directory of one tenant, with helpers that fail the test on errors.
type Fixture struct {
	*testing.T
	*directory.Directory
	Store       *store.Store // of the same tenant
	Config      directory.Config
	User, Group *scim.ResourceType
	Ctx         context.Context
	tenant      string
}

// New returns the fixture of the tenant "test".
func New(t *testing.T, tab table.Table) *Fixture {
	types := scim.StandardTypes()
	f := &Fixture{T: t, User: types.ByName("User"), Group: types.ByName("Group"), Ctx: t.Context(), tenant: "test"}
	f.Configure(func(c *directory.Config) {
		c.Store = store.Config{Table: tab, Types: types, Now: time.Now, Random: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	})
	return f
}

// Configure changes the configuration of the fixture. The new directory keeps cursor keys and
// bookmarks of the old one only if Query.Cache is set.
func (f *Fixture) Configure(change func(*directory.Config)) {
	change(&f.Config)
	f.Store, f.Directory = store.New(f.Config.Store, f.tenant), directory.New(f.Config, f.tenant, BaseURL)
}

// With returns a copy of the fixture with a changed configuration.
func (f *Fixture) With(change func(*directory.Config)) *Fixture {
	g := *f
	g.Configure(change)
	return &g
}

// Over returns a copy of the fixture on another table.
func (f *Fixture) Over(tab table.Table) *Fixture {
	return f.With(func(c *directory.Config) { c.Store.Table = tab })
}

// ForTenant returns a copy of the fixture for another tenant of the same table.
func (f *Fixture) ForTenant(name string) *Fixture {
	g := *f
	g.tenant = name
	g.Configure(func(*directory.Config) {})
	return &g
}

// Must returns r and fails the test if err is not nil.
func (f *Fixture) Must(r *directory.Resource, err error) *directory.Resource {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
	return r
}

// Delete deletes a resource. It hides Directory.Delete, which also returns the summary.
func (f *Fixture) Delete(ctx context.Context, rt *scim.ResourceType, id string, match directory.Precondition) error {
	_, err := f.Directory.Delete(ctx, rt, id, match)
	return err
}

// NewUser creates a user with a userName and returns the ID.
func (f *Fixture) NewUser(name string) string {
	f.Helper()
	return f.Must(f.Create(f.Ctx, f.User, scim.Object{"userName": name}, scim.Projection{})).ID()
}

// NewGroup creates a group and returns the ID.
func (f *Fixture) NewGroup(name string, members ...string) string {
	f.Helper()
	return f.Must(f.Create(f.Ctx, f.Group, WithMembers(name, members...), scim.Projection{})).ID()
}

// WithMembers returns a group with a displayName and members.
func WithMembers(name string, members ...string) scim.Object {
	o := scim.Object{"displayName": name}
	addMembers(o, members)
	return o
}

func addMembers(o scim.Object, members []string) {
	var list []any
	for _, id := range members {
		list = append(list, scim.Object{"value": id})
	}
	if list != nil {
		o["members"] = list
	}
}

// Patch modifies a resource with operations that are given as a JSON array.
func (f *Fixture) Patch(rt *scim.ResourceType, id, operations string) (*directory.Resource, error) {
	f.Helper()
	ops, err := patch.Decode([]byte(`{"Operations":`+operations+`}`), nil)
	if err != nil {
		f.Fatal(err)
	}
	return f.Modify(f.Ctx, rt, id, ops, nil, scim.Projection{})
}

// Members returns the IDs of a group's members.
func (f *Fixture) Members(id string) []string {
	f.Helper()
	return Values(f.Must(f.Retrieve(f.Ctx, f.Group, id, scim.Projection{})), "members")
}

// Groups returns the IDs of a user's groups.
func (f *Fixture) Groups(id string) []string {
	f.Helper()
	return Values(f.Must(f.Retrieve(f.Ctx, f.User, id, scim.Projection{})), "groups")
}

// CheckMembers fails the test unless the group has exactly these members, in this order.
func (f *Fixture) CheckMembers(group string, want []string) {
	f.Helper()
	if got := f.Members(group); !slices.Equal(got, want) {
		f.Errorf("the group has %d members, want %d: %v", len(got), len(want), got)
	}
}

// Object returns a resource as its JSON shows it, with the attributes that are returned by default.
func Object(r *directory.Resource) scim.Object {
	b, err := r.AppendJSON(nil, scim.Projection{})
	if err != nil {
		panic(err)
	}
	o, err := scim.ParseObject(b)
	if err != nil {
		panic(err)
	}
	return o
}

// Values returns the IDs in an attribute, which is members or groups.
func Values(r *directory.Resource, attribute string) (ids []string) {
	list, _ := Object(r)[attribute].([]any)
	for _, e := range list {
		ids = append(ids, e.(scim.Object)["value"].(string))
	}
	return ids
}

// Find returns the first page of the resources that match a filter, with at most 100.
func (f *Fixture) Find(rt *scim.ResourceType, text string) *directory.ListResult {
	f.Helper()
	l, err := f.List(f.Ctx, directory.ListParams{Types: Only(rt), Filter: Parse(f, text), StartIndex: 1, Count: 100})
	if err != nil {
		f.Fatal(err)
	}
	return l
}

// Parse parses a filter.
func Parse(t testing.TB, text string) filter.Expr {
	t.Helper()
	e, err := filter.Parse(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Only returns a list that holds one resource type.
func Only(rt *scim.ResourceType) []*scim.ResourceType { return []*scim.ResourceType{rt} }

// IDs returns the IDs of the resources on a page.
func IDs(l *directory.ListResult) (ids []string) {
	for _, r := range l.Resources {
		ids = append(ids, r.ID())
	}
	return ids
}

// NextPage changes p to the parameters of the page after l, as a client does, and reports whether there is one.
func NextPage(p *directory.ListParams, l *directory.ListResult) (more bool) {
	if p.StartIndex == 0 {
		p.Cursor = l.NextCursor
		return l.NextCursor != ""
	}
	p.StartIndex += len(l.Resources)
	return len(l.Resources) > 0 && p.StartIndex <= l.TotalResults
}

// Dump returns all items of the table, of all tenants.
func (f *Fixture) Dump() map[table.Key]table.Item {
	f.Helper()
	all, from := map[table.Key]table.Item{}, table.Key{}
	for {
		p, err := f.Config.Store.Table.Scan(f.Ctx, from)
		if err != nil {
			f.Fatal(err)
		}
		for _, it := range p.Items {
			all[it.Key()] = it
		}
		if from = p.LastEvaluatedKey; from == (table.Key{}) {
			return all
		}
	}
}

// Sweep sweeps the table of a configuration.
func (f *Fixture) Sweep(c store.Config) store.SweepResult {
	f.Helper()
	result, err := directory.Sweep(f.Ctx, c)
	if err != nil {
		f.Fatal(err)
	}
	return result
}

// Status returns the HTTP status of a *scim.Error, and 0 for any other error.
func Status(err error) int {
	if e, ok := err.(*scim.Error); ok {
		return e.Status
	}
	return 0
}

// InParallel runs n calls at the same time. It returns their errors, in the order of i.
func InParallel(n int, call func(i int) error) []error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = call(i) })
	}
	all.Wait()
	return errs
}

// MembersJSON returns a JSON array of members with these IDs.
func MembersJSON(ids []string) string {
	if len(ids) == 0 {
		return "[]"
	}
	return `[{"value":"` + strings.Join(ids, `"},{"value":"`) + `"}]`
}

// RaceEnabled reports whether the race detector is on. Tests then take about ten times as long.
func RaceEnabled() bool {
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}
