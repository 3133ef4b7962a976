package directory_test

import (
	"fmt"
	"slices"
	"testing"

	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

func TestSeederWritesWhatCreatesWrite(t *testing.T) {
	directorytest.OnEach(t, func(t *testing.T, tab table.Table) {
		c, err := directorytest.NewCompany(t.Context(), tab, "test", 300, 0, 100, 200)
		if err != nil {
			t.Fatal(err)
		}
		f := directorytest.New(t, tab)
		f.CheckIdle()
		f.CheckMembers(c.GroupOfSize[200], c.People[100:])
		if groups := f.Groups(c.People[299]); len(groups) != 3 || !slices.Contains(groups, c.Teams[29]) {
			t.Errorf("the last person is in the groups %v, want 3 with team %s", groups, c.Teams[29])
		}
		created := f.Must(f.Create(f.Ctx, f.User, directorytest.NewPerson(1234567), scim.Projection{}))
		seeded := f.Must(f.Retrieve(f.Ctx, f.User, c.Newcomers[0], scim.Projection{}))
		if size, want := len(fmt.Sprint(seeded.Object())), len(fmt.Sprint(created.Object())); size != want {
			t.Errorf("a seeded user has %d bytes, a created user %d", size, want)
		}
		address := directorytest.NewPerson(7)["userName"].(string)
		l := f.Find(f.User, `emails.value eq "`+address+`"`)
		if l.TotalResults != 1 || l.Resources[0].ID() != c.People[7] {
			t.Errorf("the e-mail address of a person leads to %v, want %s", directorytest.IDs(l), c.People[7])
		}
	})
}
