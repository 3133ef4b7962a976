package table

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestApplyDoesNotChangeTheOldItem(t *testing.T) {
	t.Parallel()
	old := Item{"PK": S("p"), "SK": S("s"), "set": SS("a", "b"), "more": SS("a")}
	u := Update{Key: old.Key(), Delete: Item{"set": SS("a")}, Add: Item{"more": SS("b")}, Remove: []string{"PK"}}
	if _, err := u.Apply(old); err != nil {
		t.Fatal(err)
	}
	if len(old) != 4 || len(StringSetValue(old["set"])) != 2 || len(StringSetValue(old["more"])) != 1 {
		t.Errorf("Apply changed the old item to %v", old)
	}
}

func TestApplyRejectsSumsOver64Bits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		edge := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, -1, 0, 1, math.MaxInt64}))
		a, b := edge.Draw(t, "a"), edge.Draw(t, "b")
		it, err := Update{Add: Item{"n": N(b)}}.Apply(Item{"n": N(a)})
		sum := new(big.Int).Add(big.NewInt(a), big.NewInt(b))
		var invalid *InvalidError
		rejected, correct := errors.As(err, &invalid), err == nil && IntValue(it["n"]) == sum.Int64()
		if sum.IsInt64() && !correct || !sum.IsInt64() && !rejected {
			t.Fatalf("%d + %d: %v, %v", a, b, it["n"], err)
		}
	})
}
