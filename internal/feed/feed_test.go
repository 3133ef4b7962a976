package feed_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/feed"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

func isActive(context.Context, string) (bool, error) { return true, nil }

func (f *fixture) publisher(sinks ...feed.Sink) *feed.Publisher {
	return &feed.Publisher{Store: f.Config.Store, IsActive: isActive, Sinks: sinks}
}

// publish publishes all records of the stream.
func (f *fixture) publish(p *feed.Publisher) (total feed.Result) {
	f.Helper()
	for more := 1; more > 0; {
		n, err := f.file.Receive(f.Ctx, func(ctx context.Context, records []table.Record) error {
			r, err := p.Publish(ctx, records)
			total.Changes, total.Duplicates, total.Skipped = total.Changes+r.Changes, total.Duplicates+r.Duplicates, total.Skipped+r.Skipped
			return err
		})
		f.must(err)
		more = n
	}
	return total
}

// reader returns a reader of the tenant of f.
func (f *fixture) reader(types ...*scim.ResourceType) *feed.Reader {
	if len(types) == 0 {
		types = f.Config.Store.Types.ResourceTypes
	}
	return feed.NewReader(f.Config.Store, "test", types)
}

// readAll reads pages until there are no more, and returns their entries and the last cursor.
func (f *fixture) readAll(r *feed.Reader, cursor string, count int) (entries []feed.ResourceChange, next string) {
	f.Helper()
	for {
		page, err := r.Read(f.Ctx, cursor, count)
		f.must(err)
		if len(page.Changes) > count {
			f.Errorf("a page has %d entries, more than %d", len(page.Changes), count)
		}
		entries = append(entries, page.Changes...)
		if cursor = page.Cursor; !page.More {
			return entries, cursor
		}
	}
}

// logItems returns the entries of the log of the tenant of f.
func (f *fixture) logItems() []table.Item {
	f.Helper()
	var items []table.Item
	for r := (table.Range{PK: "test#changes", From: "0", To: "9999999999999999"}); ; {
		page, err := f.file.Query(f.Ctx, r)
		f.must(err)
		items = append(items, page.Items...)
		if r.ExclusiveStart = page.LastEvaluatedKey.SK; r.ExclusiveStart == "" {
			return items
		}
	}
}

// A page shows each resource once, with all its changes, and in its current state.
func TestPageShowsEachResourceOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.NewUser("before")
	f.publish(f.publisher())
	listed, cursor := f.readAll(f.reader(), "", 1)
	if len(listed) != 1 || listed[0].Types()[0] != "user.listed" || listed[0].Events(true)[0] != feed.FeedAdd {
		t.Fatalf("the list is %+v", listed)
	}
	u, g := f.users(1)[0], f.newGroup()
	f.patch(f.Group, g, `[{"op":"add","path":"members","value":[{"value":"`+u+`"}]}]`)
	f.patch(f.User, u, `[{"op":"replace","value":{"active":false}}]`)
	f.patch(f.Group, g, `[{"op":"remove","path":"members"}]`)
	gone := f.NewUser("gone")
	f.must(f.Delete(f.Ctx, f.User, gone, nil))
	f.publish(f.publisher())
	entries, _ := f.readAll(f.reader(), cursor, 100)
	got := map[string]string{}
	for _, e := range entries {
		got[f.name(e.ResourceID)] = fmt.Sprint(e.Types(), e.Attributes, e.Joined, e.Left, e.State.Head != nil)
	}
	for name, want := range map[string]string{
		"u1": "[user.created user.deactivated user.updated user.groups_changed] [active groups] [] [] true",
		"g":  "[group.created group.members_changed] [members] [] [] true",
		"x":  "[user.deleted] [] [] [] false",
	} {
		if got[name] != want {
			t.Errorf("%s: got %s, want %s", name, got[name], want)
		}
	}
	users, _ := f.readAll(f.reader(f.User), "", 100)
	if len(users) != 2 {
		t.Errorf("a reader of users lists %d", len(users))
	}
}

func cursorError(err error) string {
	if e := (*scim.Error)(nil); errors.As(err, &e) && e.Status == 400 {
		return e.Type
	}
	return fmt.Sprint(err)
}

// A cursor is valid only as the server has returned it, for the same tenant and the same types.
func TestOtherCursorsAreInvalid(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.users(3)
	_, end := f.readAll(f.reader(), "", 100)
	first, err := f.reader().Read(t.Context(), "", 1)
	f.must(err)
	for name, c := range map[string]struct {
		reader *feed.Reader
		cursor string
	}{
		"other tenant":     {feed.NewReader(f.Config.Store, "other", f.Config.Store.Types.ResourceTypes), end},
		"other types":      {f.reader(f.User), end},
		"text":             {f.reader(), "x"},
		"not base64":       {f.reader(), "%%%"},
		"shortened":        {f.reader(), end[:len(end)-4]},
		"changed":          {f.reader(), "A" + first.Cursor[1:]},
		"two concatenated": {f.reader(), end + end},
	} {
		if _, err := c.reader.Read(t.Context(), c.cursor, 10); cursorError(err) != scim.InvalidCursor {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A reader must begin again if the log no longer has what follows its cursor.
func TestExpiredCursors(t *testing.T) {
	t.Parallel()
	for name, happens := range map[string]func(f *fixture){
		"the next entry has expired": func(f *fixture) {
			f.NewUser("a")
			f.publish(f.publisher())
			next := f.logItems()[1].Key()
			f.NewUser("b")
			f.publish(f.publisher())
			f.must(f.file.Write(f.Ctx, table.Delete{Key: next}))
		},
		"the whole log has expired": func(f *fixture) {
			f.must(f.file.Write(f.Ctx, table.Delete{Key: f.logItems()[0].Key()}))
		},
		"the log was reset":        func(f *fixture) { f.must(feed.Reset(f.Ctx, f.Config.Store, "test")) },
		"the log has a bad record": func(f *fixture) { f.NewUser("a"); f.publish(f.publisher()); f.damageLastEntry() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			_, cursor := f.readAll(f.reader(), "", 100)
			happens(f)
			if _, err := f.reader().Read(t.Context(), cursor, 10); cursorError(err) != scim.ExpiredCursor {
				t.Errorf("%v, want expiredCursor", err)
			}
			f.NewUser("later")
			f.publish(f.publisher())
			_, cursor = f.readAll(f.reader(), "", 100)
			f.NewUser("last")
			f.publish(f.publisher())
			if entries, _ := f.readAll(f.reader(), cursor, 100); len(entries) != 1 {
				t.Errorf("a reader that begins again reads %d changes, want 1", len(entries))
			}
		})
	}
}

func (f *fixture) damageLastEntry() {
	items := f.logItems()
	f.must(f.file.Write(f.Ctx, table.Update{Key: items[len(items)-1].Key(), Set: table.Item{"changes": table.S("{")}}))
}

// A log is renewed after 30 days without changes, so that its last entry never expires.
func TestRenew(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	now := time.Now()
	f.Configure(func(c *directory.Config) { c.Store.Now = func() time.Time { return now } })
	renew := func(days, want int) {
		t.Helper()
		now = now.Add(time.Duration(days) * 24 * time.Hour)
		f.must(feed.Renew(f.Ctx, f.Config.Store, "test"))
		if n := len(f.logItems()); n != want {
			t.Errorf("after %d days, the log has %d entries, want %d", days, n, want)
		}
	}
	renew(31, 0) // there is no log
	_, cursor := f.readAll(f.reader(), "", 100)
	renew(29, 1)
	renew(2, 2)
	renew(1, 2)
	if entries, _ := f.readAll(f.reader(), cursor, 100); len(entries) != 0 {
		t.Errorf("a renewed log has changes: %v", entries)
	}
}

// A record that cannot be decoded is logged, counted, and skipped. Those before and after it are published.
func TestBadRecordsAreSkipped(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var log bytes.Buffer
	f.Configure(func(c *directory.Config) { c.Store.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	u := f.users(3)
	k := f.Store.Keys.Head(f.User, u[1])
	f.must(f.file.Write(f.Ctx, table.Update{Key: k, Set: table.Item{"doc": table.S("secret")}, Add: table.Item{"ver": table.N(1)}}))
	f.patch(f.User, u[2], `[{"op":"add","path":"nickName","value":"n"}]`)
	if r := f.publish(f.publisher()); r.Changes != 4 || r.Skipped != 1 {
		t.Errorf("%+v, want 4 changes and 1 skipped record", r)
	}
	if text := log.String(); strings.Count(text, "stream record skipped") != 1 || !strings.Contains(text, k.PK) || strings.Contains(text, "secret") {
		t.Errorf("the log is %s", text)
	}
}

// A corrupt head item does not stop a reader. It is left out, and not reported as deleted.
func TestCorruptResourcesAreLeftOut(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	u := f.users(3)
	_, cursor := f.readAll(f.reader(), "", 100)
	for _, id := range u {
		f.patch(f.User, id, `[{"op":"add","path":"nickName","value":"n"}]`)
	}
	f.publish(f.publisher())
	f.must(f.file.Write(f.Ctx, table.Update{Key: f.Store.Keys.Head(f.User, u[1]), Set: table.Item{"created": table.N(1)}}))
	for name, from := range map[string]string{"list": "", "log": cursor} {
		changes, _ := f.readAll(f.reader(), from, 100)
		for _, c := range changes {
			if c.ResourceID == u[1] || c.Has(feed.Deleted) {
				t.Errorf("%s: %+v", name, c)
			}
		}
		if name == "list" && len(changes) < 2 || name == "log" && len(changes) != 2 {
			t.Errorf("%s: %d changes", name, len(changes))
		}
	}
}

// The items of a deleted tenant are removed one by one, which is no change of its resources.
func TestChangesOfDeletedTenantsAreDropped(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.users(2)
	p := f.publisher(func(context.Context, string, []feed.ResourceChange) error { return errors.New("must not be called") })
	p.IsActive = func(_ context.Context, tenant string) (bool, error) { return tenant != "test", nil }
	if r := f.publish(p); r.Changes != 0 || len(f.logItems()) != 0 {
		t.Errorf("%+v, and %d entries", r, len(f.logItems()))
	}
}

// A batch that is delivered again is recognized in the log, and passed to the sinks again, with the same IDs.
func TestRedeliveryIsRecognized(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.users(3)
	var ids []string
	refuse := true
	sink := func(_ context.Context, tenant string, entries []feed.ResourceChange) error {
		for _, e := range entries {
			ids = append(ids, e.EventID(tenant))
		}
		if refuse {
			return &table.TransientError{Err: errors.New("refused")}
		}
		return nil
	}
	p := f.publisher(sink)
	var r feed.Result
	for _, refuse = range []bool{true, false} {
		_, err := f.file.Receive(f.Ctx, func(ctx context.Context, records []table.Record) (err error) {
			r, err = p.Publish(ctx, records)
			return err
		})
		if (err != nil) != refuse {
			t.Fatalf("refused %t: %v", refuse, err)
		}
	}
	if len(f.logItems()) != 1 || r.Changes != 0 || r.Duplicates != 3 {
		t.Errorf("%d entries and %+v, want 1 entry and 3 duplicates", len(f.logItems()), r)
	}
	if len(ids) != 6 || !slices.Equal(ids[:3], ids[3:]) || ids[0] == ids[1] {
		t.Errorf("the IDs of the events are %v", ids)
	}
}

// The log has the changes of each resource in the order of their versions, and all of them, although 32 writers and the
// publisher run at the same time.
func TestLogKeepsOrderOfConcurrentWriters(t *testing.T) {
	t.Parallel()
	const writers, writes = 32, 1000
	f := newFixture(t)
	u := f.users(10)
	p := f.publisher()
	var done atomic.Bool
	var g, publishing errgroup.Group
	publishing.Go(func() error {
		for last := false; !last; {
			last = done.Load()
			f.publish(p)
		}
		return nil
	})
	for w := range writers {
		g.Go(func() error {
			for n := range writes {
				k := f.Store.Keys.Head(f.User, u[(w+n)%len(u)])
				if err := f.file.Write(f.Ctx, table.Update{Key: k, Add: table.Item{"ver": table.N(1)}}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	f.must(g.Wait())
	done.Store(true)
	f.must(publishing.Wait())
	versions := map[string]int64{}
	for _, it := range f.logItems() {
		var changes []feed.Change
		f.must(json.Unmarshal([]byte(table.StringValue(it["changes"])), &changes))
		for _, c := range changes {
			if c.Version != versions[c.ResourceID]+1 {
				t.Errorf("%s: version %d follows %d", c.ResourceID, c.Version, versions[c.ResourceID])
			}
			versions[c.ResourceID] = c.Version
		}
	}
	for _, id := range u {
		if want := int64(1 + writers*writes/len(u)); versions[id] != want {
			t.Errorf("the log of %s ends with version %d, want %d", id, versions[id], want)
		}
	}
}
