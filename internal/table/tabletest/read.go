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
		{"get", "Get brings the items that exist, whole, and leaves out those that do not", checkGet},
		{"get attributes", "Get brings the attributes it names alone, of one key and of many; an item without any is there, and empty",
			checkGetAttributes},
		{"get many", "Get takes any number of keys, and none", checkGetMany},
		{"types", "S, N, SS and BOOL come back as they were written, sets sorted", checkTypes},
		{"snapshot", "Snapshot brings the items that exist, and leaves out those that do not", checkSnapshot},
		{"hostile keys", "no key reaches an item or a partition of another, whatever its characters", checkHostileKeys},
		{"ended context", "a call whose context has ended, if only by the wall clock, is *Busy and does nothing", checkEndedContext},
		{"scan", "the pages of a Scan return every item exactly once", checkScan},
		{"scan large", "a Scan goes on from the Next of a page until it is the zero Key", checkScanLarge},
	}
}

func checkGet(s *subject) {
	a, b := item(key("p", "a"), "x", "1"), item(key("p", "b"), "x", "2", "n", 3)
	s.put(a, b, item(key("p", "c")))
	s.holds(key("p", "a"), a)
	s.holds(key("p", "none"), nil)
	s.holds(key("none", "a"), nil)
	got, err := s.Get(s.ctx, nil, key("p", "none"), key("p", "b"), key("q", "a"), key("p", "a"))
	if err != nil {
		s.Fatal(err)
	}
	s.same("got", got, []table.Item{a, b})
}

func checkGetAttributes(s *subject) {
	all, some, none := key("p", "all"), key("p", "some"), key("q", "none")
	s.put(item(all, "name", 1, "with.dot", "x", "set", []string{"b", "a"}, "other", 2), item(some, "name", 3), item(none, "other", 4))
	for _, t := range []struct {
		keys []table.Key
		want []table.Item
	}{
		{[]table.Key{all}, []table.Item{{"name": value(1), "with.dot": value("x"), "set": value([]string{"a", "b"})}}},
		{[]table.Key{none}, []table.Item{{}}},
		{[]table.Key{key("p", "absent")}, nil},
		{[]table.Key{some, none, key("p", "absent")}, []table.Item{{"name": value(3)}, {}}},
	} {
		got, err := s.Get(s.ctx, []string{"name", "with.dot", "set", "PKs"}, t.keys...)
		if err != nil {
			s.Fatal(err)
		}
		s.same(fmt.Sprint(t.keys), got, t.want)
	}
	got, err := s.Get(s.ctx, []string{"SK", "PK"}, all, none)
	if err != nil {
		s.Fatal(err)
	}
	s.same("keys", got, []table.Item{item(all), item(none)})
}

func checkGetMany(s *subject) {
	var want []table.Item
	var keys []table.Key
	for i := range 250 {
		it := item(key(fmt.Sprint("p", i%7), fmt.Sprint(i)), "i", i)
		want, keys = append(want, it), append(keys, it.Key(), key("absent", fmt.Sprint(i)))
	}
	s.put(want...)
	got, err := s.Get(s.ctx, nil, keys...)
	if err != nil {
		s.Fatal(err)
	}
	s.same("500 keys, of which 250 exist", got, want)
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
	s.holds(it.Key(), it)
	unsorted := item(key("p", "unsorted"))
	unsorted["set"] = &types.AttributeValueMemberSS{Value: []string{"c", "a", "b"}}
	s.put(unsorted)
	s.holds(unsorted.Key(), item(unsorted.Key(), "set", []string{"a", "b", "c"}))
}

func checkSnapshot(s *subject) {
	var want []table.Item
	var keys []table.Key
	for i := range 50 {
		it := item(key(fmt.Sprint("p", i%3), fmt.Sprint(i)), "i", i)
		want, keys = append(want, it), append(keys, it.Key(), key("absent", fmt.Sprint(i)))
	}
	s.put(want...)
	got, err := s.Snapshot(s.ctx, keys...)
	if err != nil {
		s.Fatal(err)
	}
	s.same("100 keys, of which 50 exist", got, want)
}

func checkHostileKeys(s *subject) {
	parts := []string{
		"a", "a\x00", "\x00", "\x00\x00", "\x00\x01", "\x00\x01a", "\x01", "a\x00\x01", "a\x01", "#", "a#", "a##", "%", "%00",
		"a%23", "/", "@", " ", "\u00ff", "\u0100", "\ufffd", "\U0010ffff", "a\U0010ffff", "é", "e\u0301",
		strings.Repeat("\x00", 1024), strings.Repeat("k", 1024), strings.Repeat("\U0010ffff", 256),
	}
	partitions := append(parts, strings.Repeat("\x00", 2048), strings.Repeat("k", 2048))
	var all []table.Item
	for _, pk := range partitions {
		for _, sk := range parts {
			all = append(all, item(key(pk, sk), "me", pk+"|"+sk))
		}
	}
	s.put(all...)
	for i, pk := range partitions {
		got, _ := s.walk(table.Range{PK: pk})
		s.same(fmt.Sprintf("partition %+q", pk), got, all[i*len(parts):(i+1)*len(parts)])
	}
}

func checkEndedContext(s *subject) {
	it := item(key("p", "s"))
	s.put(it)
	ended, cancel := context.WithCancel(s.ctx)
	cancel()
	for _, ctx := range []context.Context{ended, SuspendedContext(s.ctx)} {
		checkBusy(s, ctx, it)
	}
	s.holds(it.Key(), it)
}

func checkBusy(s *subject, ctx context.Context, it table.Item) {
	_, get := s.Get(ctx, nil, it.Key())
	_, snapshot := s.Snapshot(ctx, it.Key())
	_, query := s.Query(ctx, table.Range{PK: "p"})
	_, scan := s.Scan(ctx, table.Key{})
	write := s.Write(ctx, table.Delete{Key: it.Key()})
	for name, err := range map[string]error{"Get": get, "Snapshot": snapshot, "Query": query, "Scan": scan, "Write": write} {
		if !is[*table.TransientError](err) {
			s.Errorf("%s: %v", name, err)
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
	s.same("scanned", got, want)
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
	s.same("scanned", got, want)
	if pages < 3 {
		s.Errorf("3.6 MB in %d pages", pages)
	}
}

func (s *subject) scan() (items []table.Item, pages int) {
	s.Helper()
	for from := (table.Key{}); ; {
		p, err := s.Scan(s.ctx, from)
		if err != nil {
			s.Fatal(err)
		}
		items, pages = append(items, p.Items...), pages+1
		if from = p.LastEvaluatedKey; from == (table.Key{}) {
			return items, pages
		}
	}
}
