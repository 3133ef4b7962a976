package directory

import (
	"crypto/rand"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// joining is a request that makes some resources members of a group, or of a new one.
type joining struct {
	name string
	do   func(f *fixture, g string, members []string) (*Resource, error)
}

func joinings() []joining {
	patch := func(format string) func(*fixture, string, []string) (*Resource, error) {
		return func(f *fixture, g string, members []string) (*Resource, error) {
			return f.patch(f.group, g, fmt.Sprintf(format, list(members)))
		}
	}
	return []joining{
		{"POST", func(f *fixture, _ string, members []string) (*Resource, error) {
			return f.Create(f.ctx, f.group, withMembers(rand.Text(), members...), scim.Projection{})
		}},
		{"PUT", func(f *fixture, g string, members []string) (*Resource, error) {
			return f.Replace(f.ctx, f.group, g, withMembers("g", members...), nil, scim.Projection{})
		}},
		{"PATCH add", patch(`[{"op":"add","path":"members","value":%s}]`)},
		{"PATCH replace", patch(`[{"op":"replace","path":"members","value":%s},{"op":"add","path":"externalId","value":"x"}]`)},
		{"PATCH of all", patch(`[{"op":"add","path":"members","value":%s},{"op":"remove","path":"members[type eq \"Group\"]"}]`)},
	}
}

// Where members must exist, a request that adds some that do not is refused with the whole list of them, however they
// fail to and however large the change is; and nothing is written. Elsewhere the others become members.
func TestMembersThatDoNotExist(t *testing.T) {
	t.Parallel()
	small := batchLimits{transactionActions: 20, changeItemMembers: 3, changeItemsPerTransaction: 20, snapshotEdges: 7, snapshotMembers: 7}
	for name, of := range map[string]batchLimits{"in one transaction": {}, "beyond one": small} {
		for _, j := range joinings() {
			t.Run(j.name+" "+name, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, memory(t))
				if of != (batchLimits{}) {
					f.sizes = of
				}
				users := f.newUsers(14)
				unknown := map[string][]string{"no id": {"x", "U#1"}, "unknown": {nobody}, "deleted": {f.newUser("deleted")},
					"latched": {f.newUser("latched")}}
				if err := f.Delete(f.ctx, f.user, unknown["deleted"][0], nil); err != nil {
					t.Fatal(err)
				}
				latch := table.Update{Key: f.keys.Head(f.user, unknown["latched"][0]), Set: table.Item{"deleting": table.BOOL(true)}}
				if err := f.Table.Write(f.ctx, latch); err != nil {
					t.Fatal(err)
				}
				g := f.newGroup("g", users[0])
				if j.name != "POST" {
					unknown["the group"] = []string{g}
				}
				unknown["all"] = slices.Concat(slices.Collect(maps.Values(unknown))...)
				for what, ids := range unknown {
					f.refuses(j, g, what, users, ids)
				}
				f.StrictMembers = true
				f.must(j.do(f, g, users))
				f.StrictMembers = false
				r := f.must(j.do(f, g, append(unknown["all"], users...)))
				f.has(r.ID(), users)
				f.consistent()
			})
		}
	}
}

func (f *fixture) refuses(j joining, g, what string, users, unknown []string) {
	f.Helper()
	f.StrictMembers = true
	before := f.dump()
	_, err := j.do(f, g, slices.Concat(users, unknown, unknown))
	e, _ := err.(*scim.Error)
	if e == nil || e.Status != 400 || e.Type != scim.InvalidValue {
		f.Fatalf("%s: %v, want 400 invalidValue", what, err)
	}
	if n := strings.Count(e.Detail, `"`) / 2; n != len(unknown) {
		f.Errorf("%s: %d are listed, want %d: %s", what, n, len(unknown), e.Detail)
	}
	for _, id := range unknown {
		if !strings.Contains(e.Detail, fmt.Sprintf("%q", id)) {
			f.Errorf("%s: %q is not listed: %s", what, id, e.Detail)
		}
	}
	if !reflect.DeepEqual(f.dump(), before) {
		f.Errorf("%s: something is written", what)
	}
}

func TestUnknownMembersAreToldInBrief(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	f.StrictMembers = true
	var ids []string
	for i := range 23 {
		ids = append(ids, fmt.Sprint("x", 100+i), "u"+strings.Repeat("é", 100))
	}
	_, err := f.Create(f.ctx, f.group, withMembers("g", ids...), scim.Projection{})
	if status(err) != 400 || strings.Count(err.Error(), `"`) != 2*20 || !strings.Contains(err.Error(), ` and 4 more. `) ||
		len(err.Error()) > 500 {
		t.Errorf("%v, want 20 and 4 more", err)
	}
}

func TestUnknownMembersAreRemovedWithoutAWord(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	f.StrictMembers = true
	u := f.newUser("u")
	g := f.newGroup("g", u)
	f.must(f.patch(f.group, g, `[{"op":"remove","path":"members","value":`+list([]string{nobody, "x", g})+`},
		{"op":"add","path":"members","value":`+list([]string{"y"})+`},{"op":"remove","path":"members[value eq \"y\"]"}]`))
	f.has(g, []string{u})
}
