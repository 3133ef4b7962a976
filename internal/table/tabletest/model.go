package tabletest

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"serverless-scim/internal/table"
)

func modelRules() []rule {
	return []rule{
		{"model", "any sequence of transactions has the result that Condition.Holds and Update.Apply define",
			checkModel},
	}
}

// evaluate returns the new item of each write of a transaction, or the error of the transaction. olds are the current
// items. A nil item does not exist.
func evaluate(writes []table.Write, olds []table.Item) (after []table.Item, err error) {
	failed := map[int]table.Item{}
	after = make([]table.Item, len(writes))
	for i, w := range writes {
		if slices.ContainsFunc(w.Conditions(), func(c table.Condition) bool { return !c.Holds(olds[i]) }) {
			failed[i] = olds[i]
		}
		switch w := w.(type) {
		case table.Put:
			after[i] = w.Item
		case table.ConditionCheck:
			after[i] = olds[i]
		case table.Update:
			var applyErr error
			if after[i], applyErr = w.Apply(olds[i]); applyErr != nil {
				err = applyErr
			}
		}
	}
	if len(failed) > 0 {
		return nil, &table.ConditionError{Items: failed}
	}
	return after, err
}

func checkModel(s *subject) {
	runs := 0
	rapid.Check(s.T, func(t *rapid.T) {
		runs++
		var keys []table.Key
		for i := range 4 {
			keys = append(keys, key(fmt.Sprint("run ", runs, " ", i%2), fmt.Sprint(i)))
		}
		model := map[table.Key]table.Item{}
		for range rapid.IntRange(1, 12).Draw(t, "transactions") {
			writes := drawWrites(t, keys)
			var olds []table.Item
			for _, w := range writes {
				olds = append(olds, model[w.Target()])
			}
			after, wantErr := evaluate(writes, olds)
			err := s.Write(s.ctx, writes...)
			if failedItems(err) != failedItems(wantErr) || (err == nil) != (wantErr == nil) {
				t.Fatalf("%+v on %s:\n got %v %s\nwant %v %s", writes, list(olds),
					err, failedItems(err), wantErr, failedItems(wantErr))
			}
			for i, it := range after {
				model[writes[i].Target()] = it
			}
			s.checkModelStored(t, keys, model)
		}
	})
}

// checkModelStored checks that the table has the items of the model.
func (s *subject) checkModelStored(t *rapid.T, keys []table.Key, model map[table.Key]table.Item) {
	var want []table.Item
	for _, k := range keys {
		if model[k] != nil {
			want = append(want, model[k])
		}
	}
	got, err := s.Get(s.ctx, nil, keys...)
	if err != nil || list(got) != list(want) {
		t.Fatalf("stored (%v):\n got %s\nwant %s", err, list(got), list(want))
	}
}

func drawWrites(t *rapid.T, keys []table.Key) (writes []table.Write) {
	for _, k := range keys[:rapid.IntRange(1, len(keys)).Draw(t, "writes")] {
		var conditions []table.Condition
		for range rapid.IntRange(0, 2).Draw(t, "conditions") {
			conditions = append(conditions, drawCondition(t))
		}
		switch rapid.IntRange(0, 9).Draw(t, "action") {
		case 0, 1:
			it := drawAttributes(t, "a", "b", "n", "set")
			it["PK"], it["SK"] = table.S(k.PK), table.S(k.SK)
			writes = append(writes, table.Put{Item: it, If: conditions})
		case 2:
			writes = append(writes, table.Delete{Key: k, If: conditions})
		case 3:
			writes = append(writes, table.ConditionCheck{Key: k, If: append(conditions, drawCondition(t))})
		default:
			writes = append(writes, drawUpdate(t, k, conditions))
		}
	}
	return writes
}

func drawUpdate(t *rapid.T, k table.Key, conditions []table.Condition) table.Update {
	u := table.Update{Key: k, Set: drawAttributes(t, "a", "b"), If: conditions}
	switch rapid.IntRange(0, 4).Draw(t, "change") {
	case 0:
		u.Add = drawAttributes(t, "n", "set")
	case 1:
		u.Delete = drawAttributes(t, "set")
	case 2:
		u.Remove = []string{"n", "set"}
	case 3:
		u.Add, u.Delete = drawAttributes(t, "n"), drawAttributes(t, "set")
	}
	if len(u.Set)+len(u.Add)+len(u.Delete)+len(u.Remove) == 0 {
		u.Remove = []string{"a"}
	}
	return u
}

// drawAttributes draws values for some of the names. Each name always has the same type.
func drawAttributes(t *rapid.T, names ...string) table.Item {
	it := table.Item{}
	for _, name := range names {
		if rapid.Bool().Draw(t, name) {
			it[name] = value(drawValue(t, name))
		}
	}
	return it
}

func drawValue(t *rapid.T, name string) any {
	switch name {
	case "a":
		return rapid.SampledFrom([]string{"", "x", "\x00é"}).Draw(t, "a")
	case "b":
		return rapid.Bool().Draw(t, "b")
	case "n":
		return rapid.IntRange(-2, 2).Draw(t, "n")
	default:
		return rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"u", "v", "w"}), 1, 3, rapid.ID).Draw(t, "set")
	}
}

func drawCondition(t *rapid.T) table.Condition {
	name := rapid.SampledFrom([]string{"a", "b", "n", "set"}).Draw(t, "attribute")
	switch rapid.IntRange(0, 4).Draw(t, "condition") {
	case 0:
		return table.Exists()
	case 1:
		return table.NotExists()
	case 2:
		return table.AttributeNotExists(name)
	case 3:
		return table.Equals(name, value(drawValue(t, name)))
	default:
		return table.SetSizeBelow("set", rapid.IntRange(0, 3).Draw(t, "size"))
	}
}
