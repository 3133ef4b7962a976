package query_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/query"
	"serverless-scim/internal/table"
)

// keepBookmarksInMemory configures the fixture for an embedded table, and returns the cache.
func keepBookmarksInMemory(f *directorytest.Fixture) *query.Cache {
	c := &query.Cache{}
	f.Configure(func(config *directory.Config) { config.Store.Embedded, config.Query.Cache = true, c })
	return c
}

func TestPagesBeginAtTheNearestBookmark(t *testing.T) {
	t.Parallel()
	for name, inMemory := range map[string]bool{"in the table": false, "in memory": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := directorytest.New(t, directorytest.NewTable(t))
			if inMemory {
				keepBookmarksInMemory(f)
			}
			testNearestBookmark(t, f)
		})
	}
}

func testNearestBookmark(t *testing.T, f *directorytest.Fixture) {
	now := time.Unix(1_800_000_000, 0)
	f.Configure(func(c *directory.Config) { c.Store.Now = func() time.Time { return now } })
	users := f.NewUsers(50)
	readPage := func(client string, index int) (firstID string, itemsRead int) {
		t.Helper()
		ctx, usage := table.WithUsage(t.Context())
		p := directory.ListParams{Types: directorytest.Only(f.User), StartIndex: index, Count: 10, Client: client,
			Projection: selectAttributes(f, "userName")}
		l, err := f.List(ctx, p)
		if err != nil || len(l.Resources) == 0 {
			t.Fatal(l, err)
		}
		return l.Resources[0].ID(), usage().ItemsRead
	}
	_, firstPage := readPage("a", 1)
	readPage("a", 11)
	for _, c := range []struct {
		name, client string
		index, more  int // items read in addition to those of the first page
	}{
		{"the next page", "a", 21, 1}, {"the same page again", "a", 21, 1}, {"a jump", "a", 36, 6},
		{"another client", "b", 21, 20},
	} {
		if f.Config.Store.Embedded && c.client == "a" {
			c.more-- // the bookmark is not an item
		}
		if id, read := readPage(c.client, c.index); id != users[c.index-1] || read-firstPage != c.more {
			t.Errorf("%s: %d items more than page 1, want %d; it begins with %s, want %s", c.name, read-firstPage, c.more, id,
				users[c.index-1])
		}
	}
	for _, id := range []string{users[3], users[4]} { // deletes on earlier pages do not move the walk
		if err := f.Delete(t.Context(), f.User, id, nil); err != nil {
			t.Fatal(err)
		}
	}
	if id, _ := readPage("a", 31); id != users[30] {
		t.Errorf("the walk continues with %s, want %s", id, users[30])
	}
	now = now.Add(query.PageTimeout)
	if id, read := readPage("a", 31); id != users[32] || read-firstPage < 30 {
		t.Errorf("after the bookmarks expire: %d items more, want at least 30; the page begins with %s, want %s",
			read-firstPage, id, users[32])
	}
}

func TestErrorsDescribeCorruptBookmarks(t *testing.T) {
	t.Parallel()
	f := directorytest.New(t, directorytest.NewTable(t))
	f.NewUsers(5)
	cache := keepBookmarksInMemory(f)
	p := directory.ListParams{Types: directorytest.Only(f.User), StartIndex: 3, Count: 2}
	key, err := newEngine(f).BookmarkKey(queryParams(p))
	if err != nil {
		t.Fatal(err)
	}
	for position, want := range map[string]string{
		`{"f":1}`: "subquery 1 of 1", `{"f":-1}`: "subquery -1 of 1", `{"f":`: "unexpected EOF",
		`{"f":"x"}`: "cannot unmarshal",
	} {
		cache.PutBookmark(key, position)
		_, err := f.List(t.Context(), p)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s: %v, want %q", position, err, want)
		}
	}
}

// Between two pages of a walk, other walks may leave bookmarks of up to half the size of the cache.
func TestOtherWalksDoNotDropTheBookmarksOfAWalk(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]int{
		"an empty generation": 0, "a generation that is almost full": query.MaxBookmarkBytes/2 - 1000,
	} {
		f := directorytest.New(t, directorytest.NewTable(t))
		cache := keepBookmarksInMemory(f)
		users, otherBookmarks := f.NewUsers(50), 0
		addOtherBookmarks := func(size int) {
			for ; size > 1000; otherBookmarks++ {
				key := f.Store.Keys.Bookmark(strconv.Itoa(otherBookmarks%100), otherBookmarks)
				size -= cache.PutBookmark(key, strings.Repeat("x", 500))
			}
		}
		addOtherBookmarks(before)
		p := directory.ListParams{Types: directorytest.Only(f.User), StartIndex: 1, Count: 10}
		l := list(t, f, p)
		listed := directorytest.IDs(l)
		for _, id := range users[2:5] {
			f.Must(nil, f.Delete(f.Ctx, f.User, id, nil))
		}
		for len(listed) < l.TotalResults && len(l.Resources) > 0 {
			addOtherBookmarks(query.MaxBookmarkBytes / 2)
			p.StartIndex = len(listed) + 1
			l = list(t, f, p)
			listed = append(listed, directorytest.IDs(l)...)
		}
		if !slices.Equal(listed, users) {
			t.Errorf("%s: the walk returned %d users, want all %d, each once", name, len(listed), len(users))
		}
	}
}
