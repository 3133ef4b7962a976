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
		{"query order", "a partition is read in the order of the bytes of its sort keys, or the reverse", checkOrder},
		{"query parts", "a Range is a partition, a prefix or an interval with both its ends, behind After, in pages", checkParts},
		{"query attributes", "a Query reads the attributes it names alone; an item without any still counts", checkAttributes},
		{"query pages", "a page holds 1 MB at most, and Next goes on where it ends until it is the zero Key", checkPages},
		{"query limit", "a page holds no more than Limit items", checkLimit},
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

// checkParts compares random ranges with a filter over the sorted list of all sort keys. There is no NUL among them,
// because begins_with of an emulator ends a prefix there.
func checkParts(s *subject) {
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
			got, _ := s.walk(r)
			if want := expected(all, r); !slices.Equal(sortKeys(got), want) {
				t.Fatalf("%+v of %+q:\n got %+q\nwant %+q", r, all, sortKeys(got), want)
			}
		}
	})
}

func drawRange(t *rapid.T, pk string, sk *rapid.Generator[string]) table.Range {
	r := table.Range{PK: pk, Backward: rapid.Bool().Draw(t, "backward"), Limit: rapid.IntRange(0, 4).Draw(t, "limit")}
	after := ""
	switch rapid.IntRange(0, 2).Draw(t, "part") {
	case 1:
		r.Prefix = sk.Draw(t, "prefix")
		after = r.Prefix + sk.Draw(t, "after")
	case 2:
		ends := []string{sk.Draw(t, "end"), sk.Draw(t, "end"), sk.Draw(t, "after")}
		slices.Sort(ends)
		r.From, after, r.To = ends[0], ends[1], ends[2]
	default:
		after = sk.Draw(t, "after")
	}
	if rapid.Bool().Draw(t, "goes on") {
		r.ExclusiveStart = after
	}
	return r
}

func expected(all []string, r table.Range) []string {
	want := []string{}
	for _, sk := range all {
		inside := strings.HasPrefix(sk, r.Prefix) && (r.To == "" || r.From <= sk && sk <= r.To)
		behind := r.ExclusiveStart == "" || sk > r.ExclusiveStart && !r.Backward || sk < r.ExclusiveStart && r.Backward
		if inside && behind {
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
	s.same("name and set", p.Items, want)
	p = s.query(table.Range{PK: "p", Attributes: []string{"SK"}})
	s.same("SK", p.Items, []table.Item{{"SK": value("1")}, {"SK": value("2")}, {"SK": value("3")}})
	for after, sk := "", 1; sk <= 3; sk++ {
		p := s.query(table.Range{PK: "p", Attributes: []string{"a"}, Limit: 1, ExclusiveStart: after})
		if len(p.Items) != 1 || p.LastEvaluatedKey != key("p", fmt.Sprint(sk)) && sk < 3 {
			s.Errorf("page %d: %d items, next %q", sk, len(p.Items), p.LastEvaluatedKey)
		}
		after = p.LastEvaluatedKey.SK
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
		got, pages := s.walk(table.Range{PK: "p", Backward: backward, Attributes: []string{"PK", "SK"}})
		if len(got) != len(want) || pages < 3 {
			s.Errorf("3 MB, backward %v: %d items in %d pages; what is not read counts, too", backward, len(got), pages)
		}
	}
	got, _ := s.walk(table.Range{PK: "p"})
	s.same("walked", got, want)
}

func checkLimit(s *subject) {
	for i := range 5 {
		s.put(item(key("p", fmt.Sprint(i))))
	}
	for limit, want := range []int{5, 1, 2, 3, 4, 5, 5} {
		p := s.query(table.Range{PK: "p", Limit: limit})
		if len(p.Items) != want {
			s.Errorf("limit %d: %d items", limit, len(p.Items))
		}
		if ended := p.LastEvaluatedKey == (table.Key{}); ended && want < 5 || !ended && limit == 0 {
			s.Errorf("limit %d: next %q", limit, p.LastEvaluatedKey)
		}
	}
	if got, pages := s.walk(table.Range{PK: "p", Limit: 2, Prefix: "none"}); len(got) > 0 || pages != 1 {
		s.Errorf("an empty range: %d items in %d pages", len(got), pages)
	}
}
