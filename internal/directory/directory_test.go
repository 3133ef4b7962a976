package directory

import (
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/table/dynamo"
	"serverless-scim/internal/table/tabletest"
)

const (
	variable = "SCIM_TEST_DYNAMODB"
	base     = "https://scim.example.com"
)

// onEach runs a test on the embedded table and on each DynamoDB endpoint that the variable names.
func onEach(t *testing.T, test func(*testing.T, table.Table)) {
	t.Parallel()
	t.Run("bolt", func(t *testing.T) {
		t.Parallel()
		test(t, memory(t))
	})
	t.Run("partial", func(t *testing.T) { // transactions are seen in part, as DynamoDB shows them
		t.Parallel()
		test(t, &tabletest.PartialVisibility{Table: memory(t)})
	})
	endpoints := strings.FieldsFunc(os.Getenv(variable), func(r rune) bool { return r == ',' })
	if len(endpoints) == 0 {
		t.Run("dynamo", func(t *testing.T) { t.Skipf("set %s to the address of a DynamoDB emulator", variable) })
	}
	for _, endpoint := range endpoints {
		t.Run(endpoint, func(t *testing.T) {
			t.Parallel()
			d := dynamo.New(dynamo.NewClient(dynamo.ClientConfig{Endpoint: endpoint}), "directory-"+rand.Text())
			if err := d.Create(t.Context()); err != nil {
				t.Fatal(err)
			}
			test(t, d)
		})
	}
}

func memory(t *testing.T) table.Table {
	t.Helper()
	b, err := bolt.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// fixture is a directory, its types and what tests do with it again and again.
type fixture struct {
	*testing.T
	*Store
	Table       table.Table // unbound
	user, group *scim.ResourceType
	ctx         context.Context
}

func newFixture(t *testing.T, tab table.Table) *fixture {
	types := scim.StandardTypes()
	c := Config{Table: tab, Types: types, Now: time.Now, Random: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	return &fixture{t, New(c, "test", base), tab, types.ByName("User"), types.ByName("Group"), t.Context()}
}

// tenant is the fixture of another directory on the same table.
func (f *fixture) tenant(name string) *fixture {
	g := *f
	g.Store = New(f.Config, name, base)
	return &g
}

// over is the same directory over another table.
func (f *fixture) over(tab table.Table) *fixture {
	g, c := *f, f.Config
	c.Table = tab
	g.Store, g.Table = New(c, "test", base), tab
	return &g
}

func (f *fixture) must(r *Resource, err error) *Resource {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
	return r
}

// Object is the resource as a tree, with all that it has.
func (r *Resource) Object() scim.Object {
	o, err := r.directory.BuildObject(r.state, r.names)
	if err != nil {
		panic(err)
	}
	return o
}

// Delete is for tests that do not ask what it was that is gone.
func (f *fixture) Delete(ctx context.Context, rt *scim.ResourceType, id string, match Precondition) error {
	_, err := f.Store.Delete(ctx, rt, id, match)
	return err
}

func (f *fixture) newUser(name string) string {
	f.Helper()
	r := f.must(f.Create(f.ctx, f.user, scim.Object{"userName": name}, scim.Projection{}))
	return r.ID()
}

func (f *fixture) newGroup(name string, members ...string) string {
	f.Helper()
	r := f.must(f.Create(f.ctx, f.group, withMembers(name, members...), scim.Projection{}))
	return r.ID()
}

func withMembers(name string, members ...string) scim.Object {
	o := scim.Object{"displayName": name}
	var list []any
	for _, m := range members {
		list = append(list, scim.Object{"value": m})
	}
	if list != nil {
		o["members"] = list
	}
	return o
}

// patch performs operations given as JSON.
func (f *fixture) patch(rt *scim.ResourceType, id, operations string) (*Resource, error) {
	f.Helper()
	ops, err := patch.Decode([]byte(`{"Operations":` + operations + `}`))
	if err != nil {
		f.Fatal(err)
	}
	return f.Modify(f.ctx, rt, id, ops, nil, scim.Projection{})
}

func (f *fixture) members(id string) []string {
	f.Helper()
	return values(f.must(f.Retrieve(f.ctx, f.group, id, scim.Projection{})), "members")
}

func (f *fixture) groups(id string) []string {
	f.Helper()
	return values(f.must(f.Retrieve(f.ctx, f.user, id, scim.Projection{})), "groups")
}

func values(r *Resource, attribute string) (ids []string) {
	list, _ := r.Object()[attribute].([]any)
	for _, e := range list {
		ids = append(ids, e.(scim.Object)["value"].(string))
	}
	return ids
}

func (f *fixture) find(rt *scim.ResourceType, text string) *ListResult {
	f.Helper()
	e, err := filter.Parse(text)
	if err != nil {
		f.Fatal(err)
	}
	l, err := f.List(f.ctx, Params{Types: only(rt), Filter: e, StartIndex: 1, Count: 100})
	if err != nil {
		f.Fatal(err)
	}
	return l
}

func only(rt *scim.ResourceType) []*scim.ResourceType { return []*scim.ResourceType{rt} }

// dump is all items of the table, by key.
func (f *fixture) dump() map[table.Key]table.Item {
	f.Helper()
	all, from := map[table.Key]table.Item{}, table.Key{}
	for {
		p, err := f.Table.Scan(f.ctx, from)
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

func status(err error) int {
	if e, ok := err.(*scim.Error); ok {
		return e.Status
	}
	return 0
}
