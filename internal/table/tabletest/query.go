package tabletest

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"serverless-scim/internal/table"
)

func queryRules() []rule {
	return []rule{
		{"query order", "a Query returns items in the order of the bytes of their sort keys, or in reverse",
			checkOrder},
		{"query ranges", "a Query returns exactly the items of its Range after ExclusiveStart, in any number of pages",
			checkRanges},
		{"query attributes", "a Query returns only the named attributes, and an item without them as an empty one",
			checkAttributes},
		{"query pages", "a page has at most 1 MB of whole items, and only the last page has no LastEvaluatedKey",
			checkPages},
		{"query limit", "a page has at most Limit items", checkLimit},
	}
}

func sortKeys(items []table.Item) []string {
	keys := make([]string, len(items))
	for i, it := range items {
		keys[i] = it.Key().SK
	}
	return keys
}

func checkOrder(s *subject) {
	keys := []string{
		"\x00", "\x00a", " ", "#", "A", "B", "Z", "a", "a\x00", "a\x00b", "aa", "a\U0010ffff", "b", "z",
		"é", "\u0100", "\ufffd", "\U00010000", "\U0010ffff",
	}
	if !slices.IsSorted(keys) {
		s.Fatal("the keys of this test are not sorted")
	}
	var items []table.Item
	for _, sk := range keys {
		items = append(items, item(key("p", sk)), item(key("p\x00", sk)), item(key("p ", sk)))
	}
	s.put(items...)
	if got := sortKeys(s.query(table.Range{PK: "p"}).Items); !slices.Equal(got, keys) {
		s.Errorf("forward:\n got %+q\nwant %+q", got, keys)
	}
	slices.Reverse(keys)
	if got := sortKeys(s.query(table.Range{PK: "p", Backward: true}).Items); !slices.Equal(got, keys) {
		s.Errorf("backward:\n got %+q\nwant %+q", got, keys)
	}
}

// checkRanges compares random ranges with a filter over all sort keys. The keys contain no NUL, because begins_with of
// an emulator ends a prefix there.
func checkRanges(s *subject) {
	sk := rapid.StringOfN(rapid.RuneFrom([]rune("\x01a#b\u00ff\ufffd\U0010ffff")), 1, 4, -1)
	runs := 0
	rapid.Check(s.T, func(t *rapid.T) {
		runs++
		pk := fmt.Sprint("run ", runs, rapid.SampledFrom([]string{"", "\x00", "#"}).Draw(t, "PK"))
		all := rapid.SliceOfNDistinct(sk, 0, 30, rapid.ID).Draw(t, "keys")
		var items []table.Item
		for _, sk := range all {
			items = append(items, item(key(pk, sk)))
		}
		slices.Sort(all)
		s.put(items...)
		for range 5 {
			r := drawRange(t, pk, sk)
			got, _ := s.readRange(r)
			if want := expectedKeys(all, r); !slices.Equal(sortKeys(got), want) {
				t.Fatalf("%+v of %+q:\n got %+q\nwant %+q", r, all, sortKeys(got), want)
			}
		}
	})
}

func drawRange(t *rapid.T, pk string, sk *rapid.Generator[string]) table.Range {
	r := table.Range{PK: pk, Backward: rapid.Bool().Draw(t, "backward"), Limit: rapid.IntRange(0, 4).Draw(t, "limit")}
	start := ""
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 1:
		r.Prefix = sk.Draw(t, "prefix")
		start = r.Prefix + sk.Draw(t, "start")
	case 2:
		ends := []string{sk.Draw(t, "end"), sk.Draw(t, "end"), sk.Draw(t, "start")}
		slices.Sort(ends)
		r.From, start, r.To = ends[0], ends[1], ends[2]
	default:
		start = sk.Draw(t, "start")
	}
	if rapid.Bool().Draw(t, "has start") {
		r.ExclusiveStart = start
	}
	return r
}

// expectedKeys returns the keys of a range in the order of a Query. all is sorted.
func expectedKeys(all []string, r table.Range) []string {
	want := []string{}
	for _, sk := range all {
		inRange := strings.HasPrefix(sk, r.Prefix) && (r.To == "" || r.From <= sk && sk <= r.To)
		afterStart := r.ExclusiveStart == "" ||
			!r.Backward && sk > r.ExclusiveStart || r.Backward && sk < r.ExclusiveStart
		if inRange && afterStart {
			want = append(want, sk)
		}
	}
	if r.Backward {
		slices.Reverse(want)
	}
	return want
}

func checkAttributes(s *subject) {
	s.put(item(key("p", "1"), "a", "1", "name", 2, "set", []string{"x"}), item(key("p", "2"), "b", "2"),
		item(key("p", "3"), "name", 3))
	p := s.query(table.Range{PK: "p", Attributes: []string{"name", "set"}})
	want := []table.Item{{"name": value(2), "set": value([]string{"x"})}, {}, {"name": value(3)}}
	s.checkItems("name and set", p.Items, want)
	p = s.query(table.Range{PK: "p", Attributes: []string{"SK"}})
	s.checkItems("SK", p.Items, []table.Item{{"SK": value("1")}, {"SK": value("2")}, {"SK": value("3")}})
	for start, sk := "", 1; sk <= 3; sk++ {
		p := s.query(table.Range{PK: "p", Attributes: []string{"a"}, Limit: 1, ExclusiveStart: start})
		if len(p.Items) != 1 || p.LastEvaluatedKey != key("p", fmt.Sprint(sk)) && sk < 3 {
			s.Errorf("page %d: %d items, LastEvaluatedKey %q", sk, len(p.Items), p.LastEvaluatedKey)
		}
		start = p.LastEvaluatedKey.SK
	}
}

func checkPages(s *subject) {
	var want []table.Item
	for i := range 15 {
		want = append(want, ofSize(key("p", fmt.Sprintf("%02d", i)), 200_000))
	}
	for _, it := range want {
		s.put(it)
	}
	for _, backward := range []bool{false, true} {
		got, pages := s.readRange(table.Range{PK: "p", Backward: backward, Attributes: []string{"PK", "SK"}})
		if len(got) != len(want) || pages < 3 {
			s.Errorf("3 MB, backward %v: %d items in %d pages, want at least 3", backward, len(got), pages)
		}
	}
	got, _ := s.readRange(table.Range{PK: "p"})
	s.checkItems("read", got, want)
}

func checkLimit(s *subject) {
	for i := range 5 {
		s.put(item(key("p", fmt.Sprint(i))))
	}
	for limit, want := range []int{5, 1, 2, 3, 4, 5, 5} {
		p := s.query(table.Range{PK: "p", Limit: limit})
		if len(p.Items) != want {
			s.Errorf("limit %d: %d items, want %d", limit, len(p.Items), want)
		}
		if isLast := p.LastEvaluatedKey == (table.Key{}); isLast && want < 5 || !isLast && limit == 0 {
			s.Errorf("limit %d: LastEvaluatedKey %q", limit, p.LastEvaluatedKey)
		}
	}
	if got, pages := s.readRange(table.Range{PK: "p", Limit: 2, Prefix: "missing"}); len(got) > 0 || pages != 1 {
		s.Errorf("an empty range: %d items in %d pages", len(got), pages)
	}
}
