package query_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/filter"
	"serverless-scim/internal/query"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// createPopulation creates a few users and groups that share many values. It returns filters that match some of them.
func createPopulation(f *directorytest.Fixture) (filters []string) {
	var users []string
	for i := range 20 {
		o := scim.Object{"userName": fmt.Sprintf("%c%d", 'a'+i%3, i), "title": []string{"x", "Y", "z"}[i%3],
			"active": i%2 == 0}
		if i%4 > 0 {
			o["externalId"] = fmt.Sprint("e", i%5)
			o["emails"] = []any{scim.Object{"value": fmt.Sprint("m", i%7), "type": "work"}, scim.Object{"value": "all"}}
		}
		users = append(users, f.Must(f.Create(f.Ctx, f.User, o, scim.Projection{})).ID())
	}
	inner := f.NewGroup("inner", users[2:5]...)
	large := f.NewGroup("large", append(users[3:], inner)...)
	f.NewGroup("outer", inner, users[0])
	f.NewGroup("empty")
	return []string{
		`userName pr`, `userName sw "A"`, `userName sw "b1"`, `userName eq "C2"`, `userName eq "none"`, `externalId eq "e1"`,
		`emails eq "ALL"`,
		`emails[type eq "work" and value eq "m1"]`, `emails.value eq "m1" or externalId eq "e1"`,
		`userName sw "a" or userName sw "b"`,
		`groups.value eq "` + large + `"`, `groups eq "` + large + `" and active eq true`,
		`groups.value eq "` + inner + `" or id eq "` + users[9] + `"`,
		`title eq "y"`, `not (title eq "y")`, `title ge "Y" and userName sw "c"`, `groups.display eq "inner"`,
		`active eq false or userName eq "a0"`,
		`members.value eq "` + users[3] + `"`, `members eq "` + inner + `"`, `members.value ne "` + users[3] + `"`,
		`not (members eq "` + users[3] + `")`,
		`members[value eq "` + users[3] + `" and type eq "User"]`, `members[value ne "` + users[3] + `"]`, `members pr`,
		`members.type eq "Group"`, `displayName sw "L"`,
		`id eq "` + large + `" and members eq "` + users[3] + `"`, `id eq "` + large + `" and members eq "` + users[2] + `"`,
		`displayName eq "outer" or members.display eq "inner"`, `userName sw "b" or userName sw "a" or userName sw "B1"`,
		`groups.value eq "` + inner + `" or groups.value eq "` + large + `" or emails eq "m2"`,
		`displayName sw "o" or displayName sw "e"`,
		`userName sw "a" or externalId eq "e1" or userName sw "b" or emails eq "m3"`,
		`groups.value eq "` + large + `" or userName sw "c"`,
		`userName sw "a" or displayName sw "L"`, `not (userName sw "a")`, `userName ne "c2" and not (members pr)`,
		`userName pr and displayName pr`,
		`emails[value eq "m1"] or members[value eq "` + users[3] + `"]`, `title eq null and userName ne "a0"`,
		`not (groups.value eq "` + inner + `")`,
	}
}

// For every plan and every kind of paging, a query returns the same resources as the reference, each once.
func TestQueriesReturnTheResourcesOfTheReference(t *testing.T) {
	directorytest.OnEach(t, func(t *testing.T, tab table.Table) {
		f := directorytest.New(t, tab)
		filters := append(createPopulation(f), "")
		types := [][]*scim.ResourceType{{f.User}, {f.Group}, {f.User, f.Group}}
		attributes := []string{"", "userName", "displayName", "title", "active", "meta.created", "emails"}
		rapid.Check(t, func(t *rapid.T) {
			p := directory.ListParams{Count: rapid.IntRange(1, 9).Draw(t, "count"), Client: rapid.String().Draw(t, "client")}
			p.Types = rapid.SampledFrom(types).Draw(t, "types")
			if text := rapid.SampledFrom(filters).Draw(t, "filter"); text != "" {
				p.Filter, _ = filter.Parse(text, nil)
			}
			sortBy := rapid.SampledFrom(attributes).Draw(t, "sortBy")
			if p.Descending = rapid.Bool().Draw(t, "descending"); sortBy != "" {
				p.SortBy, _ = filter.ParseAttr(sortBy, nil)
			}
			want, err := matchingIDs(f, p)
			if err != nil {
				if _, listErr := f.List(f.Ctx, p); directorytest.Status(listErr) != 400 {
					t.Fatalf("got %v, want 400 because of %v", listErr, err)
				}
				return
			}
			indexed := listByIndex(t, f, p)
			forward, backward := listByCursor(t, f, p)
			if !slices.Equal(forward, indexed) || !slices.Equal(backward, forward) {
				t.Fatalf("by index %v, by cursor %v, and backward %v", indexed, forward, backward)
			}
			if slices.Sort(indexed); !slices.Equal(indexed, want) {
				t.Fatalf("%v, want %v", indexed, want)
			}
			p.StartIndex = rapid.IntRange(1, len(want)+3).Draw(t, "startIndex")
			p.Count = rapid.IntRange(0, 5).Draw(t, "jumpCount")
			l, size := list(t, f, p), max(0, min(p.Count, len(want)-p.StartIndex+1))
			if l.TotalResults != len(want) || len(l.Resources) != size {
				t.Fatalf("count %d from %d: %d of %d resources, want %d of %d", p.Count, p.StartIndex,
					len(l.Resources), l.TotalResults, size, len(want))
			}
		})
	})
}

// Resources can be sorted by a sub-attribute of meta, which is not in their documents.
func TestSortByMeta(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	f.NewUsers(20)
	p := directory.ListParams{Types: directorytest.Only(f.User), SortBy: filter.Attr{Name: "meta", Sub: "location"}, StartIndex: 1, Count: 100}
	for _, p.Descending = range []bool{false, true} {
		var ids []string
		for _, r := range list(t, f, p).Resources {
			ids = append(ids, r.ID())
		}
		if p.Descending {
			slices.Reverse(ids)
		}
		if len(ids) != 20 || !slices.IsSorted(ids) {
			t.Errorf("descending %t: %v", p.Descending, ids)
		}
	}
}

// A query that exceeds the scan budget is rejected. By cursor, it is answered in parts.
func TestScanBudget(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	f.NewUsers(2*query.ScanBatch + 500)
	f.NewUser("z")
	setScanBudget(f, 2*query.ScanBatch)
	for text, matches := range map[string]int{
		`nickName pr`: 0, `userName ew "z"`: 1, `userName co "member" and title pr`: 0,
	} {
		p := directory.ListParams{Types: directorytest.Only(f.User), Filter: directorytest.Parse(t, text), StartIndex: 1, Count: 10}
		_, err := f.List(t.Context(), p)
		if e, _ := err.(*scim.Error); e == nil || e.Type != scim.TooMany || !strings.Contains(e.Detail, "userName") {
			t.Errorf("%s: %v, want tooMany with a filter that works", text, err)
		}
		if forward, backward := listByCursor(t, f, p); len(forward) != matches || len(backward) != matches {
			t.Errorf("%s by cursor: %v and backward %v, want %d", text, forward, backward, matches)
		}
	}
	for _, c := range []struct { // unions of a source in the order of names and one in the order of IDs
		filter   string
		rejected bool
		matches  int
	}{
		{`userName sw "m" or id eq "x"`, true, 2*query.ScanBatch + 500},
		{`userName sw "member000" or userName sw "z" or id eq "x"`, false, 1001},
	} {
		p := directory.ListParams{Types: directorytest.Only(f.User), Filter: directorytest.Parse(t, c.filter),
			StartIndex: 1, Count: 100}
		if _, err := f.List(f.Ctx, p); (directorytest.Status(err) == 400) != c.rejected {
			t.Errorf("%s: %v", c.filter, err)
		}
		forward, backward := listByCursor(t, f, p)
		if len(forward) != c.matches || !slices.Equal(forward, backward) {
			t.Errorf("%s by cursor: %d and backward %d, want %d", c.filter, len(forward), len(backward), c.matches)
		}
	}
	p := directory.ListParams{Types: directorytest.Only(f.User), SortBy: filter.Attr{Name: "title"}, StartIndex: 1, Count: 10}
	if _, err := f.List(t.Context(), p); directorytest.Status(err) != 400 {
		t.Errorf("sorting all users by title: %v, want 400", err)
	}
	p.SortBy.Name = "userName" // the order of the name items
	if l := list(t, f, p); l.TotalResults != 2*query.ScanBatch+501 ||
		directorytest.Object(l.Resources[0])["userName"] != "member000000" {
		t.Errorf("%d users, of which the first is %v", l.TotalResults, directorytest.Object(l.Resources[0])["userName"])
	}
	p.Descending = true
	if l := list(t, f, p); directorytest.Object(l.Resources[0])["userName"] != "z" {
		t.Errorf("in descending order, the first is %v", directorytest.Object(l.Resources[0])["userName"])
	}
}

// The cost of a page of a union depends on the page size and the number of sources, not on the number of candidates.
func TestPagesOfAUnionReadFewItems(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	users := f.NewUsers(600)
	g, h := f.NewGroup("g1", users[:400]...), f.NewGroup("h1", users[200:]...)
	prefixes := func(n, digits int) string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf(`userName sw "member%0*d"`, digits, (7*i)%n)
		}
		return strings.Join(all, " or ")
	}
	for _, c := range []struct {
		filter                  string
		count, sources, matches int
	}{
		{`groups.value eq "` + g + `" or groups.value eq "` + h + `"`, 10, 2, 600},
		{`userName sw "member0000" or userName sw "member0002" or userName sw "member00005"`, 10, 3, 200},
		{strings.Repeat(`groups.value eq "`+g+`" or `, 50) + `id eq "` + users[500] + `"`, 10, 2, 401},
		{prefixes(60, 5), 50, 60, 600}, {prefixes(6, 4), 50, 6, 600},
	} {
		p := directory.ListParams{Types: directorytest.Only(f.User), Filter: directorytest.Parse(t, c.filter), Count: c.count,
			Projection: selectAttributes(f, "userName")}
		var listed []string
		for more := true; more; {
			ctx, usage := table.WithUsage(f.Ctx)
			l, err := f.List(ctx, p)
			if err != nil {
				t.Fatal(err)
			}
			listed = append(listed, directorytest.IDs(l)...)
			if read := usage().ItemsRead; read > 4*(c.count+1)+10*c.sources+c.count {
				t.Fatalf("%.100s: a page of %d reads %d items", c.filter, c.count, read)
			}
			more = directorytest.NextPage(&p, l)
		}
		if len(listed) != c.matches || !slices.IsSorted(listed) { // the IDs are in the order of the names
			t.Errorf("%.100s: %d users, want %d in order", c.filter, len(listed), c.matches)
		}
	}
}

// Only the first page of a walk by startIndex counts the candidates of a name prefix. The bookmarks keep the total.
func TestAWalkCountsTheTotalOnce(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	f.NewUsers(500)
	read := map[int]int{}
	for _, start := range []int{1, 11, 21, 491} {
		ctx, usage := table.WithUsage(f.Ctx)
		p := directory.ListParams{Types: directorytest.Only(f.User), Filter: directorytest.Parse(t, `userName sw "member"`),
			StartIndex: start, Count: 10, Projection: selectAttributes(f, "userName")}
		l, err := f.List(ctx, p)
		if err != nil || l.TotalResults != 500 || len(l.Resources) != 10 {
			t.Fatal(l, err)
		}
		read[start] = usage().ItemsRead
	}
	if read[1] != 11+10+500 || read[11] != 1+11+10 || read[21] != read[11] {
		t.Errorf("the pages read %v items", read)
	}
}
