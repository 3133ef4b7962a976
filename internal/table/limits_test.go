package table

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func TestItemSizeCountsBytesOfNamesAndValues(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		it   Item
		want int
	}{
		"nil":        {nil, 0},
		"text":       {Item{"é": S("aé")}, 2 + 3},
		"empty":      {Item{"a": S("")}, 1},
		"bool":       {Item{"a": &types.AttributeValueMemberBOOL{}}, 1 + 1},
		"set":        {Item{"a": SS("x", "yy")}, 1 + 3},
		"0":          {Item{"a": N(0)}, 1 + 1},
		"7":          {Item{"a": N(7)}, 1 + 2},
		"99":         {Item{"a": N(99)}, 1 + 2},
		"100":        {Item{"a": N(100)}, 1 + 2},
		"101":        {Item{"a": N(101)}, 1 + 3},
		"-101":       {Item{"a": N(-101)}, 1 + 4},
		"whole item": {Item{"PK": S("p"), "SK": S("s"), "n": N(12)}, 3 + 3 + 3},
	} {
		if got := ItemSize(c.it); got != c.want {
			t.Errorf("%s: %d bytes, want %d", name, got, c.want)
		}
	}
}
