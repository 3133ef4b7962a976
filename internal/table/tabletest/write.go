package tabletest

import (
	"fmt"

	"serverless-scim/internal/table"
)

func writeRules() []rule {
	return []rule{
		{"put", "Put replaces an existing item, and keeps none of its attributes", checkPut},
		{"update", "Update changes the named attributes, and keeps the others", checkUpdate},
		{"update creates", "Update creates a missing item, with its key only if no attribute remains",
			checkUpdateCreates},
		{"sets", "Add creates a set, and Delete of its last element removes the attribute", checkSets},
		{"delete", "Delete removes an item, and does nothing if it does not exist", checkDelete},
		{"check", "ConditionCheck changes nothing, and creates no item", checkCheck},
		{"condition error", "a ConditionError has the failed writes, with their current items (nil: no item)",
			checkConditionErrors},
		{"all or nothing", "a transaction writes all of its changes, or nothing if conditions fail", checkAllOrNothing},
	}
}

func checkPut(s *subject) {
	k := key("p", "s")
	s.put(item(k, "a", "1", "set", []string{"x"}))
	s.put(item(k, "b", 2))
	s.checkStored(k, item(k, "b", 2))
}

func checkUpdate(s *subject) {
	k := key("p", "s")
	s.put(item(k, "keep", "k", "set", "old", "count", 40, "members", []string{"a", "b", "c"}, "old", true))
	s.write(table.Update{
		Key:    k,
		Set:    table.Item{"set": value("new"), "created": value(true)},
		Add:    table.Item{"count": value(2), "less": value(-3), "more": value([]string{"x"})},
		Delete: table.Item{"members": value([]string{"b", "missing"})},
		Remove: []string{"old", "missing"},
	})
	s.checkStored(k, item(k, "keep", "k", "set", "new", "created", true, "count", 42, "less", -3, "more", []string{"x"},
		"members", []string{"a", "c"}))
}

func checkUpdateCreates(s *subject) {
	k, keyOnly := key("p", "s"), key("p", "key only")
	s.write(table.Update{Key: k, Set: table.Item{"a": value("1")}, Add: table.Item{"n": value(1)}},
		table.Update{Key: keyOnly, Remove: []string{"a"}, Delete: table.Item{"set": value([]string{"x"})}})
	s.checkStored(k, item(k, "a", "1", "n", 1))
	s.checkStored(keyOnly, item(keyOnly))
}

func checkSets(s *subject) {
	k := key("p", "s")
	checkUpdate := func(w table.Update, want ...any) {
		s.Helper()
		w.Key = k
		s.write(w)
		s.checkStored(k, item(k, want...))
	}
	checkUpdate(table.Update{Add: table.Item{"set": value([]string{"b", "a"})}}, "set", []string{"a", "b"})
	checkUpdate(table.Update{Add: table.Item{"set": value([]string{"b", "c"})}}, "set", []string{"a", "b", "c"})
	checkUpdate(table.Update{Delete: table.Item{"set": value([]string{"a", "b"})}}, "set", []string{"c"})
	checkUpdate(table.Update{Delete: table.Item{"set": value([]string{"z"})}}, "set", []string{"c"})
	checkUpdate(table.Update{Delete: table.Item{"set": value([]string{"c", "z"})}})
	checkUpdate(table.Update{Delete: table.Item{"set": value([]string{"c"})}})
}

func checkDelete(s *subject) {
	a, b := item(key("p", "a")), item(key("p", "b"))
	s.put(a, b)
	s.write(table.Delete{Key: a.Key()}, table.Delete{Key: key("p", "missing")})
	s.checkStored(a.Key(), nil)
	s.checkStored(key("p", "missing"), nil)
	s.checkStored(b.Key(), b)
}

func checkCheck(s *subject) {
	a := item(key("p", "a"), "n", 1)
	s.put(a)
	s.write(table.ConditionCheck{Key: a.Key(), If: []table.Condition{table.Exists()}},
		table.ConditionCheck{Key: key("p", "b"), If: []table.Condition{table.NotExists()}})
	s.checkStored(a.Key(), a)
	s.checkStored(key("p", "b"), nil)
}

func checkConditionErrors(s *subject) {
	a, c := item(key("p", "a"), "set", []string{"y", "x"}, "n", 1), item(key("p", "c"), "n", 3)
	s.put(a, c)
	exists, notExists := []table.Condition{table.Exists()}, []table.Condition{table.NotExists()}
	set := table.Item{"n": value(9)}
	for name, t := range map[string]struct {
		writes []table.Write
		want   map[int]table.Item
	}{
		"Put and Update, item exists": {[]table.Write{
			table.Put{Item: item(key("p", "a")), If: notExists}, table.Update{Key: c.Key(), Set: set, If: notExists},
		}, map[int]table.Item{0: a, 1: c}},
		"Delete and ConditionCheck, item exists": {[]table.Write{
			table.Delete{Key: a.Key(), If: notExists}, table.ConditionCheck{Key: c.Key(), If: notExists},
		}, map[int]table.Item{0: a, 1: c}},
		"each kind of write, item missing": {[]table.Write{
			table.Put{Item: item(key("p", "0")), If: exists}, table.Update{Key: key("p", "1"), Set: set, If: exists},
			table.Delete{Key: key("p", "2"), If: exists}, table.ConditionCheck{Key: key("p", "3"), If: exists},
		}, map[int]table.Item{0: nil, 1: nil, 2: nil, 3: nil}},
		"some conditions fail": {[]table.Write{
			table.Put{Item: item(key("p", "new")), If: notExists}, table.Update{Key: a.Key(), Set: set, If: notExists},
			table.Delete{Key: c.Key(), If: exists}, table.ConditionCheck{Key: key("p", "missing"), If: exists},
			table.Put{Item: item(key("p", "free"))},
		}, map[int]table.Item{1: a, 3: nil}},
	} {
		s.checkConditionError(name, s.Write(s.ctx, t.writes...), t.want)
	}
	s.checkItems("after failed writes", s.query(table.Range{PK: "p"}).Items, []table.Item{a, c})
}

func checkAllOrNothing(s *subject) {
	last := key("p", "099")
	for _, exists := range []bool{true, false} {
		if exists {
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
		if exists {
			want = 1
			s.checkConditionError("the last of 100", err, map[int]table.Item{99: item(last)})
		} else if err != nil {
			s.Error(err)
		}
		if n := len(s.query(table.Range{PK: "p"}).Items); n != want {
			s.Errorf("%d items are stored, want %d", n, want)
		}
	}
}
