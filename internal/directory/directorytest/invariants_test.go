package directorytest_test

import (
	"testing"

	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// Violations must find each kind of inconsistency.
func TestViolations(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(f *directorytest.Fixture, user, group string) table.Write{
		"name item without a head item": func(f *directorytest.Fixture, user, _ string) table.Write {
			return table.Put{Item: store.MarshalItem(store.NameItem{Key: f.Store.Keys.Name(f.User, "ghost"), ResourceID: user})}
		},
		"head item without its name item": func(f *directorytest.Fixture, _, _ string) table.Write {
			return table.Delete{Key: f.Store.Keys.Name(f.User, "u")}
		},
		"edge item without its reverse": func(f *directorytest.Fixture, user, _ string) table.Write {
			return table.Update{Key: f.Store.Keys.Head(f.User, user), Remove: []string{"groups"}}
		},
		"reverse without its edge item": func(f *directorytest.Fixture, user, group string) table.Write {
			return table.Delete{Key: f.Store.Keys.Edge(f.Group, group, user)}
		},
		"wrong member count": func(f *directorytest.Fixture, _, group string) table.Write {
			return table.Update{Key: f.Store.Keys.Head(f.Group, group), Add: table.Item{"n": table.N(1)}}
		},
		"wrong counter": func(f *directorytest.Fixture, _, _ string) table.Write {
			return table.Update{Key: f.Store.Keys.Counter(f.User, 3), Add: table.Item{"n": table.N(1)}}
		},
		"index item of a value that no resource has": func(f *directorytest.Fixture, user, _ string) table.Write {
			key := table.Key{PK: f.Store.Keys.IndexPartition(f.User, "externalId", "x"), SK: user}
			return table.Put{Item: store.MarshalItem(key)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab := directorytest.NewTable(t)
			f := directorytest.New(t, tab)
			user := f.NewUser("u")
			group := f.NewGroup("g", user)
			f.CheckInvariants()
			if err := tab.Write(t.Context(), damage(f, user, group)); err != nil {
				t.Fatal(err)
			}
			if f.Violations() == nil {
				t.Errorf("%s: no violation is found", name)
			}
		})
	}
}
