package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// Members that must be read to test groups count as resources that the request tests; by cursor it goes on behind them.
func TestMembersCountAsTested(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	users := f.newUsers(60)
	for i := range 40 {
		f.newGroup(fmt.Sprint("g", i), users...)
	}
	inner := f.newGroup("inner")
	last := f.newGroup("outer", inner)
	f.Config.Budget = 500
	q := Params{Types: only(f.group), Filter: parsed(t, `members.type eq "Group"`), StartIndex: 1, Count: 10}
	if _, err := f.List(f.ctx, q); status(err) != 400 {
		t.Errorf("to read 40 groups of 60 members within a budget of 500 is %v, want 400", err)
	}
	if there, back := f.byCursor(t, q); !slices.Equal(there, []string{last}) || !slices.Equal(back, there) {
		t.Errorf("by cursor there are %v, and back %v", there, back)
	}
}

// However an element of members is asked for by its value, its group's other members are not read.
func TestAnElementIsReadByItself(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	users := f.newUsers(300)
	g := f.newGroup("g", users...)
	for _, text := range []string{
		`members[value eq "` + users[7] + `" and type eq "User"]`, `members[type eq "User" and value eq "` + users[7] + `"]`,
		`members.value eq "` + users[7] + `" and displayName sw "g"`, `id eq "` + g + `" and not (members[value eq "` + g + `"])`,
	} {
		p, err := scim.NewProjection(only(f.group), "displayName", "")
		if err != nil {
			t.Fatal(err)
		}
		ctx, usage := table.WithUsage(f.ctx)
		l, err := f.List(ctx, Params{Types: only(f.group), Filter: parsed(t, text), StartIndex: 1, Count: 10, Projection: p})
		if err != nil || len(l.Resources) != 1 {
			t.Fatal(text, l, err)
		}
		if n := usage().ItemsRead; n > 10 {
			t.Errorf("%s: %d items are read", text, n)
		}
	}
}

// A group that has two names while it is renamed is tested once, and shown once.
func TestAGroupOfTwoNamesIsTestedOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	u, v := f.newUser("u"), f.newUser("v")
	g := f.newGroup("g1", u)
	f.newGroup("g2", v)
	stray := table.Put{Item: MarshalItem(NameItem{Key: f.keys.Name(f.group, "g0"), ResourceID: g})}
	if err := f.Table.Write(f.ctx, stray); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`displayName sw "g" and members.value eq "` + u + `"`, `displayName sw "g" and members.value ne "` + v + `"`,
		`displayName sw "g0" or displayName sw "g1"`} {
		if got := idsOf(f.find(f.group, text)); !slices.Equal(got, []string{g}) {
			t.Errorf("%s finds %v, want %s", text, got, g)
		}
	}
}

// A member that is latched is gone for every filter, though its edge may be there for a while.
func TestAMemberThatIsLatchedIsNobodys(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	h := f.newGroup("h")
	g := f.newGroup("g", h)
	latch := table.Item{"deleting": table.BOOL(true)}
	if err := f.Table.Write(f.ctx, table.Update{Key: f.keys.Head(f.group, h), Set: latch}); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`members.value eq "` + h + `"`, `displayName eq "g" and members.value eq "` + h + `"`, `members pr`, `members.type eq "Group"`,
		`displayName eq "g" and members[value eq "` + h + `"]`, `displayName eq "g" and members[value eq "` + h + `" and type eq "Group"]`,
		`displayName eq "g" and not (members.value ne "` + h + `")`,
	} {
		if got := idsOf(f.find(f.group, text)); len(got) > 0 {
			t.Errorf("%s finds %v", text, got)
		}
	}
	if got := idsOf(f.find(f.group, `members.value ne "`+h+`"`)); !slices.Equal(got, []string{g}) {
		t.Errorf("who does not have it is %v, want %s", got, g)
	}
}

// However many members a filter asks for, their reading is within the budget.
func TestManyMembersInAFilterCountAsTested(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	users := f.newUsers(150)
	for i := range 20 {
		f.newGroup(fmt.Sprint("g", i), users...)
	}
	f.Config.Budget = 500
	q := Params{Types: only(f.group), StartIndex: 1, Count: 10,
		Filter: parsed(t, `members eq "`+strings.Join(users[:120], `" or members eq "`)+`"`)}
	if _, err := f.List(f.ctx, q); status(err) != 400 {
		t.Errorf("to read 20 groups of 150 members within a budget of 500 is %v, want 400", err)
	}
	if there, _ := f.byCursor(t, q); len(there) != 20 {
		t.Errorf("by cursor there are %d groups, want 20", len(there))
	}
}

// Groups whose heads are as large as they can be are read with edges in as many transactions as that takes.
func TestLargeHeadsAreReadWithEdges(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	u := f.newUser("u")
	for i := range 60 {
		g := f.newGroup(fmt.Sprintf("g%02d", i), u)
		filler := table.Item{"filler": table.S(strings.Repeat("x", 104<<10))} // 64 KB of a document, and 1,500 groups
		if err := f.Table.Write(f.ctx, table.Update{Key: f.keys.Head(f.group, g), Set: filler}); err != nil {
			t.Fatal(err)
		}
	}
	if l := f.find(f.group, `displayName sw "g" and not (members.value ne "`+u+`")`); l.TotalResults != 60 {
		t.Errorf("%d groups, want 60", l.TotalResults)
	}
}

// A group that changes between its test and its answer is tested again.
func TestWhatChangesAfterItsTestIsTestedAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	u := f.newUser("u")
	g := f.newGroup("g", u, f.newUser("v"))
	in := f.before("Query", g, func() {
		f.must(f.patch(f.group, g, `[{"op":"remove","path":"members[value eq \"`+u+`\"]"}]`))
	})
	if l := in.query(t, Params{Types: only(f.group), Filter: parsed(t, `members.value eq "`+u+`"`), StartIndex: 1, Count: 10}); len(l.Resources) != 0 {
		t.Errorf("it has %v, and not the member that is asked for", values(l.Resources[0], "members"))
	}
}

// A page is as long as an answer may be, in the way that Lambda counts: with what is escaped in JSON escaped once more.
func TestPagesAreCut(t *testing.T) {
	t.Parallel()
	for what, title := range map[string]string{"letters": strings.Repeat("x", 60_000), "quotes": strings.Repeat(`"`, 30_000)} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, memory(t))
			var users []string
			for i := range 120 {
				users = append(users, f.must(f.Create(f.ctx, f.user, scim.Object{"userName": fmt.Sprint(i), "title": title}, scim.Projection{})).ID())
			}
			slices.Sort(users)
			for _, q := range []Params{{Types: only(f.user), StartIndex: 1, Count: 100}, {Types: only(f.user), Count: 100}} {
				var met []string
				for more := true; more; {
					l := f.query(t, q)
					size := 0
					for _, r := range l.Resources {
						b, err := r.AppendJSON(nil, q.Projection)
						if err != nil {
							t.Fatal(err)
						}
						size += len(b) + strings.Count(string(b), `"`) + strings.Count(string(b), `\`)
					}
					if size > 6<<20-16<<10 || len(l.Resources) == 0 {
						t.Fatalf("a page of %d resources has %d bytes", len(l.Resources), size)
					}
					met, more = append(met, idsOf(l)...), following(&q, l)
				}
				if !slices.Equal(met, users) {
					t.Errorf("%d users are met, want %d once", len(met), len(users))
				}
			}
		})
	}
}

// Near the deadline a walk ends: with what it has by cursor, and otherwise with a refusal, which is told rather than
// tried again.
func TestWalksEndBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	f.newUsers(20)
	q := Params{Types: only(f.user), Filter: parsed(t, `userName ew "9"`), StartIndex: 1, Count: 10, Projection: projected(f, "userName")}
	ctx, cancel := context.WithTimeout(f.ctx, deadlineReserve-time.Second)
	defer cancel()
	_, err := f.List(ctx, q)
	if e, _ := errors.AsType[*scim.Error](err); e == nil || e.Type != scim.TooMany {
		t.Errorf("by index it is %v, want tooMany", err)
	}
	jump := Params{Types: only(f.user), StartIndex: 15, Count: 10}
	if _, err = f.List(ctx, jump); status(err) != 400 {
		t.Errorf("a jump is %v, want 400", err)
	}
	q.StartIndex = 0
	if l, err := f.List(ctx, q); err != nil || l.NextCursor == "" {
		t.Errorf("by cursor it is %v, %v, want a page with a next one", l, err)
	}
}

// However far an index is, what is counted on the way there is held a part at a time.
func TestAFarIndexIsReachedInStrides(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	f.newUsers(skipBatch + 100)
	asked := 0
	in := f.over(limits{f.Table, &asked})
	in.InProcess = true // one call after the other
	if l := in.query(t, Params{Types: only(f.user), StartIndex: 1 << 30, Count: 10}); l.TotalResults != skipBatch+100 || len(l.Resources) > 0 {
		t.Errorf("%d of %d users", len(l.Resources), l.TotalResults)
	}
	if asked == 0 || asked > skipBatch {
		t.Errorf("%d keys are asked for at once, want at most %d", asked, skipBatch)
	}
}

// limits notes the largest limit of a Query.
type limits struct {
	table.Table
	most *int
}

func (l limits) Query(ctx context.Context, r table.Range) (table.Page, error) {
	*l.most = max(*l.most, r.Limit)
	return l.Table.Query(ctx, r)
}
