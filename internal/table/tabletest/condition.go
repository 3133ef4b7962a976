package tabletest

import (
	"fmt"

	"serverless-scim/internal/table"
)

func conditionRules() []rule {
	return []rule{
		{"conditions", "a write takes effect if and only if all its conditions hold", checkConditions},
		{"conditions of all", "a transaction takes effect if and only if the conditions of all its writes hold",
			checkConditionsOfAll},
	}
}

// conditionLists returns lists of no, one and several conditions.
func conditionLists() [][]table.Condition {
	single := []table.Condition{
		table.Exists(), table.NotExists(), table.AttributeNotExists("a"), table.AttributeNotExists("SK"),
		table.Equals("a", value("x")), table.Equals("a", value("")), table.Equals("a", value(1)),
		table.Equals("a", value(true)), table.Equals("a", value([]string{"u", "v"})),
		table.Equals("SK", value("s")), table.Equals("none", value("x")),
		table.SetSizeBelow("set", 0), table.SetSizeBelow("set", 2), table.SetSizeBelow("set", 3),
		table.SetSizeBelow("none", 1),
	}
	lists := [][]table.Condition{nil, {table.Exists(), table.AttributeNotExists("a"), table.SetSizeBelow("set", 3)}}
	for i, c := range single {
		lists = append(lists, []table.Condition{c}, []table.Condition{c, single[(i+1)%len(single)]})
	}
	return lists
}

// checkConditions compares the table with Condition.Holds: every condition, every kind of write, every state of an
// item.
func checkConditions(s *subject) {
	states := [][]any{
		nil, {}, {"a", "x"}, {"a", ""}, {"a", 1}, {"a", true}, {"a", false}, {"a", "1"}, {"a", []string{"v", "u"}},
		{"set", "x"}, {"set", 1}, {"set", true}, {"set", []string{"1"}},
		{"a", "x", "set", []string{"1", "2"}}, {"set", []string{"1", "2", "3"}},
	}
	for i, pairs := range states {
		for j, conditions := range conditionLists() {
			k := key(fmt.Sprint(i, " ", j), "s")
			var old table.Item
			if pairs != nil {
				old = item(k, pairs...)
				s.put(old)
			}
			for _, w := range []table.Write{
				table.ConditionCheck{Key: k, If: conditions},
				table.Update{Key: k, Set: table.Item{"new": value(1)}, If: conditions},
				table.Delete{Key: k, If: conditions}, table.Put{Item: item(k, "put", true), If: conditions},
			} {
				if _, isCheck := w.(table.ConditionCheck); isCheck && conditions == nil {
					continue
				}
				old = s.checkWrite(w, old)
			}
		}
	}
}

// checkWrite makes a write and compares the result with evaluate. It returns the item after the write.
func (s *subject) checkWrite(w table.Write, old table.Item) table.Item {
	s.Helper()
	after, wantErr := evaluate([]table.Write{w}, []table.Item{old})
	err := s.Write(s.ctx, w)
	if failedItems(err) != failedItems(wantErr) || (err == nil) != (wantErr == nil) {
		s.Fatalf("%T%+v of %s: %v, want %v", w, w.Conditions(), text(old), err, wantErr)
	}
	if wantErr != nil {
		return old
	}
	s.checkStored(w.Target(), after[0])
	return after[0]
}

func checkConditionsOfAll(s *subject) {
	existing := key("p", "existing")
	s.put(item(existing, "v", 1))
	equals := func(n int) []table.Condition { return []table.Condition{table.Equals("v", value(n))} }
	for i, t := range []struct {
		first, second []table.Condition
		ok            bool
	}{{equals(1), nil, true}, {equals(2), nil, false}, {equals(1), []table.Condition{table.Exists()}, false}} {
		created := key("p", fmt.Sprint("new", i))
		err := s.Write(s.ctx,
			table.ConditionCheck{Key: existing, If: t.first}, table.Put{Item: item(created), If: t.second})
		if (err == nil) != t.ok || err != nil && !is[*table.ConditionError](err) {
			s.Errorf("case %d: %v", i, err)
		}
		var want table.Item
		if t.ok {
			want = item(created)
		}
		s.checkStored(created, want)
	}
}
