package tabletest

import (
	"fmt"

	"serverless-scim/internal/table"
)

func conditionRules() []rule {
	return []rule{
		{"conditions", "a write happens if and only if all its conditions hold of its item", checkConditions},
		{"conditions of all", "a transaction happens if and only if the conditions of all its writes hold", checkConditionsOfAll},
	}
}

func conditions() [][]table.Condition {
	single := []table.Condition{
		table.Exists(), table.NotExists(), table.AttributeNotExists("a"), table.AttributeNotExists("SK"),
		table.Equals("a", value("x")), table.Equals("a", value("")), table.Equals("a", value(1)), table.Equals("a", value(true)),
		table.Equals("a", value([]string{"u", "v"})), table.Equals("SK", value("s")), table.Equals("none", value("x")),
		table.SetSizeBelow("set", 0), table.SetSizeBelow("set", 2), table.SetSizeBelow("set", 3), table.SetSizeBelow("none", 1),
	}
	all := [][]table.Condition{nil, {table.Exists(), table.AttributeNotExists("a"), table.SetSizeBelow("set", 3)}}
	for i, c := range single {
		all = append(all, []table.Condition{c}, []table.Condition{c, single[(i+1)%len(single)]})
	}
	return all
}

// checkConditions compares with Condition.Holds: every condition, every verb, every state of an item.
func checkConditions(s *subject) {
	states := [][]any{
		nil, {}, {"a", "x"}, {"a", ""}, {"a", 1}, {"a", true}, {"a", false}, {"a", "1"}, {"a", []string{"v", "u"}},
		{"set", "x"}, {"set", 1}, {"set", true}, {"set", []string{"1"}}, {"a", "x", "set", []string{"1", "2"}}, {"set", []string{"1", "2", "3"}},
	}
	for i, pairs := range states {
		for j, conditions := range conditions() {
			k := key(fmt.Sprint(i, " ", j), "s")
			var old table.Item
			if pairs != nil {
				old = item(k, pairs...)
				s.put(old)
			}
			for _, w := range []table.Write{
				table.ConditionCheck{Key: k, If: conditions}, table.Update{Key: k, Set: table.Item{"new": value(1)}, If: conditions},
				table.Delete{Key: k, If: conditions}, table.Put{Item: item(k, "put", true), If: conditions},
			} {
				if _, check := w.(table.ConditionCheck); check && conditions == nil {
					continue
				}
				old = s.step(w, old)
			}
		}
	}
}

// step does a write and compares the outcome with what the conditions say of the item as it was.
func (s *subject) step(w table.Write, old table.Item) table.Item {
	s.Helper()
	after, want := plan([]table.Write{w}, []table.Item{old})
	err := s.Write(s.ctx, w)
	if failures(err) != failures(want) || (err == nil) != (want == nil) {
		s.Fatalf("%T%+v of %s: %v, want %v", w, w.Conditions(), text(old), err, want)
	}
	if want != nil {
		return old
	}
	s.holds(w.Target(), after[0])
	return after[0]
}

func checkConditionsOfAll(s *subject) {
	there := key("p", "there")
	s.put(item(there, "v", 1))
	v := func(n int) []table.Condition { return []table.Condition{table.Equals("v", value(n))} }
	for i, t := range []struct {
		first, second []table.Condition
		ok            bool
	}{{v(1), nil, true}, {v(2), nil, false}, {v(1), []table.Condition{table.Exists()}, false}} {
		new := key("p", fmt.Sprint("new", i))
		err := s.Write(s.ctx, table.ConditionCheck{Key: there, If: t.first}, table.Put{Item: item(new), If: t.second})
		if (err == nil) != t.ok || err != nil && !is[*table.ConditionError](err) {
			s.Errorf("case %d: %v", i, err)
		}
		var want table.Item
		if t.ok {
			want = item(new)
		}
		s.holds(new, want)
	}
}
