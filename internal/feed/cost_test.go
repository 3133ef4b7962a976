package feed_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/feed"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// readPage reads a page and what its response shows, as the server does.
func (f *fixture) readPage(ctx context.Context, cursor string, count int) feed.Page {
	f.Helper()
	page, err := f.reader().Read(ctx, cursor, count)
	f.must(err)
	withoutMembers, err := scim.NewProjection(f.Config.Store.Types.ResourceTypes, "", "members", nil)
	f.must(err)
	_, err = f.Render(ctx, page.States(), withoutMembers)
	f.must(err)
	return page
}

// A page of 100 changed users waits for three calls: of the log and its state, of the head items, and of the display names
// of their groups. The first page also waits for the end of the log and the list.
func TestRoundTripsOfPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // a virtual clock, so that calls overlap whenever they can
		f := newFixture(t)
		f.Configure(func(c *directory.Config) { c.Store.Limits = store.Limits{} })
		u := f.users(100)
		f.newGroup(u[:45]...)
		p := f.publisher()
		f.publish(p)
		_, cursor := f.readAll(f.reader(), "", 100)
		for i, id := range u {
			f.patch(f.User, id, fmt.Sprintf(`[{"op":"add","path":"nickName","value":"n%d"}]`, i))
		}
		f.publish(p)
		slow := &fixture{f.Over(directorytest.Slow(f.file, time.Millisecond)), f.file, f.ids}
		for name, c := range map[string]struct {
			cursor              string
			entries, roundTrips int
		}{"first page": {"", 100, 4}, "100 changes": {cursor, 100, 3}} {
			ctx, usage := table.WithUsage(t.Context())
			page := slow.readPage(ctx, c.cursor, 100)
			if u := usage(); len(page.Changes) != c.entries || u.RoundTrips > c.roundTrips {
				t.Errorf("%s: %d entries in %d round trips, want %d in %d", name, len(page.Changes), u.RoundTrips, c.entries, c.roundTrips)
			}
		}
	})
}

// The log takes a push of 10,000 members in at most 110 entries, and reading it costs at most 1.1 units per user.
func TestCostOfLargePush(t *testing.T) {
	t.Parallel()
	n, maxUnits := 10_000, 1.1
	if testing.Short() {
		n, maxUnits = 1000, 1.2 // the first page reads ahead
	}
	f := newFixture(t)
	f.Configure(func(c *directory.Config) {
		c.Store.Limits, c.Store.Embedded = store.Limits{}, true
		c.Store.Origin = store.Origin{Request: "8b2a6b1c-5f0e-4a39-9d0b-3f1f6a2f4c11", Token: "0123456789abcdef"}
	})
	users := f.NewUsers(n)
	f.Config.Store.Embedded = false
	p := f.publisher()
	f.publish(p)
	_, cursor := f.readAll(f.reader(), "", 1000)
	before := len(f.logItems())
	group := f.newGroup()
	f.patch(f.Group, group, `[{"op":"add","path":"members","value":`+directorytest.MembersJSON(users)+`}]`)
	ctx, usage := table.WithUsage(t.Context())
	f.Ctx = ctx
	f.publish(p)
	entries, writes := len(f.logItems())-before, usage()
	if entries > n*110/10_000 {
		t.Errorf("the log has %d entries for %d users", entries, n)
	}
	seen := map[string]bool{}
	ctx, usage = table.WithUsage(t.Context())
	for more := true; more; {
		page := f.readPage(ctx, cursor, 100)
		for _, e := range page.Changes {
			seen[e.ResourceID] = true
		}
		cursor, more = page.Cursor, page.More
	}
	units := usage().ReadUnits / float64(n)
	t.Logf("%d entries; per user, %.3f write units to append and %.3f read units to read", entries, writes.WriteUnits/float64(n), units)
	if len(seen) != n+1 || units > maxUnits {
		t.Errorf("a reader saw %d resources of %d, for %.3f units per user", len(seen), n+1, units)
	}
}
