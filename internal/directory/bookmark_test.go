package directory

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/table"
)

// A page far on is found from the nearest bookmark of this reader's, unless that has expired.
func TestBookmarks(t *testing.T) {
	t.Parallel()
	for name, kept := range map[string]*BookmarkCache{"in the table": nil, "in memory": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, memory(t))
			f.Bookmarks, f.InProcess = kept, kept != nil // as a process has them that uses a file alone
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
		q := Params{Types: only(f.user), StartIndex: index, Count: 10, Client: reader, Projection: projected(f, "userName")}
		l, err := f.List(ctx, q)
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

// What is wrong with a damaged bookmark is told.
func TestADamagedBookmark(t *testing.T) {
	t.Parallel()
	f := newFixture(t, memory(t))
	f.newUsers(5)
	f.Bookmarks = &BookmarkCache{}
	q := Params{Types: only(f.user), StartIndex: 3, Count: 2}
	l, err := f.newExecution(q)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		`{"f":1}`: "selection 1 of 1", `{"f":-1}`: "selection -1 of 1", `{"f":`: "unexpected EOF", `{"f":"x"}`: "cannot unmarshal",
	} {
		f.Bookmarks.put(bookmarkItem{Key: f.keys.Bookmark(l.fingerprint(""), 3), Position: text, ExpiresAt: math.MaxInt64})
		_, err := f.List(t.Context(), q)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// However many walks there are, and however long their marks, few bytes are kept, and the last bookmark of all is.
func TestBookmarksInMemoryAreBounded(t *testing.T) {
	t.Parallel()
	s := &BookmarkCache{}
	for i := range 60_000 {
		n := i / 2 % 7000 // each is kept again: at once, and when it is an old one
		k := Keys{"t"}.Bookmark(strconv.Itoa(n%3), n)
		s.put(bookmarkItem{Key: k, Total: i, Position: strings.Repeat("x", i%1000)})
		if got := s.floor(k); s.current.size+s.previous.size > maxBookmarkBytes || got.Total != i {
			t.Fatalf("%d bytes are kept; the nearest to %d is that of %d", s.current.size+s.previous.size, i, got.Total)
		}
	}
	for _, g := range []generation{s.current, s.previous} {
		for _, walk := range g.byPartition {
			for _, b := range walk {
				g.size -= b.size()
			}
		}
		if g.size != 0 {
			t.Errorf("%d bytes more are counted than are kept", g.size)
		}
	}
}

// A walk goes on where it was, whatever others have kept since its last page, up to half of what is kept in all.
func TestOthersBookmarksDoNotDisturbAWalk(t *testing.T) {
	t.Parallel()
	for what, before := range map[string]int{"an empty generation": 0, "one that is almost full": maxBookmarkBytes/2 - 1000} {
		f := newFixture(t, memory(t))
		f.InProcess, f.Bookmarks = true, &BookmarkCache{}
		users, kept := f.newUsers(50), 0
		others := func(size int) {
			for ; size > 1000; kept++ {
				b := bookmarkItem{Key: f.keys.Bookmark(strconv.Itoa(kept%100), kept), Position: strings.Repeat("x", 500)}
				f.Bookmarks.put(b)
				size -= b.size()
			}
		}
		others(before)
		q := Params{Types: only(f.user), StartIndex: 1, Count: 10}
		l := f.query(t, q)
		met := idsOf(l)
		for _, id := range users[2:5] {
			f.must(nil, f.Delete(f.ctx, f.user, id, nil))
		}
		for len(met) < l.TotalResults && len(l.Resources) > 0 {
			others(maxBookmarkBytes / 2)
			q.StartIndex = len(met) + 1
			l = f.query(t, q)
			met = append(met, idsOf(l)...)
		}
		if !slices.Equal(met, users) {
			t.Errorf("%s: the walk has met %d users, want all %d, each once", what, len(met), len(users))
		}
	}
}
