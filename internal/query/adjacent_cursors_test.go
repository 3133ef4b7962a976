package query_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/filter"
	"serverless-scim/internal/query"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// orders covers all kinds of result orders. All users match each filter. GROUP is the ID of a group of all users.
var orders = []struct {
	filter, sortBy string
	descending     bool
}{
	{}, {filter: `userName pr`}, {filter: `userName sw "u"`}, {filter: `userName sw "u" or userName sw "u1"`},
	{filter: `emails eq "all@x"`}, {filter: `groups.value eq "GROUP"`},
	{filter: `groups.value eq "GROUP" or emails eq "all@x"`},
	{filter: `emails eq "all@x" or userName sw "u"`}, {sortBy: "userName"}, {sortBy: "userName", descending: true},
	{sortBy: "title"}, {sortBy: "title", descending: true}, {filter: `title pr`, sortBy: "userName", descending: true},
}

// onEachOrder runs a test with five users for each order, once with queries of users and once with queries of users and
// groups. The pages of the queries have two resources. The test receives the IDs of the users.
func onEachOrder(t *testing.T, tab table.Table, test func(*testing.T, *directorytest.Fixture, directory.ListParams, []string)) {
	for _, order := range orders {
		for types := 1; types <= 2; types++ {
			t.Run(fmt.Sprintf("%+v, types %d", order, types), func(t *testing.T) {
				f := directorytest.New(t, tab).ForTenant(t.Name())
				var users []string
				for n := range 5 {
					o := scim.Object{"userName": fmt.Sprint("u", n), "title": fmt.Sprint(n / 2),
						"emails": []any{scim.Object{"value": "all@x"}}}
					users = append(users, f.Must(f.Create(f.Ctx, f.User, o, scim.Projection{})).ID())
				}
				p := directory.ListParams{Types: []*scim.ResourceType{f.User, f.Group}[:types], Count: 2, Descending: order.descending}
				text := order.filter
				if strings.Contains(text, "GROUP") {
					text = strings.ReplaceAll(text, "GROUP", f.NewGroup("g", users...))
				}
				if text != "" {
					p.Filter = directorytest.Parse(t, text)
				}
				if order.sortBy != "" {
					p.SortBy = filter.Attr{Name: order.sortBy}
				}
				test(t, f, p, users)
			})
		}
	}
}

// The last page is empty if its resources are deleted before it is read. The previous cursors from there lead to all
// other resources.
func TestPreviousCursorsOfAnEmptyLastPage(t *testing.T) {
	directorytest.OnEach(t, func(t *testing.T, tab table.Table) {
		onEachOrder(t, tab, func(t *testing.T, f *directorytest.Fixture, p directory.ListParams, users []string) {
			l := list(t, f, p)
			forward := directorytest.IDs(l)
			for len(forward) < 4 && l.NextCursor != "" {
				p.Cursor = l.NextCursor
				l = list(t, f, p)
				forward = append(forward, directorytest.IDs(l)...)
			}
			for _, id := range users {
				if !slices.Contains(forward, id) {
					f.Must(nil, f.Delete(f.Ctx, f.User, id, nil))
				}
			}
			p.Cursor = l.NextCursor
			l = list(t, f, p)
			if len(l.Resources) != 0 || l.NextCursor != "" {
				t.Fatalf("the last page has %d resources", len(l.Resources))
			}
			var backward []string
			for l.PreviousCursor != "" && len(backward) < len(users) {
				p.Cursor = l.PreviousCursor
				l = list(t, f, p)
				backward = append(directorytest.IDs(l), backward...)
			}
			if !slices.Equal(backward, forward) {
				t.Errorf("forward %v, backward %v", forward, backward)
			}
		})
	})
}

// A page of count 0 has the position of its cursor. Its two cursors lead to the resources before and after that
// position.
func TestCursorsOfAPageOfCountZero(t *testing.T) {
	t.Parallel()
	onEachOrder(t, directorytest.NewTable(t), func(t *testing.T, f *directorytest.Fixture, p directory.ListParams, _ []string) {
		p.Count = 1000
		all := directorytest.IDs(list(t, f, p))
		read := func(cursor string, count int) *directory.ListResult {
			t.Helper()
			p.Cursor, p.Count = cursor, count
			return list(t, f, p)
		}
		check := func(cursor string, before int) {
			t.Helper()
			l := read(cursor, 0)
			if got := directorytest.IDs(read(l.PreviousCursor, 1000)); !slices.Equal(got, all[:before]) {
				t.Errorf("before %d: %v, want %v", before, got, all[:before])
			}
			if got := directorytest.IDs(read(l.NextCursor, 1000)); !slices.Equal(got, all[before:]) {
				t.Errorf("after %d: %v, want %v", before, got, all[before:])
			}
		}
		for before := 1; before < len(all); before++ {
			next := read("", before).NextCursor
			check(next, before)
			previous := read(next, 1).PreviousCursor
			check(previous, before)
			check(read(previous, 0).NextCursor, before)
			check(read(next, 0).PreviousCursor, before)
		}
	})
}

// A page that is read backward is empty if the scan budget ends before the first match. The next cursor of that page
// leads to the matches after it, and to none before it.
func TestNextCursorOfAnEmptyPageThatIsReadBackward(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	users := f.NewUsers(1002)
	setScanBudget(f, query.TestBatchSize)
	text := `userName ew "000000" or userName ew "000899" or userName ew "001001"`
	p := directory.ListParams{Types: directorytest.Only(f.User), Count: 10, Filter: directorytest.Parse(t, text)}
	l := list(t, f, p)
	for l.NextCursor != "" {
		p.Cursor = l.NextCursor
		l = list(t, f, p)
	}
	for pages := range 3 {
		if p.Cursor = l.PreviousCursor; p.Cursor == "" {
			t.Fatalf("after %d pages backward there is no previous cursor", pages)
		}
		l = list(t, f, p)
	}
	var forward []string
	for l.NextCursor != "" {
		p.Cursor = l.NextCursor
		l = list(t, f, p)
		forward = append(forward, directorytest.IDs(l)...)
	}
	if want := []string{users[899], users[1001]}; !slices.Equal(forward, want) {
		t.Errorf("forward again %v, want %v", forward, want)
	}
}

// The scan budget can end with the last candidate of a type. The opposite direction then continues with that candidate.
// It does not skip the candidates of the type, and does not read the next type.
func TestReversingBetweenTwoTypes(t *testing.T) {
	t.Parallel()
	const next, previous = false, true
	type page struct {
		backward bool
		matches  string // first, last, or none
	}
	for _, c := range []struct {
		name       string
		groups     int
		usersFirst bool
		pages      []page
	}{
		{"backward", query.TestBatchSize + 1, true, []page{
			{next, "first"}, {next, "last"}, {previous, ""}, {next, ""}, {next, "last"},
		}},
		{"forward", 2 * query.TestBatchSize, false, []page{
			{next, "first"}, {next, ""}, {previous, ""}, {previous, "first"},
		}},
	} {
		f := directorytest.New(t, directorytest.NewTable(t))
		setScanBudget(f, query.TestBatchSize)
		types, user := []*scim.ResourceType{f.User, f.Group}, f.NewUser("u")
		var ids []string
		for n := range c.groups {
			ids = append(ids, f.NewGroup(fmt.Sprint(n)))
		}
		slices.Sort(ids)
		if ids = slices.Insert(ids, 0, user); !c.usersFirst {
			ids = append(ids[1:], user)
			slices.Reverse(types)
		}
		first, last := ids[0], ids[len(ids)-1]
		text := fmt.Sprintf(`(id eq "%s") and (id eq %q or id eq %q)`, strings.Join(ids, `" or id eq "`), first, last)
		p := directory.ListParams{Types: types, Count: 10, Filter: directorytest.Parse(t, text)}
		l := &directory.ListResult{}
		for i, want := range c.pages {
			if p.Cursor = l.NextCursor; want.backward {
				p.Cursor = l.PreviousCursor
			}
			l = list(t, f, p)
			got := strings.NewReplacer(first, "first", last, "last").Replace(strings.Join(directorytest.IDs(l), " "))
			if got != want.matches {
				t.Fatalf("%s: page %d is %q, want %q", c.name, i, got, want.matches)
			}
		}
	}
}
