package directory

import (
	"cmp"
	"crypto/cipher"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// ways are the kinds of orders that there are: GROUP has all users.
var ways = []struct {
	filter, sortBy string
	descending     bool
}{
	{}, {filter: `userName pr`}, {filter: `userName sw "u"`}, {filter: `userName sw "u" or userName sw "u1"`},
	{filter: `emails eq "all@x"`}, {filter: `groups.value eq "GROUP"`}, {filter: `groups.value eq "GROUP" or emails eq "all@x"`},
	{filter: `emails eq "all@x" or userName sw "u"`}, {sortBy: "userName"}, {sortBy: "userName", descending: true},
	{sortBy: "title"}, {sortBy: "title", descending: true}, {filter: `title pr`, sortBy: "userName", descending: true},
}

// eachWay runs a test with queries of one and of two types over a few users, whose ids it is told.
func eachWay(t *testing.T, tab table.Table, test func(*testing.T, *fixture, Params, []string)) {
	for _, w := range ways {
		for both := range 2 {
			t.Run(fmt.Sprintf("%+v, types %d", w, 1+both), func(t *testing.T) {
				f := newFixture(t, tab).tenant(t.Name())
				var users []string
				for n := range 5 {
					o := scim.Object{"userName": fmt.Sprint("u", n), "title": fmt.Sprint(n / 2), "emails": []any{scim.Object{"value": "all@x"}}}
					users = append(users, f.must(f.Create(f.ctx, f.user, o, scim.Projection{})).ID())
				}
				q := Params{Types: []*scim.ResourceType{f.user, f.group}[:1+both], Count: 2, Descending: w.descending}
				text := w.filter
				if strings.Contains(text, "GROUP") {
					text = strings.ReplaceAll(text, "GROUP", f.newGroup("g", users...))
				}
				if text != "" {
					q.Filter = parsed(t, text)
				}
				if w.sortBy != "" {
					q.SortBy = filter.Attr{Name: w.sortBy}
				}
				test(t, f, q, users)
			})
		}
	}
}

// The last page can be empty, since what made one ask for it is gone. The way back from there leads to all the others.
func TestTheWayBackFromAnEmptyPage(t *testing.T) {
	onEach(t, func(t *testing.T, tab table.Table) {
		eachWay(t, tab, func(t *testing.T, f *fixture, q Params, users []string) {
			var met []string
			l := f.query(t, q)
			for met = idsOf(l); len(met) < 4 && l.NextCursor != ""; met = append(met, idsOf(l)...) {
				q.Cursor = l.NextCursor
				l = f.query(t, q)
			}
			for _, id := range users {
				if !slices.Contains(met, id) {
					f.must(nil, f.Delete(f.ctx, f.user, id, nil))
				}
			}
			q.Cursor = l.NextCursor
			l = f.query(t, q)
			if len(l.Resources) != 0 || l.NextCursor != "" {
				t.Fatalf("the last page has %d resources", len(l.Resources))
			}
			var back []string
			for l.PreviousCursor != "" && len(back) < len(users) {
				q.Cursor = l.PreviousCursor
				l = f.query(t, q)
				back = append(idsOf(l), back...)
			}
			if !slices.Equal(back, met) {
				t.Errorf("there %v, back %v", met, back)
			}
		})
	})
}

// A page for which nothing was asked, or tested, stands where its cursor does: what is before it and what is behind it are
// together all that there is.
func TestAnEmptyPageHasTwoSides(t *testing.T) {
	t.Parallel()
	eachWay(t, memory(t), func(t *testing.T, f *fixture, q Params, _ []string) {
		q.Count = 1000
		all := idsOf(f.query(t, q))
		from := func(cursor string, n int) *ListResult {
			q.Cursor, q.Count = cursor, n
			return f.query(t, q)
		}
		sides := func(cursor string, before int) {
			t.Helper()
			l := from(cursor, 0)
			if got := idsOf(from(l.PreviousCursor, 1000)); !slices.Equal(got, all[:before]) {
				t.Errorf("before %d: %v, want %v", before, got, all[:before])
			}
			if got := idsOf(from(l.NextCursor, 1000)); !slices.Equal(got, all[before:]) {
				t.Errorf("behind %d: %v, want %v", before, got, all[before:])
			}
		}
		for before := 1; before < len(all); before++ {
			on := from("", before).NextCursor
			sides(on, before)
			back := from(on, 1).PreviousCursor
			sides(back, before)
			sides(from(back, 0).NextCursor, before)
			sides(from(on, 0).PreviousCursor, before)
		}
	})
}

// On the way back, too, a page may end before it has met anybody. Who turns round there meets nobody again who is before it.
func TestToTurnRoundWithinTheWayBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	users := f.newUsers(1002)
	f.Config.Budget = testBatchSize
	q := Params{Types: only(f.user), Count: 10, Filter: parsed(t, `userName ew "000000" or userName ew "000899" or userName ew "001001"`)}
	l := f.query(t, q)
	for l.NextCursor != "" {
		q.Cursor = l.NextCursor
		l = f.query(t, q)
	}
	for pages := range 3 {
		if q.Cursor = l.PreviousCursor; q.Cursor == "" {
			t.Fatalf("%d pages back there is no further", pages)
		}
		l = f.query(t, q)
	}
	var met []string
	for l.NextCursor != "" {
		q.Cursor = l.NextCursor
		l = f.query(t, q)
		met = append(met, idsOf(l)...)
	}
	if want := []string{users[899], users[1001]}; !slices.Equal(met, want) {
		t.Errorf("forward again %v, want %v", met, want)
	}
}

// The budget can end where a type does. To turn round there is not to begin the type again.
func TestToTurnRoundBetweenTypes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	f.Config.Budget = testBatchSize
	ids := []string{f.newUser("u")}
	for n := range testBatchSize + 1 {
		ids = append(ids, f.newGroup(fmt.Sprint(n)))
	}
	slices.Sort(ids[1:])
	first, last := ids[0], ids[len(ids)-1]
	text := fmt.Sprintf(`(id eq "%s") and (id eq %q or id eq %q)`, strings.Join(ids, `" or id eq "`), first, last)
	q := Params{Types: []*scim.ResourceType{f.user, f.group}, Count: 10, Filter: parsed(t, text)}
	l := &ListResult{}
	for i, c := range []struct{ back, meets string }{{"", first}, {"", last}, {"back", ""}, {"", ""}, {"", last}} {
		if q.Cursor = l.NextCursor; c.back != "" {
			q.Cursor = l.PreviousCursor
		}
		l = f.query(t, q)
		if got := strings.Join(idsOf(l), " "); got != c.meets {
			t.Fatalf("page %d is %q, want %q", i, got, c.meets)
		}
	}
}

// opens checks whether a query takes a cursor, or for what it refuses it.
func (f *fixture) opens(what string, q Params, cursor, scimType string) {
	f.Helper()
	q.Cursor = cursor
	_, err := f.List(f.ctx, q)
	if e, _ := err.(*scim.Error); scimType == "" && err != nil || scimType != "" && (e == nil || e.Status != 400 || e.Type != scimType) {
		f.Errorf("%s, %q: %v, want %q", what, cursor, err, scimType)
	}
}

// letters need not be escaped in a URL.
const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// A cursor is for the query, the tenant and the time for which it was given.
func TestCursorsAreBound(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	now := time.Unix(1_800_000_000, 0)
	f.Now = func() time.Time { return now }
	f.newUsers(5)
	q := Params{Types: only(f.user), Count: 2}
	cursor := f.query(t, q).NextCursor
	if cursor == "" || strings.Trim(cursor, letters) != "" {
		t.Fatalf("%q has letters that must be escaped in a URL", cursor)
	}
	f.opens("as it was", q, cursor, "")
	other := q
	other.Count = 5
	f.opens("another count", other, cursor, "")
	other.Client = "another token"
	f.opens("another token of the tenant", other, cursor, "")
	other.Filter, _ = filter.Parse(`userName sw "m"`)
	f.opens("another filter", other, cursor, scim.InvalidCursor)
	other = q
	other.SortBy = filter.Attr{Name: "userName"}
	f.opens("another order", other, cursor, scim.InvalidCursor)
	other = q
	other.Types = only(f.group)
	f.opens("another type", other, cursor, scim.InvalidCursor)
	f.tenant("other").opens("another tenant", q, cursor, scim.InvalidCursor)
	f.Cursors.put("twin", f.Cursors.get("test"))
	f.tenant("twin").opens("another tenant with the same secret", q, cursor, scim.InvalidCursor)
	f.opens("nonsense", q, "\x00ü%", scim.InvalidCursor)
	again := f.over(f.Table) // another process
	again.Now = f.Now
	again.opens("another process", q, cursor, "")
	now = now.Add(PageTimeout)
	f.opens("too late", q, cursor, scim.ExpiredCursor)
}

// A cursor has one form: whatever of it is changed, cut off or put in, it is none.
func TestForgedCursors(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	q := Params{Types: only(f.user), Count: 2}
	l, err := f.newExecution(q)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 { // the last letter has no bits that mean nothing, or two, or four
		cursor, err := l.sealCursor(f.ctx, mark{OrderKey: strings.Repeat("u", 1+n)}, false)
		if err != nil {
			t.Fatal(err)
		}
		f.opens("as it was", q, cursor, "")
		for i := range len(cursor) {
			begin, end := cursor[:i], cursor[i+1:]
			for _, letter := range strings.Replace(letters, cursor[i:i+1], "", 1) {
				f.opens("forged", q, begin+string(letter)+end, scim.InvalidCursor)
			}
			if i > 0 {
				f.opens("cut", q, begin, scim.InvalidCursor)
			}
		}
		for i := range len(cursor) + 1 {
			for _, more := range []string{"\n", "\r", "=", " "} {
				f.opens("more", q, cursor[:i]+more+cursor[i:], scim.InvalidCursor)
			}
		}
	}
}

// Each tenant has a secret of its own, which stays with its items and is read once; of many processes that make it at
// once, all use one. Where it is slow to come, other tenants do not wait.
func TestEachTenantSealsItsCursors(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	asked, leave := make(chan bool), make(chan bool)
	var reads atomic.Int32
	in := f.over(tabletest.Faults{Table: f.Table, Before: func(c tabletest.Call) error {
		if c.Method == "Get" && c.Keys[0].PK == "slow#cursor" {
			asked <- true
			<-leave
		}
		if c.Method == "Get" {
			reads.Add(1)
		}
		return nil
	}})
	slow, done := in.tenant("slow"), make(chan error)
	go func() { _, err := slow.cursorAEAD(t.Context()); done <- err }()
	<-asked
	sealers := map[string]cipher.AEAD{}
	for _, tenant := range []string{"a", "b", "a#", "a"} {
		s, err := in.tenant(tenant).cursorAEAD(t.Context())
		if again := sealers[tenant]; err != nil || again != nil && again != s {
			t.Fatalf("%q: another secret, %v", tenant, err)
		}
		sealers[tenant] = s
	}
	if n := reads.Load(); n != 3 || len(f.dump()) != 3 {
		t.Errorf("%d reads of %d secrets, want 3 of 3", n, len(f.dump()))
	}
	leave <- true
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, err := range inParallel(8, func(int) error {
		s, err := f.over(f.Table).tenant("c").loadOrCreateCursorKey(t.Context())
		stands := []table.Condition{table.Equals("secret", table.S(s.EncodedKey))}
		return cmp.Or(err, f.Table.Write(t.Context(), table.ConditionCheck{Key: s.Key, If: stands}))
	}) {
		if err != nil {
			t.Errorf("a secret that is not the one in the table: %v", err)
		}
	}
	for n := range 3 * maxCachedCursorKeys {
		tenant := fmt.Sprint(n)
		f.Cursors.put(tenant, sealers["a"])
		if all, last := len(f.Cursors.aeads), f.Cursors.get(tenant); all > maxCachedCursorKeys || last == nil {
			t.Fatalf("%d tenants are remembered, and of the last one %v", all, last)
		}
	}
}
