package tabletest

import (
	"errors"
	"fmt"

	"serverless-scim/internal/table"
)

func writeRules() []rule {
	return []rule{
		{"put", "Put writes a whole item in place of what is there", checkPut},
		{"update", "Update sets, adds, deletes and removes some attributes and leaves the others", checkUpdate},
		{"update creates", "Update makes the item where there is none; without an effect, with its key alone", checkUpdateCreates},
		{"sets", "ADD makes a set, DELETE of its last element removes it", checkSets},
		{"delete", "Delete removes an item, and does nothing where there is none", checkDelete},
		{"check", "Check changes nothing, not even an item that is absent", checkCheck},
		{"refused", "a refusal names the writes that failed, with the items as they stood (nil: none)", checkRefused},
		{"all or nothing", "of a refused transaction nothing is written, and of an accepted one everything", checkAllOrNothing},
	}
}

func checkPut(s *subject) {
	k := key("p", "s")
	s.put(item(k, "a", "1", "set", []string{"x"}))
	s.put(item(k, "b", 2))
	s.holds(k, item(k, "b", 2))
}

func checkUpdate(s *subject) {
	k := key("p", "s")
	s.put(item(k, "keep", "k", "set", "old", "count", 40, "members", []string{"a", "b", "c"}, "gone", true))
	s.write(table.Update{
		Key:    k,
		Set:    table.Item{"set": value("new"), "made": value(true)},
		Add:    table.Item{"count": value(2), "less": value(-3), "more": value([]string{"x"})},
		Delete: table.Item{"members": value([]string{"b", "none"})},
		Remove: []string{"gone", "never"},
	})
	s.holds(k, item(k, "keep", "k", "set", "new", "made", true, "count", 42, "less", -3, "more", []string{"x"},
		"members", []string{"a", "c"}))
}

func checkUpdateCreates(s *subject) {
	k, bare := key("p", "s"), key("p", "bare")
	s.write(table.Update{Key: k, Set: table.Item{"a": value("1")}, Add: table.Item{"n": value(1)}},
		table.Update{Key: bare, Remove: []string{"a"}, Delete: table.Item{"set": value([]string{"x"})}})
	s.holds(k, item(k, "a", "1", "n", 1))
	s.holds(bare, item(bare))
}

func checkSets(s *subject) {
	k := key("p", "s")
	step := func(w table.Update, want ...any) {
		s.Helper()
		w.Key = k
		s.write(w)
		s.holds(k, item(k, want...))
	}
	step(table.Update{Add: table.Item{"set": value([]string{"b", "a"})}}, "set", []string{"a", "b"})
	step(table.Update{Add: table.Item{"set": value([]string{"b", "c"})}}, "set", []string{"a", "b", "c"})
	step(table.Update{Delete: table.Item{"set": value([]string{"a", "b"})}}, "set", []string{"c"})
	step(table.Update{Delete: table.Item{"set": value([]string{"z"})}}, "set", []string{"c"})
	step(table.Update{Delete: table.Item{"set": value([]string{"c", "z"})}})
	step(table.Update{Delete: table.Item{"set": value([]string{"c"})}})
}

func checkDelete(s *subject) {
	a, b := item(key("p", "a")), item(key("p", "b"))
	s.put(a, b)
	s.write(table.Delete{Key: a.Key()}, table.Delete{Key: key("p", "none")})
	s.holds(a.Key(), nil)
	s.holds(key("p", "none"), nil)
	s.holds(b.Key(), b)
}

func checkCheck(s *subject) {
	a := item(key("p", "a"), "n", 1)
	s.put(a)
	s.write(table.ConditionCheck{Key: a.Key(), If: []table.Condition{table.Exists()}},
		table.ConditionCheck{Key: key("p", "b"), If: []table.Condition{table.NotExists()}})
	s.holds(a.Key(), a)
	s.holds(key("p", "b"), nil)
}

func checkRefused(s *subject) {
	a, c := item(key("p", "a"), "set", []string{"y", "x"}, "n", 1), item(key("p", "c"), "n", 3)
	s.put(a, c)
	exists, absent := []table.Condition{table.Exists()}, []table.Condition{table.NotExists()}
	set := table.Item{"n": value(9)}
	for name, t := range map[string]struct {
		writes []table.Write
		want   map[int]table.Item
	}{
		"each verb, item there": {[]table.Write{
			table.Put{Item: item(key("p", "a")), If: absent}, table.Update{Key: c.Key(), Set: set, If: absent},
		}, map[int]table.Item{0: a, 1: c}},
		"the other verbs, item there": {[]table.Write{
			table.Delete{Key: a.Key(), If: absent}, table.ConditionCheck{Key: c.Key(), If: absent},
		}, map[int]table.Item{0: a, 1: c}},
		"each verb, item absent": {[]table.Write{
			table.Put{Item: item(key("p", "0")), If: exists}, table.Update{Key: key("p", "1"), Set: set, If: exists},
			table.Delete{Key: key("p", "2"), If: exists}, table.ConditionCheck{Key: key("p", "3"), If: exists},
		}, map[int]table.Item{0: nil, 1: nil, 2: nil, 3: nil}},
		"some fail": {[]table.Write{
			table.Put{Item: item(key("p", "new")), If: absent}, table.Update{Key: a.Key(), Set: set, If: absent},
			table.Delete{Key: c.Key(), If: exists}, table.ConditionCheck{Key: key("p", "none"), If: exists},
			table.Put{Item: item(key("p", "free"))},
		}, map[int]table.Item{1: a, 3: nil}},
	} {
		s.refused(name, s.Write(s.ctx, t.writes...), t.want)
	}
	s.same("after refusals", s.query(table.Range{PK: "p"}).Items, []table.Item{a, c})
}

func (s *subject) refused(what string, err error, want map[int]table.Item) {
	s.Helper()
	if got := failures(err); got != fmt.Sprint(texts(want)) {
		s.Errorf("%s: %v\n got %s\nwant %v", what, err, got, texts(want))
	}
}

// failures is the failed writes of a refusal as text, empty for any other error.
func failures(err error) string {
	var refused *table.ConditionError
	if !errors.As(err, &refused) {
		return ""
	}
	return fmt.Sprint(texts(refused.Items))
}

func texts(items map[int]table.Item) map[int]string {
	m := map[int]string{}
	for i, it := range items {
		m[i] = text(it)
	}
	return m
}

func checkAllOrNothing(s *subject) {
	last := key("p", "099")
	for _, stands := range []bool{true, false} {
		if stands {
			s.put(item(last))
		} else {
			s.write(table.Delete{Key: last})
		}
		var writes []table.Write
		for i := range 99 {
			writes = append(writes, table.Put{Item: item(key("p", fmt.Sprintf("%03d", i)))})
		}
		err := s.Write(s.ctx, append(writes, table.Put{Item: item(last), If: []table.Condition{table.NotExists()}})...)
		want := 100
		if stands {
			want = 1
			s.refused("the last of 100", err, map[int]table.Item{99: item(last)})
		} else if err != nil {
			s.Error(err)
		}
		if n := len(s.query(table.Range{PK: "p"}).Items); n != want {
			s.Errorf("%d items stand, want %d", n, want)
		}
	}
}
