package directory

import (
	"strconv"
	"testing"
	"time"

	"serverless-scim/internal/table"
)

// A page far on is found from the nearest bookmark of this reader's, unless that has expired.
func TestBookmarks(t *testing.T) {
	t.Parallel()
	for name, kept := range map[string]*Bookmarks{"in the table": nil, "in memory": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, memory(t))
			f.Bookmarks, f.Near = kept, kept != nil // as a process has them that uses a file alone
			testBookmarks(t, f)
		})
	}
}

func testBookmarks(t *testing.T, f *fixture) {
	now := time.Unix(1_800_000_000, 0)
	f.Now = func() time.Time { return now }
	users := f.newUsers(50)
	page := func(reader string, index int) (string, int) {
		ctx, usage := table.WithUsage(t.Context())
		q := Query{Types: only(f.user), StartIndex: index, Count: 10, Reader: reader, Projection: projected(f, "userName")}
		l, err := f.Query(ctx, q)
		if err != nil || len(l.Resources) == 0 {
			t.Fatal(l, err)
		}
		return l.Resources[0].ID(), usage().ItemsRead
	}
	_, first := page("a", 1)
	page("a", 11)
	for _, c := range []struct {
		what, reader string
		index, more  int // items read beside those of the first page
	}{
		{"in order", "a", 21, 1}, {"again", "a", 21, 1}, {"a jump", "a", 36, 6}, {"another reader", "b", 21, 20},
	} {
		if f.Bookmarks != nil && c.reader == "a" {
			c.more-- // the bookmark itself is not read
		}
		if id, read := page(c.reader, c.index); id != users[c.index-1] || read-first != c.more {
			t.Errorf("%s: %d items more than page 1, want %d; begins with %s, want %s", c.what, read-first, c.more, id, users[c.index-1])
		}
	}
	for _, id := range []string{users[3], users[4]} { // what has been seen goes: nobody else is left out
		if err := f.Delete(t.Context(), f.user, id, nil); err != nil {
			t.Fatal(err)
		}
	}
	if id, _ := page("a", 31); id != users[30] {
		t.Errorf("the walk goes on at %s, want %s", id, users[30])
	}
	now = now.Add(PageTimeout)
	if id, read := page("a", 31); id != users[32] || read-first < 30 {
		t.Errorf("expired bookmarks count for nothing: %d items more, at %s, want 30 at %s", read-first, id, users[32])
	}
}

// However many walks there are, few bookmarks are kept, and the last of all is.
func TestBookmarksInMemoryAreBounded(t *testing.T) {
	t.Parallel()
	s := &Bookmarks{}
	for i := range maxBookmarks + 2 {
		k := keys{"t"}.bookmark(strconv.Itoa(i%3), i)
		s.keep(bookmark{Key: k, Total: i})
		if got := s.nearest(k); s.n > maxBookmarks || got.Total != i {
			t.Fatalf("%d are kept; the nearest to %d is that of %d", s.n, i, got.Total)
		}
	}
}
