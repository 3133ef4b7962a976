package directory

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

func (f *fixture) query(t rapid.TB, q Params) *ListResult {
	t.Helper()
	l, err := f.List(f.ctx, q)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	return l
}

// byIndex pages as Okta does: until it has as many as totalResults says.
func (f *fixture) byIndex(t rapid.TB, q Params) (ids []string) {
	t.Helper()
	for q.StartIndex = 1; ; q.StartIndex = len(ids) + 1 {
		l := f.query(t, q)
		if ids = append(ids, idsOf(l)...); len(ids) >= l.TotalResults || len(l.Resources) == 0 {
			return ids
		}
	}
}

// byCursor pages to the end, and back again.
func (f *fixture) byCursor(t rapid.TB, q Params) (there, back []string) {
	t.Helper()
	q.StartIndex, q.Cursor = 0, ""
	l := f.query(t, q)
	for there = idsOf(l); l.NextCursor != ""; there = append(there, idsOf(l)...) {
		q.Cursor = l.NextCursor
		l = f.query(t, q)
	}
	for back = idsOf(l); l.PreviousCursor != ""; back = append(idsOf(l), back...) {
		q.Cursor = l.PreviousCursor
		l = f.query(t, q)
	}
	return there, back
}

// population is a few resources of both types that have much in common.
func (f *fixture) population() (filters []string) {
	var users []string
	for i := range 20 {
		o := scim.Object{"userName": fmt.Sprintf("%c%d", 'a'+i%3, i), "title": []string{"x", "Y", "z"}[i%3], "active": i%2 == 0}
		if i%4 > 0 {
			o["externalId"] = fmt.Sprint("e", i%5)
			o["emails"] = []any{scim.Object{"value": fmt.Sprint("m", i%7), "type": "work"}, scim.Object{"value": "all"}}
		}
		users = append(users, f.must(f.Create(f.ctx, f.user, o, scim.Projection{})).ID())
	}
	inner := f.newGroup("inner", users[2:5]...)
	large := f.newGroup("large", append(users[3:], inner)...)
	f.newGroup("outer", inner, users[0])
	f.newGroup("empty")
	return []string{
		`userName pr`, `userName sw "A"`, `userName sw "b1"`, `userName eq "C2"`, `userName eq "none"`, `externalId eq "e1"`, `emails eq "ALL"`,
		`emails[type eq "work" and value eq "m1"]`, `emails.value eq "m1" or externalId eq "e1"`, `userName sw "a" or userName sw "b"`,
		`groups.value eq "` + large + `"`, `groups eq "` + large + `" and active eq true`, `groups.value eq "` + inner + `" or id eq "` + users[9] + `"`,
		`title eq "y"`, `not (title eq "y")`, `title ge "Y" and userName sw "c"`, `groups.display eq "inner"`, `active eq false or userName eq "a0"`,
		`members.value eq "` + users[3] + `"`, `members eq "` + inner + `"`, `members.value ne "` + users[3] + `"`, `not (members eq "` + users[3] + `")`,
		`members[value eq "` + users[3] + `" and type eq "User"]`, `members[value ne "` + users[3] + `"]`, `members pr`, `members.type eq "Group"`, `displayName sw "L"`,
		`id eq "` + large + `" and members eq "` + users[3] + `"`, `id eq "` + large + `" and members eq "` + users[2] + `"`,
		`displayName eq "outer" or members.display eq "inner"`, `userName sw "b" or userName sw "a" or userName sw "B1"`,
		`groups.value eq "` + inner + `" or groups.value eq "` + large + `" or emails eq "m2"`, `displayName sw "o" or displayName sw "e"`,
		`userName sw "a" or externalId eq "e1" or userName sw "b" or emails eq "m3"`, `groups.value eq "` + large + `" or userName sw "c"`,
		`userName sw "a" or displayName sw "L"`, `not (userName sw "a")`, `userName ne "c2" and not (members pr)`, `userName pr and displayName pr`,
		`emails[value eq "m1"] or members[value eq "` + users[3] + `"]`, `title eq null and userName ne "a0"`, `not (groups.value eq "` + inner + `")`,
	}
}

// However a query is planned and paged, it gives what reading everybody and testing each gives, each once.
func TestQueryAgainstReadingEverything(t *testing.T) {
	onEach(t, func(t *testing.T, tab table.Table) {
		f := newFixture(t, tab)
		filters := append(f.population(), "")
		rapid.Check(t, func(t *rapid.T) {
			q := Params{Count: rapid.IntRange(1, 9).Draw(t, "count"), Client: rapid.String().Draw(t, "reader")}
			q.Types = rapid.SampledFrom([][]*scim.ResourceType{only(f.user), only(f.group), {f.user, f.group}}).Draw(t, "types")
			if text := rapid.SampledFrom(filters).Draw(t, "filter"); text != "" {
				q.Filter, _ = filter.Parse(text)
			}
			by := rapid.SampledFrom([]string{"", "userName", "displayName", "title", "active", "meta.created", "emails"}).Draw(t, "sortBy")
			if q.Descending = rapid.Bool().Draw(t, "descending"); by != "" {
				q.SortBy, _ = filter.ParseAttr(by)
			}
			all, err := f.everything(q)
			if err != nil {
				if _, wrong := f.List(f.ctx, q); status(wrong) != 400 {
					t.Fatalf("want 400 as there is %v, got %v", err, wrong)
				}
				return
			}
			indexed := f.byIndex(t, q)
			there, back := f.byCursor(t, q)
			if !slices.Equal(there, indexed) || !slices.Equal(back, there) {
				t.Fatalf("by index %v, by cursor %v, and back %v", indexed, there, back)
			}
			if slices.Sort(indexed); !slices.Equal(indexed, all) {
				t.Fatalf("%v, want %v", indexed, all)
			}
			q.StartIndex, q.Count = rapid.IntRange(1, len(all)+3).Draw(t, "startIndex"), rapid.IntRange(0, 5).Draw(t, "jump")
			if l := f.query(t, q); l.TotalResults != len(all) || len(l.Resources) != max(0, min(q.Count, len(all)-q.StartIndex+1)) {
				t.Fatalf("page %d of %d: %d of %d, want %d", q.StartIndex, q.Count, len(l.Resources), l.TotalResults, len(all))
			}
		})
	})
}

func projected(f *fixture, attributes string) scim.Projection {
	p, err := scim.NewProjection(only(f.user), attributes, "")
	if err != nil {
		f.Fatal(err)
	}
	return p
}

// What would cost a fortune is refused with the way out; by cursor it is had, a part at a time.
func TestBudget(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	f.newUsers(2*scanBatch + 500)
	f.newUser("z")
	f.Config.Budget = 2 * scanBatch
	for _, text := range []string{`nickName pr`, `userName ew "z"`, `userName co "member" and title pr`} {
		q := Params{Types: only(f.user), Filter: parsed(t, text), StartIndex: 1, Count: 10}
		_, err := f.List(t.Context(), q)
		if e, _ := err.(*scim.Error); e == nil || e.Type != scim.TooMany || !strings.Contains(e.Detail, "userName") {
			t.Errorf("%s: %v, want tooMany with a filter that works", text, err)
		}
		want := map[bool]int{true: 1}[strings.Contains(text, "ew")]
		if there, back := f.byCursor(t, q); len(there) != want || len(back) != want {
			t.Errorf("%s by cursor: %v and back %v, want %d", text, there, back, want)
		}
	}
	for text, refused := range map[string]bool{ // one by names, the other by ids
		`userName sw "m" or id eq "x"`: true, `userName sw "member000" or userName sw "z" or id eq "x"`: false,
	} {
		q := Params{Types: only(f.user), Filter: parsed(t, text), StartIndex: 1, Count: 10}
		if _, err := f.List(f.ctx, q); (status(err) == 400) != refused {
			t.Errorf("%s: %v", text, err)
		}
		there, back := f.byCursor(t, q)
		if want := map[bool]int{true: 2*scanBatch + 500, false: 1001}[refused]; len(there) != want || !slices.Equal(there, back) {
			t.Errorf("%s by cursor: %d and back %d, want %d", text, len(there), len(back), want)
		}
	}
	q := Params{Types: only(f.user), SortBy: filter.Attr{Name: "title"}, StartIndex: 1, Count: 10}
	if _, err := f.List(t.Context(), q); status(err) != 400 {
		t.Errorf("to sort all is %v, want 400", err)
	}
	q.SortBy.Name = "userName" // an order that is there
	if l := f.query(t, q); l.TotalResults != 2*scanBatch+501 || l.Resources[0].Object()["userName"] != "member000000" {
		t.Errorf("%d users, of whom the first is %v", l.TotalResults, l.Resources[0].Object()["userName"])
	}
	q.Descending = true
	if l := f.query(t, q); l.Resources[0].Object()["userName"] != "z" {
		t.Errorf("the last is %v", l.Resources[0].Object()["userName"])
	}
}

func parsed(t *testing.T, text string) filter.Expr {
	t.Helper()
	e, err := filter.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A page of what several keys lead to is made of a page of each, or of a share of each if they are many, however much there
// is behind.
func TestPagesOfAUnion(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	users := f.newUsers(600)
	g, h := f.newGroup("g1", users[:400]...), f.newGroup("h1", users[200:]...)
	prefixes := func(n, digits int) string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf(`userName sw "member%0*d"`, digits, (7*i)%n)
		}
		return strings.Join(all, " or ")
	}
	for _, c := range []struct {
		text                string
		count, sources, met int
	}{
		{`groups.value eq "` + g + `" or groups.value eq "` + h + `"`, 10, 2, 600},
		{`userName sw "member0000" or userName sw "member0002" or userName sw "member00005"`, 10, 3, 200},
		{strings.Repeat(`groups.value eq "`+g+`" or `, 50) + `id eq "` + users[500] + `"`, 10, 2, 401},
		{prefixes(60, 5), 50, 60, 600}, {prefixes(6, 4), 50, 6, 600},
	} {
		q := Params{Types: only(f.user), Filter: parsed(t, c.text), Count: c.count, Projection: projected(f, "userName")}
		var met []string
		for more := true; more; {
			ctx, usage := table.WithUsage(f.ctx)
			l, err := f.List(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			met = append(met, idsOf(l)...)
			if read := usage().ItemsRead; read > 4*(c.count+1)+10*c.sources+c.count {
				t.Fatalf("%.100s: %d items are read for a page of %d", c.text, read, c.count)
			}
			more = following(&q, l)
		}
		if len(met) != c.met || !slices.IsSorted(met) { // their ids are in the order of their names
			t.Errorf("%.100s: %d users, want %d in order", c.text, len(met), c.met)
		}
	}
}

// A walk over names that begin alike counts them once, on its first page.
func TestATotalIsKeptForTheWalk(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	f.newUsers(500)
	read := map[int]int{}
	for _, start := range []int{1, 11, 21, 491} {
		ctx, usage := table.WithUsage(f.ctx)
		q := Params{Types: only(f.user), Filter: parsed(t, `userName sw "member"`), StartIndex: start, Count: 10, Projection: projected(f, "userName")}
		l, err := f.List(ctx, q)
		if err != nil || l.TotalResults != 500 || len(l.Resources) != 10 {
			t.Fatal(l, err)
		}
		read[start] = usage().ItemsRead
	}
	if read[1] != 11+10+500 || read[11] != 1+11+10 || read[21] != read[11] {
		t.Errorf("the pages read %v items", read)
	}
}
