package directory_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

func TestPagesHoldEachResourceOnce(t *testing.T) {
	directorytest.OnEach(t, func(t *testing.T, tab table.Table) {
		f := directorytest.New(t, tab)
		want := []string{}
		for i := range 23 {
			want = append(want, f.NewUser(fmt.Sprintf("u%02d", i)))
		}
		slices.Sort(want)
		for _, size := range []int{1, 7, 23, 24, 100} {
			var got []string
			for start := 1; ; start += size {
				p := directory.ListParams{Types: directorytest.Only(f.User), StartIndex: start, Count: size}
				l, err := f.List(t.Context(), p)
				if err != nil {
					t.Fatal(err)
				}
				if l.TotalResults != 23 {
					t.Errorf("startIndex %d, count %d: totalResults is %d, want 23", start, size, l.TotalResults)
				}
				got = append(got, directorytest.IDs(l)...)
				if start+size > l.TotalResults {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("pages of %d hold %v, want %v", size, got, want)
			}
		}
		for _, p := range []directory.ListParams{{StartIndex: 1, Count: 0}, {StartIndex: 24, Count: 5}} {
			p.Types = directorytest.Only(f.User)
			if l, err := f.List(t.Context(), p); err != nil || len(l.Resources) != 0 || l.TotalResults != 23 {
				t.Errorf("startIndex %d, count %d: %v %v, want no resources of 23", p.StartIndex, p.Count, l, err)
			}
		}
	})
}

// Clients stop at totalResults. So it must include all resources of the page, and one more if there is another page,
// even if the counters are too low.
func TestTotalResultsIncludesTheNextPage(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	for i := range 5 {
		f.NewUser(fmt.Sprint("u", i))
	}
	tooLow := table.Update{Key: f.Store.Keys.Counter(f.User, 0), Add: table.Item{"n": table.N(-4)}}
	if err := f.Config.Store.Table.Write(t.Context(), tooLow); err != nil {
		t.Fatal(err)
	}
	for start, want := range map[int]int{1: 3, 3: 5, 5: 5} {
		l, err := f.List(t.Context(), directory.ListParams{Types: directorytest.Only(f.User), StartIndex: start, Count: 2})
		if err != nil || l.TotalResults != want {
			t.Errorf("startIndex %d: totalResults is %d, want %d", start, l.TotalResults, want)
		}
	}
}

// A page is found however many resources are before it, with an exact plan and with a filter that tests each resource.
func TestPageFarFromTheStart(t *testing.T) {
	t.Parallel()
	const scanBatch = 1600 // of package query: the resources that one batch tests
	f := directorytest.New(t, directorytest.NewTable(t))
	users := f.NewUsers(scanBatch + 60)
	for _, tested := range []filter.Expr{nil, directorytest.Parse(t, `userName pr`)} {
		for _, start := range []int{1, scanBatch - 20, scanBatch, scanBatch + 1, scanBatch + 30} {
			p := directory.ListParams{
				Types: directorytest.Only(f.User), Filter: tested, StartIndex: start, Count: 40, Client: strconv.Itoa(start),
			}
			l, err := f.List(t.Context(), p)
			if err != nil {
				t.Fatalf("%+v: %v", p, err)
			}
			want := users[start-1 : min(start-1+p.Count, len(users))]
			if !slices.Equal(directorytest.IDs(l), want) || l.TotalResults != len(users) {
				t.Errorf("startIndex %d, filter %v: %d of %d, want %d of %d", start, tested,
					len(l.Resources), l.TotalResults, len(want), len(users))
			}
		}
	}
}

// The key of an index item holds a hash instead of a value of more than 512 bytes.
func TestLongValuesAreFound(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	for _, n := range []int{512, 513, 3000} {
		long := strings.Repeat("x", n)
		f.Must(f.Create(t.Context(), f.User, scim.Object{"userName": fmt.Sprint("u", n), "externalId": long}, scim.Projection{}))
		for value, want := range map[string]int{long: 1, long + "x": 0} {
			if got := f.Find(f.User, `externalId eq "`+value+`"`).TotalResults; got != want {
				t.Errorf("an externalId of %d bytes: %d found, want %d", len(value), got, want)
			}
		}
	}
	f.CheckInvariants()
}

// A filter finds the same resources with every plan: those that Matcher selects.
func TestFiltersAgainstMatcher(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	var all []*directory.Resource
	for i := range 12 {
		o := scim.Object{"userName": fmt.Sprint("U", i), "externalId": fmt.Sprint("e", i%5), "title": fmt.Sprint(i % 2),
			"emails": []any{scim.Object{"value": fmt.Sprintf("%d@X", i%3), "type": fmt.Sprint(i % 4)}}}
		all = append(all, f.Must(f.Create(t.Context(), f.User, o, scim.Projection{})))
	}
	comparisons := []string{`userName eq "u3"`, `USERNAME eq "U99"`, `externalId eq "e1"`, `externalId eq "E1"`,
		`emails eq "1@x"`, `emails.value eq "2@X"`, `emails[value eq "1@x" and type eq "1"]`, `emails[type eq "1"].value eq "1@X"`,
		`emails.type eq "1"`, `title eq "1"`, `id eq "` + all[4].ID() + `"`,
		`id eq "nobody"`, `userName ne "u3"`, `externalId ne "e1"`, `groups pr`, `groups.display eq "x"`}
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.SampledFrom(comparisons).Draw(rt, "comparison")
		for range rapid.IntRange(0, 3).Draw(rt, "more") {
			forms := []string{"(%s) and %s", "(%s) or %s", "not (%s) and %s", "%s and not (%[2]s and %[1]s)"}
			text = rapid.SampledFrom(forms).Draw(rt, "form")
			text = fmt.Sprintf(text, rapid.SampledFrom(comparisons).Draw(rt, "x"), rapid.SampledFrom(comparisons).Draw(rt, "y"))
		}
		e, err := filter.Parse(text, nil)
		if err != nil {
			rt.Fatal(err)
		}
		match, err := f.User.Matcher(e)
		if err != nil {
			rt.Fatal(err)
		}
		want := 0
		for _, r := range all {
			if match(nil, r.Object()) {
				want++
			}
		}
		l, err := f.List(t.Context(), directory.ListParams{Types: directorytest.Only(f.User), Filter: e, StartIndex: 1, Count: 100})
		if err != nil || l.TotalResults != want {
			rt.Fatalf("%s finds %v %v, want %d", text, l, err, want)
		}
	})
}
