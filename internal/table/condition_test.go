package table

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func TestConditionsHoldAsInDynamoDB(t *testing.T) {
	t.Parallel()
	unsorted := &types.AttributeValueMemberSS{Value: []string{"b", "a"}}
	states := []Item{nil, {"PK": S("p")}, {"a": S("x")}, {"a": N(1)}, {"a": unsorted}}
	for name, c := range map[string]struct {
		condition Condition
		want      string // one digit per state; 1: the condition holds
	}{
		"exists":       {Exists(), "01111"},
		"not exists":   {NotExists(), "10000"},
		"a not exists": {AttributeNotExists("a"), "11000"},
		"a = x":        {Equals("a", S("x")), "00100"},
		"a = ''":       {Equals("a", S("")), "00000"},
		"a = '1'":      {Equals("a", S("1")), "00000"},
		"a = 1":        {Equals("a", N(1)), "00010"},
		"a = {a, b}":   {Equals("a", SS("a", "b")), "00001"},
		"a = {a}":      {Equals("a", SS("a")), "00000"},
		"a = {a, c}":   {Equals("a", SS("a", "c")), "00000"},
		"b = nil":      {Equals("b", nil), "00000"},
		"size(b) < 0":  {SetSizeBelow("b", 0), "11111"},
		"size(a) < 3":  {SetSizeBelow("a", 3), "11001"},
	} {
		if got := holdsByState(c.condition, states); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	for n, want := range []bool{false, false, false, true} {
		if got := SetSizeBelow("a", n).Holds(states[4]); got != want {
			t.Errorf("SetSizeBelow(%d) of a set of two elements: %v", n, got)
		}
	}
}

func holdsByState(c Condition, states []Item) (s string) {
	for _, it := range states {
		n := 0
		if c.Holds(it) {
			n = 1
		}
		s += fmt.Sprint(n)
	}
	return s
}
