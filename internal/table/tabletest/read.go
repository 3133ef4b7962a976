package tabletest

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/table"
)

func readRules() []rule {
	return []rule{
		{"get", "Get returns the items that exist, with all attributes, and leaves out missing ones", checkGet},
		{"get attributes", "Get returns only the named attributes; an item without any of them is returned empty",
			checkGetAttributes},
		{"get many", "Get accepts any number of keys, including none", checkGetMany},
		{"types", "values of the types S, N, SS and BOOL are read as they were written, and sets are sorted",
			checkTypes},
		{"snapshot", "Snapshot returns the items that exist, and leaves out missing ones", checkSnapshot},
		{"hostile keys", "different keys identify different items, and partitions are separate, for all characters",
			checkHostileKeys},
		{"ended context", "if the context has ended, even if only by the wall clock, a call returns *TransientError",
			checkEndedContext},
		{"scan", "the pages of a Scan contain every item exactly once", checkScan},
		{"scan large", "a Scan continues from the LastEvaluatedKey of each page, until that is the zero Key",
			checkScanLarge},
	}
}

func checkGet(s *subject) {
	a, b := item(key("p", "a"), "x", "1"), item(key("p", "b"), "x", "2", "n", 3)
	s.put(a, b, item(key("p", "c")))
	s.checkStored(key("p", "a"), a)
	s.checkStored(key("p", "missing"), nil)
	s.checkStored(key("missing", "a"), nil)
	got, err := s.Get(s.ctx, nil, key("p", "missing"), key("p", "b"), key("q", "a"), key("p", "a"))
	if err != nil {
		s.Fatal(err)
	}
	s.checkItems("got", got, []table.Item{a, b})
}

func checkGetAttributes(s *subject) {
	all, some, none := key("p", "all"), key("p", "some"), key("q", "none")
	s.put(item(all, "name", 1, "with.dot", "x", "set", []string{"b", "a"}, "other", 2),
		item(some, "name", 3), item(none, "other", 4))
	for _, t := range []struct {
		keys []table.Key
		want []table.Item
	}{
		{[]table.Key{all}, []table.Item{{"name": value(1), "with.dot": value("x"), "set": value([]string{"a", "b"})}}},
		{[]table.Key{none}, []table.Item{{}}},
		{[]table.Key{key("p", "missing")}, nil},
		{[]table.Key{some, none, key("p", "missing")}, []table.Item{{"name": value(3)}, {}}},
	} {
		got, err := s.Get(s.ctx, []string{"name", "with.dot", "set", "PKs"}, t.keys...)
		if err != nil {
			s.Fatal(err)
		}
		s.checkItems(fmt.Sprint(t.keys), got, t.want)
	}
	got, err := s.Get(s.ctx, []string{"SK", "PK"}, all, none)
	if err != nil {
		s.Fatal(err)
	}
	s.checkItems("keys", got, []table.Item{item(all), item(none)})
}

func checkGetMany(s *subject) {
	var want []table.Item
	var keys []table.Key
	for i := range 250 {
		it := item(key(fmt.Sprint("p", i%7), fmt.Sprint(i)), "i", i)
		want, keys = append(want, it), append(keys, it.Key(), key("missing", fmt.Sprint(i)))
	}
	s.put(want...)
	got, err := s.Get(s.ctx, nil, keys...)
	if err != nil {
		s.Fatal(err)
	}
	s.checkItems("500 keys, of which 250 exist", got, want)
	if got, err := s.Get(s.ctx, nil); err != nil || len(got) > 0 {
		s.Errorf("no keys: %v, %v", got, err)
	}
}

func checkTypes(s *subject) {
	it := item(key("p", "types"), "empty", "", "text", "\x00\"\\ \u2028 é e\u0301 \U0010ffff",
		"long", strings.Repeat("é", 50_000), "true", true, "false", false, "zero", 0, "min", math.MinInt64,
		"max", math.MaxInt64, "tens", -1_000_000, "one", []string{"x"}, "set", []string{"b", "a", "\x00", "é", "B"},
		"name", "a reserved word", "with.dot", 1, "with space", 2)
	s.put(it)
	s.checkStored(it.Key(), it)
	unsorted := item(key("p", "unsorted"))
	unsorted["set"] = &types.AttributeValueMemberSS{Value: []string{"c", "a", "b"}}
	s.put(unsorted)
	s.checkStored(unsorted.Key(), item(unsorted.Key(), "set", []string{"a", "b", "c"}))
}

func checkSnapshot(s *subject) {
	var want []table.Item
	var keys []table.Key
	for i := range 50 {
		it := item(key(fmt.Sprint("p", i%3), fmt.Sprint(i)), "i", i)
		want, keys = append(want, it), append(keys, it.Key(), key("missing", fmt.Sprint(i)))
	}
	s.put(want...)
	got, err := s.Snapshot(s.ctx, keys...)
	if err != nil {
		s.Fatal(err)
	}
	s.checkItems("100 keys, of which 50 exist", got, want)
}

func checkHostileKeys(s *subject) {
	parts := []string{
		"a", "a\x00", "\x00", "\x00\x00", "\x00\x01", "\x00\x01a", "\x01", "a\x00\x01", "a\x01",
		"#", "a#", "a##", "%", "%00", "a%23",
		"/", "@", " ", "\u00ff", "\u0100", "\ufffd", "\U0010ffff", "a\U0010ffff", "é", "e\u0301",
		strings.Repeat("\x00", 1024), strings.Repeat("k", 1024), strings.Repeat("\U0010ffff", 256),
	}
	partitions := append(parts, strings.Repeat("\x00", 2048), strings.Repeat("k", 2048))
	var items []table.Item
	for _, pk := range partitions {
		for _, sk := range parts {
			items = append(items, item(key(pk, sk), "key", pk+"|"+sk))
		}
	}
	s.put(items...)
	for i, pk := range partitions {
		got, _ := s.readRange(table.Range{PK: pk})
		s.checkItems(fmt.Sprintf("partition %+q", pk), got, items[i*len(parts):(i+1)*len(parts)])
	}
}

func checkEndedContext(s *subject) {
	it := item(key("p", "s"))
	s.put(it)
	ended, cancel := context.WithCancel(s.ctx)
	cancel()
	for _, ctx := range []context.Context{ended, SuspendedContext(s.ctx)} {
		checkTransientErrors(s, ctx, it)
	}
	s.checkStored(it.Key(), it)
}

func checkTransientErrors(s *subject, ctx context.Context, it table.Item) {
	_, getErr := s.Get(ctx, nil, it.Key())
	_, snapshotErr := s.Snapshot(ctx, it.Key())
	_, queryErr := s.Query(ctx, table.Range{PK: "p"})
	_, scanErr := s.Scan(ctx, table.Key{})
	writeErr := s.Write(ctx, table.Delete{Key: it.Key()})
	for name, err := range map[string]error{
		"Get": getErr, "Snapshot": snapshotErr, "Query": queryErr, "Scan": scanErr, "Write": writeErr,
	} {
		if !is[*table.TransientError](err) {
			s.Errorf("%s: %v, want a TransientError", name, err)
		}
	}
}

func checkScan(s *subject) {
	var want []table.Item
	for i := range 200 {
		want = append(want, item(key(fmt.Sprint("p\x00", i%40), fmt.Sprint(i)), "i", i))
	}
	s.put(want...)
	got, _ := s.scan()
	s.checkItems("scanned", got, want)
}

func checkScanLarge(s *subject) {
	var want []table.Item
	for i := range 12 {
		want = append(want, item(key(fmt.Sprint("p", i%5), fmt.Sprint(i)), "x", strings.Repeat("x", 300_000)))
	}
	for _, it := range want {
		s.put(it)
	}
	got, pages := s.scan()
	s.checkItems("scanned", got, want)
	if pages < 3 {
		s.Errorf("3.6 MB in %d pages, want at least 3", pages)
	}
}
