package tabletest

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/table"
)

func limitRules() []rule {
	return []rule{
		{"invalid", "a call that DynamoDB rejects for its form returns *InvalidError and changes nothing",
			checkInvalid},
		{"wrong type", "Add to, or Delete from, an attribute of another type returns *InvalidError and changes nothing",
			checkWrongType},
		{"largest", "100 actions, partition keys of 2048 bytes, sort keys of 1024 bytes, and items of 400 KB are valid",
			checkLargest},
		{"too large item", "a write that would make an item over 400 KB returns *TooLargeError", checkTooLargeItem},
		{"too large transaction", "a transaction over 4 MB returns *TooLargeError and changes nothing",
			checkTooLargeTransaction},
		{"conditions first", "if a condition fails and an item would be too large, the error is *ConditionError",
			checkConditionsFirst},
	}
}

func invalidWrites() map[string][]table.Write {
	k := key("p", "s")
	put := func(v types.AttributeValue) []table.Write {
		return []table.Write{table.Put{Item: table.Item{"PK": value("p"), "SK": value("s"), "a": v}}}
	}
	update := func(u table.Update) []table.Write {
		u.Key = k
		return []table.Write{u}
	}
	del := func(pk, sk string) []table.Write { return []table.Write{table.Delete{Key: key(pk, sk)}} }
	x, set := table.Item{"x": value("x")}, table.Item{"x": value([]string{"x"})}
	many := make([]table.Write, 101)
	for i := range many {
		many[i] = table.Delete{Key: key("p", fmt.Sprint(i))}
	}
	return map[string][]table.Write{
		"no writes": nil, "101 writes": many, "a nil write": {nil},
		"a key twice": {table.Delete{Key: k}, table.ConditionCheck{Key: k, If: []table.Condition{table.NotExists()}}},
		"empty PK":    del("", "s"), "empty SK": del("p", ""), "long PK": del(strings.Repeat("p", 2049), "s"),
		"long SK":      del("p", strings.Repeat("s", 1025)),
		"PK not UTF-8": del("p\xff", "s"), "SK not UTF-8": del("p", "\xed\xa0\x80"),
		"no key":            {table.Put{Item: table.Item{"a": value("a")}}},
		"a number key":      {table.Put{Item: table.Item{"PK": value(1), "SK": value("s")}}},
		"empty set":         put(table.SS()),
		"duplicate element": put(&types.AttributeValueMemberSS{Value: []string{"a", "a"}}),
		"empty element":     put(value([]string{""})),
		"not UTF-8":         put(value("\xff")),
		"no value":          put(nil),
		"NULL":              put(&types.AttributeValueMemberNULL{Value: true}),
		"bytes":             put(&types.AttributeValueMemberB{Value: []byte{1}}),
		"list":              put(&types.AttributeValueMemberL{}),
		"map":               put(&types.AttributeValueMemberM{}),
		"number set":        put(&types.AttributeValueMemberNS{Value: []string{"1"}}),
		"not a number":      put(&types.AttributeValueMemberN{Value: "one"}),
		"a fraction":        put(&types.AttributeValueMemberN{Value: "1.5"}),
		"large number":      put(&types.AttributeValueMemberN{Value: "9223372036854775808"}),
		"spelled +1":        put(&types.AttributeValueMemberN{Value: "+1"}),
		"empty name":        {table.Put{Item: table.Item{"PK": value("p"), "SK": value("s"), "": value(1)}}},
		"no change":         update(table.Update{}),
		"update of PK":      update(table.Update{Set: table.Item{"PK": value("p")}}),
		"removal of SK":     update(table.Update{Remove: []string{"SK"}}),
		"set, removed":      update(table.Update{Set: x, Remove: []string{"x"}}),
		"removed twice":     update(table.Update{Remove: []string{"x", "x"}}),
		"add, delete":       update(table.Update{Add: set, Delete: set}),
		"add a string":      update(table.Update{Add: x}), "delete a string": update(table.Update{Delete: x}),
		"no condition":      {table.ConditionCheck{Key: k}},
		"unknown condition": {table.Delete{Key: k, If: []table.Condition{{Op: 99}}}},
		"no attribute":      {table.Delete{Key: k, If: []table.Condition{table.AttributeNotExists("")}}},
		"no operand":        {table.Delete{Key: k, If: []table.Condition{table.Equals("a", nil)}}},
	}
}

func checkInvalid(s *subject) {
	it := item(key("p", "s"), "x", []string{"x"})
	s.put(it)
	checkInvalidError := func(name string, err error) {
		s.Helper()
		if !is[*table.InvalidError](err) {
			s.Errorf("%s: %v, want an InvalidError", name, err)
		}
	}
	for name, writes := range invalidWrites() {
		checkInvalidError(name, s.Write(s.ctx, writes...))
	}
	for _, k := range []table.Key{
		{}, {PK: "p"}, {SK: "s"}, key("\xff", "s"),
		key(strings.Repeat("p", 2049), "s"), key("p", strings.Repeat("s", 1025)),
	} {
		_, err := s.Get(s.ctx, nil, k)
		checkInvalidError(fmt.Sprintf("Get of %.9q", k), err)
		_, err = s.Snapshot(s.ctx, k)
		checkInvalidError(fmt.Sprintf("Snapshot of %.9q", k), err)
	}
	var many []table.Key
	for i := range 101 {
		many = append(many, key("p", fmt.Sprint(i)))
	}
	for name, keys := range map[string][]table.Key{"101 keys": many, "no keys": nil, "twice": {it.Key(), it.Key()}} {
		_, err := s.Snapshot(s.ctx, keys...)
		checkInvalidError("Snapshot: "+name, err)
	}
	_, err := s.Get(s.ctx, nil, it.Key(), key("p", "t"), it.Key())
	checkInvalidError("Get: twice", err)
	for name, attributes := range map[string][]string{"empty list": {}, "duplicate": {"a", "a"}, "empty name": {""}} {
		_, err := s.Get(s.ctx, attributes, it.Key())
		checkInvalidError("Get: attributes: "+name, err)
	}
	_, err = s.Scan(s.ctx, table.Key{PK: "p"})
	checkInvalidError("Scan: half a key", err)
	for name, r := range invalidRanges() {
		_, err := s.Query(s.ctx, r)
		checkInvalidError("Query: "+name, err)
	}
	got, _ := s.scan()
	s.checkItems("after rejected calls", got, []table.Item{it})
}

func invalidRanges() map[string]table.Range {
	long := strings.Repeat("s", 1025)
	return map[string]table.Range{
		"no PK": {}, "long PK": {PK: strings.Repeat("p", 2049)}, "PK not UTF-8": {PK: "\xff"},
		"prefix and interval": {PK: "p", Prefix: "a", From: "a", To: "b"},
		"only From":           {PK: "p", From: "a"}, "only To": {PK: "p", To: "a"},
		"inverted": {PK: "p", From: "b", To: "a"}, "long prefix": {PK: "p", Prefix: long},
		"half a rune":              {PK: "p", Prefix: "\xc3"},
		"start outside the prefix": {PK: "p", Prefix: "a", ExclusiveStart: "b"},
		"start after To":           {PK: "p", From: "a", To: "b", ExclusiveStart: "c"},
		"start before From":        {PK: "p", From: "b", To: "c", ExclusiveStart: "a", Backward: true},
		"long start":               {PK: "p", ExclusiveStart: long},
		"negative limit":           {PK: "p", Limit: -1}, "no attributes": {PK: "p", Attributes: []string{}},
		"an attribute twice": {PK: "p", Attributes: []string{"a", "a"}},
		"empty name":         {PK: "p", Attributes: []string{""}},
	}
}

func checkWrongType(s *subject) {
	it := item(key("p", "s"), "text", "x", "set", []string{"x"}, "n", 1)
	s.put(it)
	for name, u := range map[string]table.Update{
		"number to text":   {Add: table.Item{"text": value(1)}},
		"number to set":    {Add: table.Item{"set": value(1)}},
		"elements to text": {Add: table.Item{"text": value([]string{"y"})}},
		"elements to n":    {Add: table.Item{"n": value([]string{"y"})}},
		"from text":        {Delete: table.Item{"text": value([]string{"x"})}},
		"from n":           {Delete: table.Item{"n": value([]string{"x"})}},
	} {
		u.Key = it.Key()
		err := s.Write(s.ctx, table.Put{Item: item(key("p", "other"))}, u)
		if !is[*table.InvalidError](err) {
			s.Errorf("%s: %v, want an InvalidError", name, err)
		}
	}
	s.checkStored(it.Key(), it)
	s.checkStored(key("p", "other"), nil)
}

func checkLargest(s *subject) {
	var items []table.Item
	for i := range 100 {
		sk := fmt.Sprintf("%1024d", i)
		items = append(items, item(key(strings.Repeat("\U0010ffff", 512), sk), "i", i))
	}
	s.put(items...)
	got, _ := s.readRange(table.Range{PK: items[0].Key().PK})
	s.checkItems("100 in one transaction", got, items)
	large := ofSize(key("p", "s"), table.MaxItemBytes)
	s.put(large)
	s.checkStored(large.Key(), large)
}

func checkTooLargeItem(s *subject) {
	large := ofSize(key("p", "large"), table.MaxItemBytes)
	s.put(large)
	x := value(strings.Repeat("x", table.MaxItemBytes))
	for name, w := range map[string]table.Write{
		"put":         table.Put{Item: ofSize(key("p", "new"), table.MaxItemBytes+1)},
		"set":         table.Update{Key: key("p", "new"), Set: table.Item{"x": x}},
		"set another": table.Update{Key: large.Key(), Set: table.Item{"y": value("yyyyyyyyyy")}},
		"add":         table.Update{Key: large.Key(), Add: table.Item{"y": value([]string{"yyyyyyyyyy"})}},
	} {
		err := s.Write(s.ctx, table.Put{Item: item(key("p", "other"))}, w)
		if !is[*table.TooLargeError](err) {
			s.Errorf("%s: %v, want a TooLargeError", name, err)
		}
	}
	s.checkItems("after rejected calls", s.query(table.Range{PK: "p"}).Items, []table.Item{large})
}

func checkTooLargeTransaction(s *subject) {
	var writes []table.Write
	for i := range 11 {
		writes = append(writes, table.Put{Item: ofSize(key("p", fmt.Sprint(i)), 390<<10)})
	}
	if err := s.Write(s.ctx, writes...); !is[*table.TooLargeError](err) {
		s.Errorf("11 items of 390 KB: %v, want a TooLargeError", err)
	}
	if p := s.query(table.Range{PK: "p"}); len(p.Items) > 0 {
		s.Errorf("%d items are stored, want none", len(p.Items))
	}
	s.write(writes[:10]...)
}

func checkConditionsFirst(s *subject) {
	large := ofSize(key("p", "large"), table.MaxItemBytes)
	s.put(large)
	err := s.Write(s.ctx, table.Update{Key: large.Key(), Set: table.Item{"y": value("yyyyyyyyyy")}},
		table.ConditionCheck{Key: key("p", "missing"), If: []table.Condition{table.Exists()}})
	s.checkConditionError("too large and condition failed", err, map[int]table.Item{1: nil})
}
